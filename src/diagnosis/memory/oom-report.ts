/**
 * What the kernel printed when memory ran out (mm/oom_kill.c dump_header(), mm/show_mem.c or page_alloc.c show_free_areas(), mm/memcontrol.c):
 *
 *   dd invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0
 *    active_anon:458 inactive_anon:814 isolated_anon:0            pages, over all zones
 *    slab_reclaimable:49414 slab_unreclaimable:2000
 *   65403 pages RAM / 9812 pages reserved
 *   Memory cgroup stats for /batch:                                 only when a control group was at its limit
 *   oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/batch,task_memcg=/batch,task=reportd,pid=…
 */
import type { LogRecord } from "../../linux/log-record.ts";

export interface OomReport {
  readonly index: number;
  /** Who asked. */
  readonly comm?: string;
  readonly gfp?: string;
  readonly order?: number;
  /** Path of the control group that was at its limit. */
  readonly group?: string;
  readonly constraint?: string;
  /** In pages, by the kernel's names: active_anon, slab_unreclaimable, shmem, free … */
  readonly pages: ReadonlyMap<string, number>;
  /** Pages that the allocator has. */
  readonly total?: number;
  readonly killed?: string;
}

const HEAD = /^(?<comm>.+) invoked oom-killer: gfp_mask=(?:0x[0-9a-f]+\()?(?<gfp>[^),]*)\)?,(?: nodemask=\S+,)? order=(?<order>-?\d+)/;
const GROUP =
  /^Memory cgroup stats for (?<group>[^:]+):|\boom_memcg=(?<named>[^,]+)|^Task in .+ killed as a result of limit of (?<old>\S+)/;
const LENGTH = 400;

/** The last one of the log that has a head. */
export function oomReport(records: readonly LogRecord[]): OomReport | undefined {
  let at = records.length - 1;
  while (at >= 0 && !HEAD.test(records[at]?.text ?? "")) at--;
  if (at < 0) return undefined;
  const { comm, gfp, order } = HEAD.exec(records[at]?.text ?? "")?.groups ?? {};
  const pages = new Map<string, number>();
  let ram: number | undefined;
  let reserved = 0;
  let group: string | undefined;
  let constraint: string | undefined;
  let killed: string | undefined;
  let counters = false;
  for (const { text } of records.slice(at, at + LENGTH)) {
    for (const line of text.split("\n", 64)) {
      // The sums over all come first; "Node 0 …" has the same names.
      if (/^Mem-Info:/.test(line)) counters = true;
      if (/^Node \d+ /.test(line)) counters = false;
      if (counters)
        for (const [, name = "", value = ""] of line.matchAll(/\b([a-z_]+):(\d+)\b/g)) if (!pages.has(name)) pages.set(name, Number(value));
      const found = GROUP.exec(line)?.groups;
      group ??= found?.group ?? found?.named ?? found?.old;
      constraint ??= /\bconstraint=(CONSTRAINT_\w+)/.exec(line)?.[1];
      ram ??= numberOf(/^(\d+) pages RAM/.exec(line));
      reserved = numberOf(/^(\d+) pages reserved/.exec(line)) ?? reserved;
      killed ??= /^(?:Memory cgroup out of memory|Out of memory): Killed process (\d+ \([^)]*\))/.exec(line)?.[1];
    }
  }
  return {
    index: at,
    ...(comm === undefined ? {} : { comm }),
    ...(gfp === undefined || gfp === "" ? {} : { gfp }),
    ...(order === undefined ? {} : { order: Number(order) }),
    ...(group === undefined ? {} : { group: group.trim() }),
    ...(constraint === undefined ? {} : { constraint }),
    pages,
    ...(ram === undefined ? {} : { total: ram - reserved }),
    ...(killed === undefined ? {} : { killed }),
  };
}

function numberOf(found: RegExpExecArray | null): number | undefined {
  return found === null ? undefined : Number(found[1]);
}
