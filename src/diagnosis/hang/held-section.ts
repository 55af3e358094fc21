/**
 * Where a task took a lock that it may still hold: its frames' own code. A function that stands in the stack behind a call which took this
 * very lock, without one that gave it back in between, is inside the section that the lock protects.
 *
 *   widget_refresh   lea 0x48(%rbx),%rdi ; call down_read        ◄ took it: rbx of this frame makes it this lock
 *                    …
 *                    call widget_reload                          ◄ where the frame stands
 *
 * The order is that of the addresses: the compiler mostly keeps it, and what it moves away (`.cold`) comes last.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { virtual } from "../../bytes/address.ts";
import type { LockKind } from "../../linux/locking/lock.ts";
import { plainName, spinFrames, waitFrames } from "../../linux/locking/wait-functions.ts";
import type { Task } from "../../linux/task.ts";
import type { InstructionFacts } from "../../type-flow/function-flow.ts";
import { Activations } from "../fault/activation.ts";
import { KnownValues } from "../fault/known-values.ts";
import { guarded } from "./guarded.ts";
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

const TAKES: Readonly<Partial<Record<LockKind, RegExp>>> = {
  mutex: /^(?:ww_)?mutex_(?:lock|trylock)\w*$/,
  rwsem: /^down_(?:read|write)\w*$/,
  rt_mutex: /^rt_mutex_(?:lock|trylock)\w*$/,
  semaphore: /^down(?:_\w+)?$/,
  percpu_rwsem: /^(?:__)?percpu_down_\w+$/,
  spinlock: /^_*(?:raw_)?spin_(?:lock|trylock)\w*$/,
  rwlock: /^_*(?:raw_)?(?:read|write)_(?:lock|trylock)\w*$/,
};
const GIVES: Readonly<Partial<Record<LockKind, RegExp>>> = {
  mutex: /^(?:ww_)?mutex_unlock\w*$/,
  rwsem: /^up_(?:read|write)\w*$/,
  rt_mutex: /^rt_mutex_unlock\w*$/,
  semaphore: /^up$/,
  percpu_rwsem: /^(?:__)?percpu_up_\w+$/,
  spinlock: /^_*(?:raw_)?spin_unlock\w*$/,
  rwlock: /^_*(?:raw_)?(?:read|write)_unlock\w*$/,
};

/** Frames that are looked into. */
const MAX_LEVELS = 12;

/** Where a task's frames took this lock; undefined when no code of theirs can be shown to have done it. */
export function heldSection(still: Standstill, task: Task, kind: LockKind, lock: VirtualAddress): HeldSection | undefined {
  const [takes, gives] = [TAKES[kind], GIVES[kind]];
  const stack = still.stack(task);
  if (takes === undefined || gives === undefined || stack === undefined) return undefined;
  const place = task.active ? spinFrames(stack.frames) : waitFrames(stack.frames);
  const first = place?.last ?? (task.active ? struckFrame(stack) : 0);
  // A frame between that an interrupt struck ends what Activations follow: begin again behind it.
  for (let from: number | undefined = first, round = 0; from !== undefined && round < 4; round++) {
    const found = guarded(() => sectionFrom(still, task, stack, from as number, { takes, gives, lock }));
    if (found !== undefined) return found;
    const next: number = stack.frames.findIndex(({ kind: each }, index) => index > (from as number) && each === "interrupted");
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

function sectionFrom(
  { kernel }: Standstill,
  task: Task,
  stack: NonNullable<ReturnType<Standstill["stack"]>>,
  from: number,
  { takes, gives, lock }: { readonly takes: RegExp; readonly gives: RegExp; readonly lock: VirtualAddress },
): HeldSection | undefined {
  const inner = stack.frames[from];
  if (inner === undefined) return undefined;
  const activations = new Activations(kernel, inner.pc, inner.registers, stack, from);
  const values = new KnownValues(kernel, activations, task.active ? task.cpu : undefined, task.address);
  const [argument = ""] = activations.machine.arguments;
  for (let level = inner.kind === "interrupted" ? 0 : 1; level <= MAX_LEVELS; level++) {
    const activation = activations.at(level);
    if (activation === undefined) return undefined;
    const { flow, pc } = activation;
    if (flow === undefined) continue;
    let took: HeldSection | undefined;
    for (const at of flow.addresses) {
      if (at >= pc) break;
      const facts = flow.at(at);
      const name = plainName(facts?.call?.name ?? "");
      const [isTake, isGive] = [takes.test(name), gives.test(name)];
      if (
        took !== undefined &&
        facts !== undefined &&
        clears(facts, (register) => values.of(level, flow.originOf(at, register))?.value, lock)
      )
        took = undefined;
      if ((!isTake && !isGive) || values.of(level, flow.originOf(at, argument))?.value !== lock) continue;
      took = isTake
        ? { function: plainName(flow.name), module: flow.module, at: virtual(at), by: name, frame: activation.frame }
        : undefined;
    }
    if (took !== undefined) return took;
  }
  return undefined;
}
