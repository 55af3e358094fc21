/**
 * Tasks that wait for a completion which another task would complete, could it go on. A completion names nobody, so the proof is the other
 * task's own code: behind where it waits it calls complete() with this very completion.
 *
 *   a: holds widget.lock, wait_for_completion(&widget->done)
 *   b: mutex_lock(&widget->lock)  ◄ waits for a
 *      …
 *      complete(&widget->done)    ◄ the code that it would run next: lea 0x60(%rbx),%rdi with rbx of the frame that waits
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { ContendedLock, LockTask } from "../../linux/locking/lock.ts";
import { lockEdges } from "../../linux/locking/lock-graph.ts";
import { lockTask, secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import { plainName, waitFrames } from "../../linux/locking/wait-functions.ts";
import { type FunctionFlow, flowOf } from "../../type-flow/function-flow.ts";
import type { Origin } from "../../type-flow/origin.ts";
import { Activations } from "../fault/activation.ts";
import { KnownValues } from "../fault/known-values.ts";
import { guarded } from "../guarded.ts";
import type { HangEdge } from "./edges.ts";
import { eventWait } from "./event-wait.ts";
import { DEFAULT_TIMEOUT, hungTaskTimeout } from "./hung-timeout.ts";
import type { Standstill } from "./standstill.ts";
import { threadEdges } from "./thread-edges.ts";
import { workEdges } from "./work-edges.ts";

const COMPLETES = /^complete(?:_all|_on_current_cpu)?$|^__?complete$/;
/** wake_up() and its kin are macros for these (include/linux/wait.h, swait.h). */
const WAKES = /^(?:__wake_up\w*|wake_up_\w+|swake_up_\w+)$/;
/** Completions and tasks that are looked into. */
const MAX_COMPLETIONS = 32;
const MAX_CANDIDATES = 16;
/** Tasks whose code is followed in one dump: each costs some ten milliseconds. */
const MAX_ASKED = 24;
/** Callers of a waiting function whose code is looked at, and calls of one function that are followed. */
const MAX_LEVELS = 6;
const MAX_CALLS = 64;

/** What somebody waits for that a call of other code ends. */
interface Awaited {
  readonly task: LockTask;
  readonly address: VirtualAddress;
  readonly calls: RegExp;
  readonly seconds: number | undefined;
  readonly certainty: HangEdge["certainty"];
  readonly lock?: ContendedLock;
  /** "the completion widget_done". */
  readonly what: string;
  readonly known: string;
}

/** Only of tasks that wait for longer than the kernel lets them: others may complete or wake it too, and then it is done soon. */
export function completionEdges(still: Standstill): HangEdge[] {
  // Who waits, directly or not, for each task: these close a circle.
  const next = new Map<VirtualAddress, VirtualAddress>();
  for (const [task, { owner }] of lockEdges(still.report.locks)) next.set(task, owner.task.address);
  for (const { from, to } of [...workEdges(still), ...threadEdges(still)]) if (!next.has(from.address)) next.set(from.address, to.address);
  if (next.size === 0) return [];
  const limit = hungTaskTimeout(still.kernel) ?? DEFAULT_TIMEOUT;
  // Where the clocks are not in the dump nobody knows that it is long.
  const long = [...awaitedCompletions(still), ...awaitedEvents(still, next)].filter(({ seconds }) => (seconds ?? 0) >= limit);
  // Those in a circle never come to complete anything: who waits for that stands behind them.
  const circled = [...next.keys()].filter((task) => comesBack(next, task));
  let asked = 0;
  return long.slice(0, MAX_COMPLETIONS).flatMap((awaited): HangEdge[] => {
    if (next.has(awaited.task.address)) return [];
    const closing = [...next.keys()].filter((task) => leadsTo(next, task, awaited.task.address));
    const candidates = differentCode(still, closing.length > 0 ? closing : circled);
    for (const task of candidates) {
      if (asked++ >= MAX_ASKED) return [];
      const call = guarded(() => endingCall(still, task, awaited));
      const other = still.waitOf(task)?.task;
      if (call !== undefined && isInside(still, awaited.task.address, call.function)) continue;
      if (call !== undefined && other !== undefined) return [edgeOf(awaited, other, call)];
    }
    return [];
  });
}

/**
 * It waits in the very function that would end its wait: rcu_barrier() makes its completion new, completes it where there is nothing to wait
 * for, and waits. Whoever comes there next does that for its own turn.
 */
function isInside(still: Standstill, address: VirtualAddress, name: string): boolean {
  const task = still.task(address);
  const frames = (task === undefined ? undefined : still.stack(task)?.frames) ?? [];
  return frames.some((frame) => frame.function !== undefined && plainName(frame.function) === name);
}

/** One task of each place that they wait at: the code behind it is the same. */
function differentCode(still: Standstill, tasks: readonly VirtualAddress[]): readonly VirtualAddress[] {
  const places = new Map<string, VirtualAddress>();
  for (const task of tasks) {
    const { caller, module, lock } = still.waitOf(task) ?? {};
    const place = `${caller} ${module} ${lock}`;
    if (!places.has(place)) places.set(place, task);
  }
  return [...places.values()].slice(0, MAX_CANDIDATES);
}

function edgeOf({ task, address, seconds, certainty, lock, what, known }: Awaited, other: LockTask, call: EndingCall): HangEdge {
  const verb = lock === undefined ? "wake" : "complete";
  return {
    from: task,
    to: other,
    via: "completion",
    certainty,
    ...(lock === undefined ? {} : { lock }),
    what: `${what}, which ${other.comm} (${other.pid}) would ${verb} in ${call.function}`,
    seconds,
    known: `${known}; ${call.function} of ${other.comm} goes on to ${verb} it at ${call.at.toString(16)}`,
    evidence: [
      {
        claim: `behind where it waits, task ${other.pid} comes to ${verb} ${address.toString(16)} in ${call.function}`,
        command: `dis ${call.at.toString(16)} 1`,
        values: [],
      },
    ],
  };
}

function awaitedCompletions({ report }: Standstill): Awaited[] {
  return report.locks
    .filter(({ state }) => state.kind === "completion")
    .flatMap((lock) =>
      lock.waits.map((wait) => ({
        task: wait.task,
        address: lock.state.address,
        calls: COMPLETES,
        seconds: wait.seconds,
        certainty: wait.verified ? ("exact" as const) : ("likely" as const),
        lock,
        what: `the completion ${lock.state.symbol ?? `at ${lock.state.address.toString(16)}`}`,
        known: wait.evidence,
      })),
    );
}

/** Wait queues of those that others wait for and that wait for no lock themselves. What is waited for may come about without this waker. */
function awaitedEvents(still: Standstill, next: ReadonlyMap<VirtualAddress, VirtualAddress>): Awaited[] {
  const ends = [...new Set(next.values())].filter((task) => !next.has(task) && still.waitOf(task) === undefined);
  return ends.slice(0, MAX_COMPLETIONS).flatMap((address): Awaited[] => {
    const task = still.task(address);
    const event = task === undefined || task.active ? undefined : eventWait(still, task);
    if (task === undefined || event === undefined) return [];
    return [
      {
        task: lockTask(task),
        address: event.queue,
        calls: WAKES,
        seconds: secondsSinceRun(still.kernel, task),
        certainty: "likely",
        what: `the wait queue at ${event.queue.toString(16)}`,
        known: "its entry is linked in the wait queue",
      },
    ];
  });
}

function leadsTo(next: ReadonlyMap<VirtualAddress, VirtualAddress>, from: VirtualAddress, to: VirtualAddress): boolean {
  const seen = new Set<VirtualAddress>();
  for (let at: VirtualAddress | undefined = from; at !== undefined && !seen.has(at); at = next.get(at)) {
    seen.add(at);
    if (at === to && at !== from) return true;
  }
  return false;
}

/** A circle that is closed without any completion. */
function comesBack(next: ReadonlyMap<VirtualAddress, VirtualAddress>, task: VirtualAddress): boolean {
  const seen = new Set<VirtualAddress>();
  for (let at = next.get(task); at !== undefined && !seen.has(at); at = next.get(at)) {
    if (at === task) return true;
    seen.add(at);
  }
  return false;
}

interface EndingCall {
  readonly at: bigint;
  readonly function: string;
}

/** The call that ends somebody's wait and that a sleeping task's code comes to when it goes on. */
function endingCall(still: Standstill, address: VirtualAddress, awaited: Awaited): EndingCall | undefined {
  const task = still.task(address);
  const stack = task === undefined ? undefined : still.stack(task);
  const last = stack === undefined ? undefined : waitFrames(stack.frames)?.last;
  const inner = last === undefined ? undefined : stack?.frames[last];
  if (task === undefined || stack === undefined || inner === undefined) return undefined;
  const activations = new Activations(still.kernel, inner.pc, inner.registers, stack, last);
  const values = new KnownValues(still.kernel, activations, undefined, task.address);
  for (let level = 1; level <= MAX_LEVELS; level++) {
    const activation = activations.at(level);
    if (activation === undefined) return undefined;
    const { flow, pc } = activation;
    if (flow === undefined) continue;
    const call = callIn(still.kernel, flow, activations.machine.arguments, (origin) => values.of(level, origin)?.value, awaited, pc, 0);
    if (call !== undefined) return call;
  }
  return undefined;
}

/** @param resolve what an origin's value is in this activation @param after calls at or before it have been made */
function callIn(
  kernel: Kernel,
  flow: FunctionFlow,
  names: readonly string[],
  resolve: (origin: Origin) => bigint | undefined,
  awaited: Pick<Awaited, "address" | "calls">,
  after: bigint,
  depth: number,
): EndingCall | undefined {
  let followed = 0;
  for (const at of flow.addresses) {
    if (at <= after) continue;
    const facts = flow.at(at);
    const name = facts?.call?.name;
    if (facts === undefined || name === undefined || !/^(?:call|jump)$/.test(facts.instruction.flow)) continue;
    const [first = ""] = names;
    if (awaited.calls.test(plainName(name))) {
      if (resolve(flow.originOf(at, first)) === awaited.address) return { at, function: plainName(flow.name) };
      continue;
    }
    // A helper of the same module that does it for its caller.
    if (depth > 0 || flow.module === undefined || facts.call?.module !== flow.module || followed++ >= MAX_CALLS) continue;
    const target = facts.instruction.operands.find((operand) => operand.kind === "target")?.address;
    const callee = target === undefined ? undefined : guarded(() => flowOf(kernel, virtual(target)));
    if (callee === undefined) continue;
    const inside = callIn(
      kernel,
      callee,
      names,
      (origin) => valueInCallee(origin, (register) => resolve(flow.originOf(at, register))),
      awaited,
      0n,
      depth + 1,
    );
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** What a callee computes from what it was given. */
function valueInCallee(origin: Origin, given: (register: string) => bigint | undefined): bigint | undefined {
  switch (origin.kind) {
    case "parameter":
    case "entry":
      return given(origin.register);
    case "address":
      return origin.perCpu ? undefined : origin.address;
    case "sum": {
      const from = origin.from === undefined || origin.added === undefined ? undefined : valueInCallee(origin.from, given);
      return from === undefined ? undefined : BigInt.asUintN(64, from + (origin.added ?? 0n));
    }
    default:
      return undefined;
  }
}
