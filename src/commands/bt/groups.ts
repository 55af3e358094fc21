/**
 * `bt --group`: stacks that are the same, return address by return address, told once with their tasks.
 *
 * The order is that of somebody on call: stacks of CPUs first (who died or spins stands there), then what sleeps uninterruptibly, then the
 * rest; within each the stack that most tasks share first. Idle CPUs are one line at the end.
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type Task, taskState } from "../../linux/task.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { withInlinedFrames } from "../../stack/inlined-frames.ts";
import { taskStart } from "../../stack/start.ts";
import { unwindFrom } from "../../stack/unwind.ts";
import type { Progress } from "../command.ts";
import { brief } from "./queries.ts";
import type { BtFrame, BtTask } from "./result.ts";
import { stackResult } from "./stack-result.ts";

/** Tasks with the same stack. */
export interface BtGroup {
  readonly count: number;
  /** How many of them in which state, by crash's letters. */
  readonly states: Readonly<Record<string, number>>;
  /** They were running on CPUs. */
  readonly active: boolean;
  readonly tasks: readonly BtTask[];
  /** Frames of the first task: places and registers are its own, functions and pcs those of all. */
  readonly frames: readonly BtFrame[];
  readonly stop: string;
  readonly complete: boolean;
}

export interface BtGroups {
  readonly groups: readonly BtGroup[];
  /** CPUs whose idle task was running and did nothing else. */
  readonly idleCpus: readonly number[];
  readonly tasks: number;
}

interface Gathered {
  readonly tasks: Task[];
  readonly stack: UnwoundStack | undefined;
  readonly problem: string | undefined;
}

/** Functions in which an idle CPU stands, innermost to outermost; whatever else it does makes it a stack like others. */
const IDLE_LOOP = /^(do_idle|cpu_startup_entry|cpu_idle_poll|schedule_idle|arch_cpu_idle|default_idle\w*|.*_idle_call|cpuidle_enter\w*)$/;
/** What stops other CPUs for a dump lies above the idle loop and is no work of theirs. */
const STOPPED =
  /stop_this_cpu|smp_stop|crash_nmi|kdump_nmi|crash_save_cpu|local_cpu_stop|ipi_cpu_(crash_)?stop|cpu_park_loop|^sysvec_reboot|^asm_sysvec_reboot|reboot_interrupt/;

/** @param inlined show calls that were inlined, where debug information tells */
export function stackGroups(kernel: Kernel, tasks: readonly Task[], inlined: boolean, progress?: Progress): BtGroups {
  const gathered = new Map<string, Gathered>();
  const idleCpus: number[] = [];
  for (const [done, task] of tasks.entries()) {
    if ((done & 63) === 0) progress?.("unwinding stacks:", done, tasks.length);
    let stack: UnwoundStack | undefined;
    let problem: string | undefined;
    try {
      stack = unwindFrom(kernel, taskStart(kernel, task.address), task.address);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      problem = `the stack cannot be read: ${error.message}`;
    }
    if (task.idle && task.active && stack !== undefined && isIdle(stack)) {
      idleCpus.push(task.cpu);
      continue;
    }
    const key = keyOf(stack, problem, task.active);
    const known = gathered.get(key);
    if (known === undefined) gathered.set(key, { tasks: [task], stack, problem });
    else known.tasks.push(task);
  }
  const groups = [...gathered.values()].map((each) => groupOf(kernel, each, inlined));
  groups.sort((a, b) => urgency(b) - urgency(a) || b.count - a.count || (a.tasks[0]?.pid ?? 0) - (b.tasks[0]?.pid ?? 0));
  return { groups, idleCpus: idleCpus.sort((a, b) => a - b), tasks: tasks.length };
}

function keyOf(stack: UnwoundStack | undefined, problem: string | undefined, active: boolean): string {
  const head = active ? "on a CPU" : "";
  if (stack === undefined) return `${head} ${problem}`;
  let key = head;
  for (const { pc, certainty } of stack.frames) key += `${certainty === "exact" ? " " : " ?"}${pc.toString(36)}`;
  return stack.stop.complete ? key : `${key} ${stack.frames.length === 0 ? stack.stop.text : "…"}`;
}

/** Nothing but the idle loop, or the CPU's being stopped out of it. */
function isIdle({ frames }: UnwoundStack): boolean {
  const names = frames.map((frame) => frame.function ?? "");
  const loop = names.findIndex((name) => IDLE_LOOP.test(name));
  if (loop < 0) return false;
  const handler = names.slice(0, loop);
  // The idle instruction's own functions differ by machine and driver: what is above the loop counts only behind an exception.
  const interrupted = frames.slice(0, loop).some(({ exception }) => exception !== undefined);
  return !interrupted || handler.some((name) => STOPPED.test(name));
}

function urgency({ active, states }: BtGroup): number {
  return active ? 2 : states.UN !== undefined ? 1 : 0;
}

function groupOf(kernel: Kernel, { tasks, stack, problem }: Gathered, inlined: boolean): BtGroup {
  const states: Record<string, number> = {};
  for (const task of tasks) {
    const state = taskState(task);
    states[state] = (states[state] ?? 0) + 1;
  }
  const head = { count: tasks.length, states, active: tasks[0]?.active === true, tasks: tasks.map(brief) };
  if (stack === undefined) return { ...head, frames: [], stop: problem ?? "", complete: false };
  const { frames, stop, complete } = stackResult(
    kernel,
    null,
    withInlinedFrames(kernel, stack, { frames: inlined, lines: false }),
    undefined,
  );
  return { ...head, frames, stop, complete };
}
