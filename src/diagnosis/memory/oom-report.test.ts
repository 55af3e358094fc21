import { describe, expect, it } from "vitest";
import type { LogRecord } from "../../linux/log-record.ts";
import { oomReport } from "./oom-report.ts";

function records(text: string): LogRecord[] {
  return text
    .trim()
    .split("\n")
    .map((line, sequence) => ({
      sequence,
      nanoseconds: 0n,
      level: 1,
      facility: 0,
      caller: undefined,
      comm: undefined,
      text: line.replace(/^ {6}/, ""),
      dictionary: [],
    }));
}

describe("the report of memory that ran out", () => {
  it("has who asked, the sums of all zones, and all memory", () => {
    const report = oomReport(
      records(`
      a b invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=2, oom_score_adj=0
      Mem-Info:
      active_anon:458 inactive_anon:814 isolated_anon:0
       slab_reclaimable:49414 slab_unreclaimable:2000
       mapped:600 shmem:872 pagetables:57
       free:638 free_pcp:14 free_cma:0
      Node 0 active_anon:1832kB inactive_anon:3256kB free:1kB
      65403 pages RAM
      9812 pages reserved`),
    );
    expect(report).toMatchObject({ comm: "a b", gfp: "GFP_HIGHUSER_MOVABLE|__GFP_COMP", order: 2, total: 55591 });
    expect(report?.group).toBeUndefined();
    expect(report?.pages.get("active_anon")).toBe(458);
    expect(report?.pages.get("slab_reclaimable")).toBe(49414);
    expect(report?.pages.get("free")).toBe(638);
  });

  it("knows a control group's", () => {
    const head = "      x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n";
    expect(oomReport(records(`${head}      Memory cgroup stats for /batch:`))?.group).toBe("/batch");
    const line =
      "      oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a/b,task_memcg=/a/b/c,task=x,pid=1,uid=0";
    expect(oomReport(records(`${head}${line}`))).toMatchObject({ group: "/a/b", constraint: "CONSTRAINT_MEMCG" });
    expect(oomReport(records(`${head}      oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=x`))?.group).toBeUndefined();
  });

  it("is the last one, and nothing where there is none", () => {
    expect(oomReport(records("      hello"))).toBeUndefined();
    const two =
      "      x invoked oom-killer: gfp_mask=0x1, order=0, oom_score_adj=0\n      y invoked oom-killer: gfp_mask=0x1, order=1, oom_score_adj=0";
    expect(oomReport(records(two))?.comm).toBe("y");
  });
});
