import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { psTable } from "./support/ps-table.ts";
import type { PsTask } from "./support/ps-tasks.ts";
import { viewLines } from "./support/ps-view-text.ts";
import type { PsView } from "./support/ps-views.ts";

const task = (more: Partial<PsTask>): PsTask => ({
  pid: 1,
  ppid: 0,
  cpu: 1,
  address: virtual(0xff44_aebe_412b_4600n),
  state: "IN",
  memoryPercent: 0.8,
  rssKiB: 1692,
  vszKiB: 2336,
  comm: "init",
  active: false,
  kernelThread: false,
  ...more,
});
const brief = (pid: number, comm: string) => ({ pid, comm, cpu: 0, address: virtual(0xffff_8880_03a4_c000n) });

describe("ps", () => {
  test("crash's columns: the header stands over them, > marks the active, brackets the kernel's own", () => {
    const lines = [
      ...psTable(
        [
          task({
            pid: 0,
            comm: "swapper/0",
            state: "RU",
            memoryPercent: 0,
            rssKiB: 0,
            vszKiB: 0,
            active: true,
            kernelThread: true,
            cpu: 0,
          }),
          task({ pid: 4194304, cpu: 127 }),
        ],
        true,
        undefined,
      ),
    ];
    expect(lines).toEqual([
      "      PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM",
      ">       0       0   0  ff44aebe412b4600  RU   0.0        0        0  [swapper/0]",
      "  4194304       0 127  ff44aebe412b4600  IN   0.8     2336     1692  init",
    ]);
    expect((lines[0] as string).indexOf("COMM")).toBe((lines[2] as string).indexOf("init"));
  });

  test("without a header, with other columns, with what could not be read", () => {
    expect([...psTable([task({ rssKiB: undefined, vszKiB: undefined })], false, undefined)]).toEqual([
      "        1       0   1  ff44aebe412b4600  IN   0.8        ?        ?  init",
    ]);
    expect([...psTable([{ ...task({}), stackPointer: 0xff63_730a_4001_bde0n }], true, "stack")]).toEqual([
      "      PID    PPID  CPU      KSTACKP      ST  %MEM      VSZ      RSS  COMM",
      "        1       0   1  ff63730a4001bde0  IN   0.8     2336     1692  init",
    ]);
    expect([...psTable([task({ active: true })], false, "stack")]).toEqual([
      ">       1       0   1         --         IN   0.8     2336     1692  init",
    ]);
    expect([...psTable([{ ...task({}), policy: "FIFO", priority: 49 }], false, "policy")]).toEqual([
      "        1       0   1  ff44aebe412b4600  IN  FIFO        49  init",
    ]);
  });

  const lines = (view: PsView) => [...viewLines(view)];
  const header = (pid: number, comm: string) => `PID: ${String(pid).padEnd(7)}  TASK: ffff888003a4c000  CPU: 0    COMMAND: "${comm}"`;

  test("counts, ancestors, children", () => {
    expect(lines({ kind: "states", states: { RU: 3, IN: 28 } })).toEqual(["  RU: 3", "  IN: 28"]);
    expect(lines({ kind: "ancestors", chains: [[brief(0, "swapper/0"), brief(1, "init")], [brief(2, "kthreadd")]] })).toEqual([
      header(0, "swapper/0"),
      ` ${header(1, "init")}`,
      "",
      header(2, "kthreadd"),
    ]);
    expect(
      lines({
        kind: "families",
        of: "children",
        families: [
          { task: brief(1, "init"), members: [] },
          { task: brief(2, "a"), members: [brief(3, "b")] },
        ],
      }),
    ).toEqual([header(1, "init"), "  (no children)", "", header(2, "a"), `  ${header(3, "b")}`]);
  });

  test("last runs are aligned, by CPU when asked", () => {
    const rows = [
      { task: brief(1, "init"), state: "RU", nanoseconds: 5524814090, elapsedNanoseconds: 0 },
      { task: brief(2, "kthreadd"), state: "IN", nanoseconds: 950, elapsedNanoseconds: 90_061_250_000_000 },
    ];
    expect(lines({ kind: "last-run", elapsed: false, blocks: [{ cpu: undefined, tasks: rows }] })).toEqual([
      `[5524814090] [RU]  ${header(1, "init")}`,
      `[       950] [IN]  ${header(2, "kthreadd")}`,
    ]);
    expect(
      lines({
        kind: "last-run",
        elapsed: true,
        blocks: [
          { cpu: 0, tasks: rows.slice(1) },
          { cpu: 1, tasks: [] },
        ],
      }),
    ).toEqual(["CPU: 0", `[1 01:01:01.250] [IN]  ${header(2, "kthreadd")}`, "", "CPU: 1", "(no tasks)"]);
  });

  test("arguments, environment and what hides them", () => {
    expect(
      lines({
        kind: "arguments",
        processes: [{ task: brief(1, "init"), arguments: ["sh", "-c"], environment: ["A=1", "B=2"], problem: undefined }],
      }),
    ).toEqual([header(1, "init"), "ARG: sh -c", "ENV: A=1", "     B=2"]);
    expect(
      lines({
        kind: "arguments",
        processes: [{ task: brief(1, "init"), arguments: undefined, environment: [], problem: "its page was left out" }],
      }),
    ).toEqual([header(1, "init"), "ARG: (unreadable: its page was left out)", "ENV: (none)"]);
  });

  test("limits", () => {
    expect(
      lines({ kind: "limits", limits: [{ task: brief(1, "init"), limits: [{ name: "NOFILE", current: 1024, maximum: undefined }] }] }),
    ).toEqual([header(1, "init"), "      RLIMIT     CURRENT       MAXIMUM", "      NOFILE      1024       (unlimited)"]);
  });
});
