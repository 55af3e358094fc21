/**
 * Where a task took a lock that it may still hold: its frames' own code. A function that stands in the stack behind a call which took this
 * very lock, without one that gave it back in between, is inside the section that the lock protects.
 *
 *   widget_refresh   lea 0x48(%rbx),%rdi ; call down_read        ◄ took it: rbx of this frame makes it this lock
 *                    …
 *                    call widget_reload                          ◄ where the frame stands
 *
 * Every way that leads to where the frame stands must come from a call that took it: they are followed backwards to the first call that
 * took or gave it.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { virtual } from "../../bytes/address.ts";
import type { LockKind } from "../../linux/locking/lock.ts";
import { plainName, spinFrames, waitFrames } from "../../linux/locking/wait-functions.ts";
import type { Task } from "../../linux/task.ts";
import type { FunctionFlow, InstructionFacts } from "../../type-flow/function-flow.ts";
import { Activations } from "../fault/activation.ts";
import { instructionBefore } from "../fault/instruction-at.ts";
import { KnownValues } from "../fault/known-values.ts";
import { guarded } from "../guarded.ts";
import { struckFrame } from "./guilty-frame.ts";
import type { Standstill } from "./standstill.ts";

export interface HeldSection {
  /** Of the frame whose code took the lock. */
  readonly function: string;
  readonly module: string | undefined;
  /** The call. */
  readonly at: VirtualAddress;
  /** Name of the called function: "down_read". */
  readonly by: string;
  readonly frame: number | undefined;
}

/** What code takes and gives back: a lock, or the reader's side of an SRCU domain. */
export type HeldKind = LockKind | "srcu";

const TAKES: Readonly<Partial<Record<HeldKind, RegExp>>> = {
  srcu: /^__srcu_read_lock\w*$/,
  mutex: /^(?:ww_)?mutex_(?:lock|trylock)\w*$/,
  rwsem: /^down_(?:read|write)\w*$/,
  // PREEMPT_RT's mutexes and spinlocks among them.
  rt_mutex: /^(?:(?:rt_|ww_)?mutex|rt_spin)_(?:lock|trylock)\w*$/,
  semaphore: /^down(?:_\w+)?$/,
  percpu_rwsem: /^(?:__)?percpu_down_\w+$/,
  spinlock: /^_*(?:raw_)?spin_(?:lock|trylock)\w*$/,
  rwlock: /^_*(?:raw_)?(?:read|write)_(?:lock|trylock)\w*$/,
};
const GIVES: Readonly<Partial<Record<HeldKind, RegExp>>> = {
  srcu: /^__srcu_read_unlock\w*$/,
  mutex: /^(?:ww_)?mutex_unlock\w*$/,
  rwsem: /^up_(?:read|write)\w*$/,
  rt_mutex: /^(?:(?:rt_|ww_)?mutex|rt_spin)_unlock\w*$/,
  semaphore: /^up$/,
  percpu_rwsem: /^(?:__)?percpu_up_\w+$/,
  spinlock: /^_*(?:raw_)?spin_unlock\w*$/,
  rwlock: /^_*(?:raw_)?(?:read|write)_unlock\w*$/,
};

/** What an inlined spin_lock() calls when the lock is not free: it returns with the lock taken (include/asm-generic/qspinlock.h). */
const SLOW_PATH = /^(?:native_|__pv_)?queued_spin_lock_slowpath$/;
/** Its first step, an atomic access that acquires: compare and swap, or the load of a pair (arm64 inlines it without preemption). */
const ACQUIRES = /^(?:casa|casal|ldaxr)$/;

/** Tasks and locks of one dump that are asked for: each costs milliseconds. */
const MAX_ASKED = 256;
/** Frames that are looked into before they are begun again with, and how often that is. */
const MAX_LEVELS = 12;
const MAX_ROUNDS = 8;

/** Where a task's frames took this lock; undefined when no code of theirs can be shown to have done it. */
export function heldSection(still: Standstill, task: Task, kind: HeldKind, lock: VirtualAddress): HeldSection | undefined {
  const kept = still.kernel.memo(heldSection, () => new Map<string, HeldSection | undefined>());
  const key = `${task.address} ${kind} ${lock}`;
  if (!kept.has(key)) kept.set(key, kept.size >= MAX_ASKED ? undefined : find(still, task, kind, lock));
  return kept.get(key);
}

function find(still: Standstill, task: Task, kind: HeldKind, lock: VirtualAddress): HeldSection | undefined {
  const [takes, gives] = [TAKES[kind], GIVES[kind]];
  const stack = still.stack(task);
  if (takes === undefined || gives === undefined || stack === undefined) return undefined;
  const place = task.active ? spinFrames(stack.frames) : waitFrames(stack.frames);
  const first = place?.last ?? (task.active ? struckFrame(stack) : 0);
  const wanted = { takes, gives, lock, isSpinKind: kind === "spinlock" || kind === "rwlock" };
  // What Activations follow ends where an interrupt struck, and where a function went on by a jump that nobody can tell the target of
  // (__const_udelay() to delay_tsc()): begin again behind it.
  for (let from: number | undefined = first, round = 0; from !== undefined && round < MAX_ROUNDS; round++) {
    const at: number = from;
    const { section, reached = at } = guarded(() => sectionFrom(still, task, stack, at, { ...wanted, isBroken: round > 0 })) ?? {};
    if (section !== undefined) return section;
    const next = stack.frames.findIndex(
      ({ kind: each, certainty }, index) =>
        index > reached && (each === "interrupted" || (wanted.isSpinKind && each === "call" && certainty === "exact")),
    );
    from = next < 0 ? undefined : next;
  }
  return undefined;
}

/** Spinlocks are mostly given back inline, by a byte that is stored: queued_spin_unlock() (include/asm-generic/qspinlock.h). */
function clears({ instruction }: InstructionFacts, valueIn: (register: string) => bigint | undefined, lock: VirtualAddress): boolean {
  return instruction.operands.some(
    (operand) =>
      operand.kind === "memory" &&
      operand.access === "write" &&
      operand.size === 1 &&
      operand.index === undefined &&
      BigInt.asUintN(64, (operand.base === undefined ? 0n : (valueIn(operand.base) ?? 0n)) + operand.displacement) === lock,
  );
}

/** spin_lock() that was inlined: whether its first step wins or its slow path does, the lock is taken behind it. */
function acquires({ instruction }: InstructionFacts, valueIn: (register: string) => bigint | undefined, lock: VirtualAddress): boolean {
  return (
    ACQUIRES.test(instruction.mnemonic) &&
    instruction.operands.some(
      (operand) =>
        operand.kind === "memory" &&
        operand.base !== undefined &&
        operand.index === undefined &&
        BigInt.asUintN(64, (valueIn(operand.base) ?? 0n) + operand.displacement) === lock,
    )
  );
}

interface Wanted {
  readonly takes: RegExp;
  readonly gives: RegExp;
  readonly lock: VirtualAddress;
  readonly isSpinKind: boolean;
  /** The frame to begin with is a caller, not what waits. */
  readonly isBroken: boolean;
}

interface Looked {
  readonly section?: HeldSection;
  /** The last frame that could be followed. */
  readonly reached?: number;
}

/** The call that took the lock, when all ways to an instruction come from such calls without one that gave it behind them. */
function lastTaken(flow: FunctionFlow, pc: bigint, events: ReadonlyMap<bigint, HeldSection | "given">): HeldSection | undefined {
  const before = predecessors(flow);
  const entry = flow.parts[0]?.start;
  const open = [...(before.get(pc) ?? [])];
  const seen = new Set<bigint>(open);
  let took: HeldSection | undefined;
  if (pc === entry) return undefined;
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const event = events.get(at);
    if (event === "given") return undefined;
    if (event !== undefined) {
      took = event;
      continue;
    }
    if (at === entry) return undefined;
    for (const each of before.get(at) ?? []) {
      if (seen.has(each)) continue;
      seen.add(each);
      open.push(each);
    }
  }
  return took;
}

/** From which instructions control comes to each; jumps through tables lead nowhere that is known. */
function predecessors(flow: FunctionFlow): ReadonlyMap<bigint, readonly bigint[]> {
  const before = new Map<bigint, bigint[]>();
  const link = (from: bigint, to: bigint | undefined) => {
    if (to === undefined) return;
    const known = before.get(to);
    if (known === undefined) before.set(to, [from]);
    else known.push(from);
  };
  for (const [index, at] of flow.addresses.entries()) {
    const instruction = flow.at(at)?.instruction;
    if (instruction === undefined) continue;
    const target = instruction.operands.find((operand) => operand.kind === "target")?.address;
    if (instruction.flow === "jump" || instruction.flow === "conditional") link(at, target);
    if (instruction.flow !== "jump" && instruction.flow !== "return" && instruction.flow !== "trap") {
      const next = flow.addresses[index + 1];
      if (next === at + BigInt(instruction.size)) link(at, next);
    }
  }
  return before;
}

function sectionFrom(
  { kernel }: Standstill,
  task: Task,
  stack: NonNullable<ReturnType<Standstill["stack"]>>,
  from: number,
  { takes, gives, lock, isSpinKind, isBroken }: Wanted,
): Looked {
  const inner = stack.frames[from];
  if (inner === undefined) return {};
  let reached = from;
  const activations = new Activations(kernel, inner.pc, inner.registers, stack, from);
  const values = new KnownValues(kernel, activations, task.active ? task.cpu : undefined, task.address);
  const [argument = ""] = activations.machine.arguments;
  for (let level = inner.kind === "interrupted" || isBroken ? 0 : 1; level <= MAX_LEVELS; level++) {
    const activation = activations.at(level);
    if (activation === undefined) break;
    reached = Math.max(reached, activation.frame ?? 0);
    const { flow } = activation;
    // A caller's frame has the return address: what it called has not ended.
    const pc = level === 0 && inner.kind === "call" ? instructionBefore(kernel, inner.pc)?.address : activation.pc;
    if (flow === undefined || pc === undefined) continue;
    const events = new Map<bigint, HeldSection | "given">();
    const acquired: VirtualAddress[] = [];
    let inlined = false;
    const taken = (at: VirtualAddress, by: string) =>
      events.set(at, { function: plainName(flow.name), module: flow.module, at, by, frame: activation.frame });
    for (const at of flow.addresses) {
      const facts = flow.at(at);
      const name = plainName(facts?.call?.name ?? "");
      const valueIn = (register: string) => values.of(level, flow.originOf(at, register))?.value;
      if (takes.test(name) && valueIn(argument) === lock) taken(virtual(at), name);
      else if (gives.test(name) ? valueIn(argument) === lock : facts !== undefined && isSpinKind && clears(facts, valueIn, lock))
        events.set(at, "given");
      else if (isSpinKind && SLOW_PATH.test(name)) inlined ||= valueIn(argument) === lock;
      else if (isSpinKind && facts !== undefined && acquires(facts, valueIn, lock)) acquired.push(virtual(at));
    }
    // Without the slow path it is a trylock, which may have failed; and who stands in the slow path has not taken it yet.
    if (inlined && !SLOW_PATH.test(plainName(flow.at(pc)?.call?.name ?? ""))) for (const at of acquired) taken(at, "queued_spin_lock");
    // Most functions take no lock at all.
    const took = [...events.values()].every((each) => each === "given") ? undefined : lastTaken(flow, pc, events);
    if (took !== undefined) return { section: took, reached };
  }
  return { reached };
}
