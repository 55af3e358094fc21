/**
 * Tasks that spin for a queued spinlock when the machine stops, and which lock it is: the slow path keeps the lock in its first argument's
 * register, its callers in registers that calls preserve. The lock's own word decides: it must be one that a held spinlock can have, and
 * best names this CPU as the end of its queue.
 */
import { virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import type { Task } from "../task.ts";
import type { LockWait } from "./lock.ts";
import { lockTask } from "./lock-tasks.ts";
import { decodeQueuedSpinLock, isWaitedFor, waitsUnqueued } from "./spin-lock.ts";
import { frameWords } from "./stack-values.ts";
import { plainName, spinFrames, type WaitFrames } from "./wait-functions.ts";

interface SpinCandidate {
  readonly address: bigint;
  readonly from: string[];
  score: number;
  /** The register of the slow path's first argument holds it. */
  argument: boolean;
}

/** The lock a running task spins for; undefined when it is in no slow path of a lock. */
export function spinWait(kernel: Kernel, task: Task, stack: UnwoundStack): LockWait | undefined {
  const { frames } = stack;
  const place = spinFrames(frames);
  if (place === undefined) return undefined;
  const best = bestCandidate(kernel, task, frames, place);
  const caller = frames[place.last + 1];
  return {
    task: lockTask(task),
    kind: place.kind,
    lock: best === undefined ? undefined : virtual(best.address),
    mode: undefined,
    waiter: undefined,
    through: plainName(frames[place.first]?.function ?? ""),
    caller: caller?.function,
    module: caller?.module,
    seconds: undefined,
    verified: best?.verified ?? false,
    evidence: best?.evidence ?? "no register and no word of its frames names what can be a held spinlock",
  };
}

function bestCandidate(kernel: Kernel, task: Task, frames: readonly StackFrame[], place: WaitFrames) {
  const argument = kernel.arch.name === "x86_64" ? "rdi" : "x0";
  const found = new Map<bigint, SpinCandidate>();
  const note = (address: bigint, from: string, score: number, isArgument = false) => {
    if ((address & 3n) !== 0n || !kernel.arch.isKernelAddress(address) || onStacks(frames, address)) return;
    const known = found.get(address);
    if (known === undefined) found.set(address, { address, from: [from], score, argument: isArgument });
    else {
      known.from.push(from);
      known.score += score;
      known.argument ||= isArgument;
    }
  };
  for (let i = place.first; i <= place.last + 1 && i < frames.length; i++) {
    const frame = frames[i] as StackFrame;
    for (const [name, value] of Object.entries(frame.registers.record())) {
      const isArgument = i === place.first && name === argument;
      note(value, `${name} of ${frame.function ?? "?"}`, isArgument ? 4 : 2, isArgument);
    }
  }
  for (const { word, frame } of frameWords(kernel, frames, place.first, place.last))
    note(word, `a word of ${frame.function ?? "?"}'s frame`, 1);

  const unqueued = waitsUnqueued(kernel);
  let best: (SpinCandidate & { readonly verified: boolean; readonly evidence: string }) | undefined;
  for (const candidate of found.values()) {
    const word = kernel.memory.tryU64(virtual(candidate.address & ~7n));
    const value = word === undefined ? undefined : Number((candidate.address & 4n) === 0n ? word & 0xffff_ffffn : word >> 32n);
    if (value === undefined) continue;
    const state = decodeQueuedSpinLock(value, kernel.perCpuOffsets.length);
    if (!state.plausible || !state.locked) continue;
    // But for who has only just entered, with the lock still in its argument.
    const marked = isWaitedFor(state);
    if (!marked && !candidate.argument) continue;
    const queued = state.tail?.cpu === task.cpu;
    const pending = state.pending && state.tail === undefined;
    const score = candidate.score + (queued ? 6 : pending ? 3 : 0);
    if (best !== undefined && best.score >= score) continue;
    const told = queued ? "the lock's queue ends at this CPU" : pending ? "the lock is held and one CPU waits" : "the lock is held";
    // A lock that may have waiters in the slow path's own argument, or a word that only a lock with this waiter can have.
    const verified = queued || pending || (candidate.argument && (marked || unqueued));
    best = { ...candidate, score, verified, evidence: `${placesText(candidate.from)}; ${told}` };
  }
  return best;
}

/** "rdi, r12 of _raw_spin_lock": those of the innermost function that names it. */
function placesText(places: readonly string[]): string {
  const [, name] = (places[0] ?? "").split(" of ");
  const same = places.flatMap((place) => (place.endsWith(` of ${name}`) ? [place.slice(0, place.length - ` of ${name}`.length)] : []));
  return same.length === 0 ? (places[0] ?? "") : `${same.join(", ")} of ${name}`;
}

/** The queue's own nodes and locals are no locks. */
function onStacks(frames: readonly StackFrame[], address: bigint): boolean {
  return frames.some(({ stack }) => address >= stack.start && address < stack.end);
}
