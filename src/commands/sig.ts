/** `sig`: what tasks do with signals, and which wait for them. */
import { hex16 } from "../bytes/address.ts";
import { InquestError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import {
  actionFlags,
  type PendingSignals,
  requireSignals,
  SIGNALS,
  signalName,
  signalNames,
  signalsIn,
  type TaskSignals,
  taskSignals,
} from "../linux/signal.ts";
import { type Task, taskAt, threadsOf } from "../linux/task.ts";
import { sigApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { parseHex } from "./support/numbers.ts";
import { taskHeader } from "./support/task-header.ts";
import { taskOperand } from "./support/task-operand.ts";

export interface SigThread {
  readonly pid: number;
  readonly comm: string;
  readonly cpu: number;
  readonly task: bigint;
  /** A signal waits that is not blocked. */
  readonly pending: boolean;
  readonly blocked: bigint;
  readonly own: PendingSignals;
}

export interface SigTask extends SigThread {
  readonly signal: bigint;
  readonly threads?: number;
  readonly actions: TaskSignals["actions"];
  readonly ignored: bigint;
  readonly caught: bigint;
  readonly shared: PendingSignals;
  /** Signals queued for the user, and RLIMIT_SIGPENDING: SigQ of /proc/PID/status. */
  readonly queued?: number;
  readonly limit?: number;
  /** -g: all threads. */
  readonly group?: readonly SigThread[];
  readonly notes?: readonly string[];
}

export interface SigResult {
  readonly names?: readonly { readonly signal: number; readonly name: string }[];
  readonly set?: { readonly value: bigint; readonly signals: readonly string[] };
  readonly tasks?: readonly SigTask[];
}

export const sig = defineCommand<SigResult>({
  spec: {
    name: "sig",
    summary: "task signal handling",
    synopsis: ["[[-l] | [-s sigset]] | [-g] [pid | task]…"],
    description: [
      "Shows for each signal of a task the handler, the signals blocked while it runs and the flags; then which signals are blocked, which are pending for the thread and for the whole process, and those that are queued with their siginfo.",
    ],
    options: [
      { flag: "-l", help: "numbers and names of the signals" },
      { flag: "-s", argument: "sigset", help: "names of the signals in a sigset_t (hexadecimal)" },
      { flag: "-g", help: "all threads of the task's group" },
    ],
    operands: ["task"],
    examples: [
      ["sig 1", "signals of process 1"],
      ["sig -s 800a000000000201", "the names of a mask"],
    ],
    differences: ["The JSON has SigIgn, SigCgt and SigQ of /proc/PID/status too.", "Idle tasks of different CPUs are no thread group."],
  },
  run(session, args) {
    if (args.has("-l")) return { names: Array.from({ length: SIGNALS }, (_, i) => ({ signal: i + 1, name: signalNames(i + 1) })) };
    const mask = args.value("-s");
    if (mask !== undefined) {
      const value = parseHex(mask);
      if (value >= 1n << 64n) throw new UsageError(`sig: ${mask} has more than 64 bits`);
      return { set: { value, signals: signalsIn(value).map(signalName) } };
    }
    const { kernel } = session;
    requireSignals(kernel);
    const chosen = args.operands.length === 0 ? [taskAt(kernel, session.context)] : args.operands.map((text) => taskOperand(kernel, text));
    return { tasks: chosen.map((task) => sigTask(kernel, args.has("-g") ? leaderOf(kernel, task) : task, args.has("-g"))) };
  },
  api: sigApi,
  *text({ names, set, tasks }) {
    for (const { signal, name } of names ?? []) yield `${`[${signal}]`.padStart(4)} ${name}`;
    if (set !== undefined) yield set.signals.join(" ");
    for (const [i, task] of (tasks ?? []).entries()) {
      if (i > 0) yield "";
      yield* taskLines(task);
    }
  },
});

function leaderOf(kernel: Kernel, task: Task): Task {
  return threadsOf(kernel, task)[0] ?? task;
}

function sigTask(kernel: Kernel, task: Task, group: boolean): SigTask {
  const notes: string[] = [];
  const signals = taskSignals(kernel, task.address, notes);
  const { signal, threads, actions, shared, queued, limit } = signals;
  const bits = (chosen: (handler: bigint) => boolean) =>
    actions.reduce((mask, action) => (chosen(action.handler) ? mask | (1n << BigInt(action.signal - 1)) : mask), 0n);
  return {
    ...thread(task, signals),
    signal,
    ...(threads === undefined ? {} : { threads }),
    actions,
    ignored: bits((handler) => handler === 1n),
    caught: bits((handler) => handler > 1n),
    shared,
    ...(queued === undefined ? {} : { queued }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
    ...(group ? { group: threadsOf(kernel, task).flatMap((each) => oneThread(kernel, each, notes)) } : {}),
    ...(notes.length === 0 ? {} : { notes }),
  };
}

function oneThread(kernel: Kernel, task: Task, notes: string[]): readonly SigThread[] {
  try {
    return [thread(task, taskSignals(kernel, task.address, notes))];
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`task ${task.pid}: ${error.message}`);
    return [];
  }
}

function thread({ pid, comm, cpu, address }: Task, { own, shared, blocked }: TaskSignals): SigThread {
  return { pid, comm, cpu, task: address, pending: ((own.set | shared.set) & ~blocked & 0xffff_ffff_ffff_ffffn) !== 0n, blocked, own };
}

function* taskLines(task: SigTask): Iterable<string> {
  yield taskHeader({ pid: task.pid, address: task.task, cpu: task.cpu, comm: task.comm });
  yield `SIGNAL_STRUCT: ${hex16(task.signal)}  NR_THREADS: ${task.threads ?? "?"}`;
  yield " SIG    SIGACTION        HANDLER       MASK       FLAGS           ";
  for (const { signal, address, handler, mask, flags } of task.actions) {
    const names = actionFlags(flags);
    const title = names.length === 0 ? "" : `(${names.join("|")})`;
    yield `${`[${signal}]`.padStart(4)} ${hex16(address)} ${handlerText(handler).padStart(10)} ${hex16(mask)} ${flags.toString(16)} ${title}`;
  }
  if (task.actions.length === 0) yield "(no actions: the task is gone, or its sighand_struct cannot be read)";
  if (task.group === undefined) {
    yield* threadLines(task, "");
    yield* pendingLines("SHARED_PENDING", task.shared, "");
  } else {
    yield* pendingLines("SHARED_PENDING", task.shared, "");
    for (const each of task.group) {
      yield "";
      yield `  ${taskHeader({ pid: each.pid, address: each.task, cpu: each.cpu, comm: each.comm })}`;
      yield* threadLines(each, "  ");
    }
  }
  for (const note of task.notes ?? []) yield `(${note})`;
}

function handlerText(handler: bigint): string {
  return handler === 0n ? "SIG_DFL" : handler === 1n ? "SIG_IGN" : handler.toString(16);
}

function* threadLines({ pending, blocked, own }: SigThread, indent: string): Iterable<string> {
  yield `${indent}SIGPENDING: ${pending ? "yes" : "no"}`;
  yield `${indent}   BLOCKED: ${hex16(blocked)}`;
  yield* pendingLines("PRIVATE_PENDING", own, indent);
}

function* pendingLines(title: string, { set, queue }: PendingSignals, indent: string): Iterable<string> {
  yield `${indent}${title}`;
  yield `${indent}    SIGNAL: ${hex16(set)}`;
  if (queue.length === 0) {
    yield `${indent}  SIGQUEUE: (empty)`;
    return;
  }
  yield `${indent}  SIGQUEUE:  SIG  ${"SIGINFO".padStart(11).padEnd(16)}`;
  for (const { signal, info } of queue) yield `${indent}             ${String(signal).padStart(3)}  ${hex16(info)}`;
}
