/**
 * Stacks against what the guest said of them: each sleeping task against its /proc/PID/stack, the stack of the panic against the log's call
 * trace, function by function with offsets. Used on the committed samples and on the lab's cases.
 */
import { expect } from "vitest";
import type { Truth } from "../../lab/truth.ts";
import { distance, virtual } from "../../src/bytes/address.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
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

/** Reporting and stopping: below these the stacks of the log and of the dump differ by nature. */
const REPORTING = /^(dump_stack(_lvl)?|show_stack|dump_backtrace|v?panic|__crash_kexec)$/;

/** Every sleeping task that has not run since stands where its /proc/PID/stack said. */
export function checkSleepingStacks(kernel: Kernel, truth: Truth): void {
  const { byPid } = taskTable(kernel);
  const inScheduler = scheduler(kernel);
  const wrong: string[] = [];
  let checked = 0;
  for (const said of stacksOf(truth)) {
    const task = byPid.get(said.pid);
    if (task === undefined || task.active) continue;
    const { frames, stop } = unwindTask(kernel, task.address);
    if (!stop.complete || frames.some((frame) => frame.certainty !== "exact")) wrong.push(`${said.pid} ${task.comm}: ${stop.text}`);
    // A task that has run since may stand elsewhere.
    if (said.switches !== undefined && switchesOf(kernel, task) !== said.switches) continue;
    const ours = frames.filter((frame) => !inScheduler(frame));
    if (ours.length !== said.frames.length || !said.frames.every((entry, i) => same(kernel, ours[i], entry)))
      wrong.push(`${said.pid} ${task.comm}: ${ours.map(place).join(" ")} | ${said.frames.join(" ")}`);
    checked++;
  }
  expect(wrong).toEqual([]);
  expect(checked).toBeGreaterThan(20);
}

/** The panic task's stack is the call trace on the console. */
export function checkPanicStack(kernel: Kernel, consolePath: string): void {
  const said = panicTrace(consolePath);
  const panic = panicTask(kernel);
  const { frames, stop } = unwindTask(kernel, virtual(panic?.task.address ?? 0n));
  expect(stop.complete).toBe(true);
  const theirs = said.slice(said.findLastIndex((entry) => REPORTING.test(entry.split("+")[0] as string)) + 1);
  expect(theirs.length).toBeGreaterThan(1);
  // The kernel's own traces lose the caller of a function that has not made its frame.
  const all = frames.filter((frame) => frame.foundBy !== "link register");
  expect(all.filter((frame) => frame.certainty !== "exact")).toEqual([]);
  expectOutermost(kernel, all, theirs);
}

/** The outermost frames are these, function by function with offsets. */
function expectOutermost(kernel: Kernel, frames: readonly StackFrame[], theirs: readonly Place[]): void {
  // By frame pointers the kernel loses the caller of a function that was interrupted without a frame of its own.
  const lossy = kernel.arch.name === "x86_64" && !kernel.orc.present;
  const said = (frame: StackFrame) => theirs.some((entry) => same(kernel, frame, entry));
  const seen = frames.filter((frame, i) => !lossy || frames[i - 1]?.kind !== "interrupted" || said(frame));
  const ours = seen.slice(-theirs.length);
  expect(ours.map((frame, i) => (same(kernel, frame, theirs[i] as string) ? theirs[i] : place(frame)))).toEqual(theirs);
}

/**
 * A dump without the CPUs' registers (raw memory): the stack of the task that died is guessed, every frame says so, and from the fault
 * outwards it is still the log's call trace.
 */
export function checkGuessedStack(kernel: Kernel, consolePath: string): void {
  const said = panicTrace(consolePath);
  const panic = panicTask(kernel);
  const { frames, stop } = unwindTask(kernel, virtual(panic?.task.address ?? 0n));
  expect(stop).toMatchObject({ complete: false, text: expect.stringContaining("no registers of that CPU") });
  expect(frames.filter((frame) => frame.certainty !== "guessed")).toEqual([]);
  expectOutermost(kernel, frames, said.slice(said.findLastIndex((entry) => REPORTING.test(entry.split("+")[0] as string)) + 1));
}
