/**
 * Stacks against the guest's own word, on every case in the cache: each sleeping task against its /proc/PID/stack, the stack of the
 * panic against the log's call trace, function by function with offsets; on amd64 also against drgn's frames, where the case has a vmlinux.
 */
import { describe, expect, test } from "vitest";
import { cachedCases } from "../../lab/case-record.ts";
import { cachedPeers, runDrgn } from "../../lab/peers.ts";
import { distance, virtual } from "../../src/bytes/address.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { panicTask } from "../../src/linux/panic-task.ts";
import { type Task, taskTable } from "../../src/linux/task.ts";
import type { StackFrame } from "../../src/stack/frame.ts";
import { unwindTask } from "../../src/stack/unwind.ts";
import { type Place, panicTrace, stacksOf } from "./stack-truth.ts";

const place = (frame: StackFrame): Place => `${frame.function}+0x${frame.offset?.toString(16)}`;

/** The kernel leaves scheduler functions out of /proc/PID/stack (in_sched_functions). */
function scheduler(kernel: Kernel): (frame: StackFrame) => boolean {
  const start = kernel.address("__sched_text_start");
  const end = kernel.address("__sched_text_end");
  return (frame) => frame.pc >= start && frame.pc < end;
}

function switchesOf(kernel: Kernel, task: Task): number {
  const struct = kernel.types.struct("task_struct");
  return struct.field("nvcsw").number(task.address) + struct.field("nivcsw").number(task.address);
}

/** One place said in two ways: older arm64 kernels name the function behind a call that never returns. */
function same(kernel: Kernel, frame: StackFrame | undefined, said: Place): boolean {
  if (frame === undefined) return false;
  if (place(frame) === said) return true;
  const [name, offset] = said.split("+") as [string, string];
  return [...kernel.symbols.allByName(name)].some((symbol) => distance(frame.pc, symbol.address) === Number(offset));
}

/** One line a task: pid and the pcs of its physical frames. */
const DRGN_FRAMES = `
from drgn.helpers.linux import for_each_task
for task in for_each_task(prog):
    try:
        print(task.pid.value_(), *("%x" % frame.pc for frame in prog.stack_trace(task) if not frame.is_inline))
    except Exception:
        pass
`;

/** Reporting and stopping: below these the stacks of the log and of the dump differ by nature. */
const REPORTING = /^(dump_stack(_lvl)?|show_stack|dump_backtrace|v?panic|__crash_kexec)$/;

describe.each(cachedCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const open = async () => openKernel(lab.dumps[0]?.files ?? []);

  test("sleeping tasks stand where /proc/PID/stack said", async () => {
    const kernel = await open();
    const { byPid } = taskTable(kernel);
    const inScheduler = scheduler(kernel);
    const wrong: string[] = [];
    let checked = 0;
    for (const truth of stacksOf(lab)) {
      const task = byPid.get(truth.pid);
      if (task === undefined || task.active) continue;
      const { frames, stop } = unwindTask(kernel, task.address);
      if (!stop.complete || frames.some((frame) => frame.certainty !== "exact")) wrong.push(`${truth.pid} ${task.comm}: ${stop.text}`);
      // A task that has run since may stand elsewhere.
      if (truth.switches !== undefined && switchesOf(kernel, task) !== truth.switches) continue;
      const ours = frames.filter((frame) => !inScheduler(frame));
      if (ours.length !== truth.frames.length || !truth.frames.every((said, i) => same(kernel, ours[i], said)))
        wrong.push(`${truth.pid} ${task.comm}: ${ours.map(place).join(" ")} | ${truth.frames.join(" ")}`);
      checked++;
    }
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(20);
  });

  const peers = cachedPeers();
  const elf = lab.dumps.find((dump) => dump.format === "elf" && !dump.flattened);
  test.skipIf(peers === undefined || elf === undefined || lab.vmlinux === undefined || lab.arch !== "amd64")(
    "drgn has the same frames",
    async () => {
      const result = await runDrgn(peers as NonNullable<typeof peers>, lab.vmlinux, elf?.files[0] as string, DRGN_FRAMES, 300_000);
      const kernel = await openKernel(elf?.files ?? []);
      const { byPid } = taskTable(kernel);
      const wrong: string[] = [];
      const lines = result.stdout.toString().trim().split("\n");
      for (const line of lines) {
        const [pid, ...pcs] = line.split(" ");
        const task = byPid.get(Number(pid));
        if (task === undefined) continue;
        const { frames, user } = unwindTask(kernel, task.address);
        const ours = frames.map((frame) => frame.pc.toString(16));
        // drgn goes on into user space, where it may take anything for a frame.
        const theirs = user === undefined ? pcs : pcs.slice(0, ours.length);
        if (ours.join(" ") !== theirs.join(" ")) wrong.push(`${pid} ${task.comm}: ${ours.join(" ")} | ${theirs.join(" ")}`);
      }
      expect(wrong).toEqual([]);
      expect(lines.length).toBeGreaterThan(20);
    },
  );

  test("the panic task's stack is the log's call trace", async () => {
    const said = panicTrace(lab);
    const kernel = await open();
    const panic = panicTask(kernel);
    const { frames, stop } = unwindTask(kernel, virtual(panic?.task.address ?? 0n));
    expect(stop.complete).toBe(true);
    expect(frames.filter((frame) => frame.certainty !== "exact")).toEqual([]);
    const theirs = said.slice(said.findLastIndex((entry) => REPORTING.test(entry.split("+")[0] as string)) + 1);
    expect(theirs.length).toBeGreaterThan(1);
    // The kernel's own traces lose the caller of a function that has not made its frame.
    const all = frames.filter((frame) => frame.foundBy !== "link register");
    const ours = all.slice(-theirs.length);
    expect(ours.map((frame, i) => (same(kernel, frame, theirs[i] as string) ? theirs[i] : place(frame)))).toEqual(theirs);
  });
});
