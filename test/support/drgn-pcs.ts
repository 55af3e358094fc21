/** Physical frames of every task as drgn has them, against ours: pc by pc. */
import { expect } from "vitest";
import type { CachedCase, LabDump } from "../../lab/case-record.ts";
import { type Peers, runDrgn } from "../../lab/peers.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { taskTable } from "../../src/linux/task.ts";
import { unwindTask } from "../../src/stack/unwind.ts";

/** One line a task: pid and the pcs of its physical frames. */
const DRGN_PCS = `
from drgn.helpers.linux import for_each_task
for task in for_each_task(prog):
    try:
        print(task.pid.value_(), *("%x" % frame.pc for frame in prog.stack_trace(task) if not frame.is_inline))
    except Exception:
        pass
`;

/** The dump of a case that drgn can open: it wants VMCOREINFO, and no flattened stream. */
export function drgnDump(lab: CachedCase): LabDump | undefined {
  return lab.dumps.find((dump) => dump.format === "elf" && !dump.flattened && dump.vmcoreinfo);
}

/** Compares the frames of all tasks. */
export async function checkDrgnPcs(peers: Peers, kernel: Kernel, lab: CachedCase): Promise<void> {
  const result = await runDrgn(peers, lab.vmlinux, drgnDump(lab)?.files[0] as string, DRGN_PCS, 300_000);
  const { byPid } = taskTable(kernel);
  const wrong: string[] = [];
  const lines = result.stdout.toString().trim().split("\n");
  for (const line of lines) {
    const [pid, ...pcs] = line.split(" ");
    const task = byPid.get(Number(pid));
    if (task === undefined) continue;
    const { frames, user } = unwindTask(kernel, task.address);
    const ours = frames.filter((frame) => frame.kind !== "inline").map((frame) => frame.pc.toString(16));
    // drgn goes on into user space, where it may take anything for a frame; without ORC it does so behind the end of every stack.
    const beyond = pcs.findIndex((pc) => !kernel.arch.isKernelAddress(BigInt(`0x${pc}`)));
    const own = kernel.orc.present || beyond < 0 ? pcs : pcs.slice(0, beyond);
    const theirs = user === undefined ? own : own.slice(0, ours.length);
    // A dead task has given its stack back; drgn takes what lies there now for frames.
    if (task.exitState !== 0 && ours.length === 0) continue;
    if (ours.join(" ") !== theirs.join(" ")) wrong.push(`${pid} ${task.comm}: ${ours.join(" ")} | ${theirs.join(" ")}`);
  }
  expect(wrong).toEqual([]);
  expect(lines.length).toBeGreaterThan(20);
}
