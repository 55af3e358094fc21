/**
 * Locks that lockdep says a task holds (CONFIG_LOCKDEP; kernel/locking/lockdep.c).
 *
 *   task.held_locks[0 … lockdep_depth-1] { instance ─► lockdep_map in the lock, class_idx ─► lock_classes[], acquire_ip, read, trylock }
 *
 * class_idx counts from 0 since 5.1 (a0b0fd53e1e6 brought lock_classes_in_use); before, 0 meant none and 1 was the first class.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import type { HeldLock, LockKind } from "./lock.ts";

/** MAX_LOCK_DEPTH. */
const MAX_DEPTH = 48;
const MAX_NAME = 256;

const STRUCTURES: readonly (readonly [LockKind, string])[] = [
  ["mutex", "mutex"],
  ["rwsem", "rw_semaphore"],
  ["spinlock", "raw_spinlock"],
];

interface LockdepLayout {
  readonly depth: Field;
  readonly held: Field;
  readonly entry: Struct;
  readonly instance: Field;
  readonly classIndex: Field;
  readonly acquireIp: Field;
  readonly read: Field | undefined;
  readonly trylock: Field | undefined;
  readonly classes: VirtualAddress | undefined;
  readonly classSize: number;
  readonly className: Field | undefined;
  readonly firstClass: number;
  readonly mapName: Field | undefined;
  /** Where dep_map and the owner lie in the locks that hold both, to come from the map to the lock. */
  readonly inLocks: readonly { readonly kind: LockKind; readonly map: number; readonly owner: number }[];
}

function layoutOf(kernel: Kernel): LockdepLayout | undefined {
  return kernel.memo(layoutOf, () => {
    const { types } = kernel;
    const task = types.tryStruct("task_struct");
    const entry = types.tryStruct("held_lock");
    const lockClass = types.tryStruct("lock_class");
    const [depth, held] = [task?.tryField("lockdep_depth"), task?.tryField("held_locks")];
    const [instance, classIndex, acquireIp] = [entry?.tryField("instance"), entry?.tryField("class_idx"), entry?.tryField("acquire_ip")];
    if (depth === undefined || held === undefined || entry === undefined) return undefined;
    if (instance === undefined || classIndex === undefined || acquireIp === undefined) return undefined;
    return {
      depth,
      held,
      entry,
      instance,
      classIndex,
      acquireIp,
      read: entry.tryField("read"),
      trylock: entry.tryField("trylock"),
      classes: kernel.tryAddress("lock_classes"),
      classSize: lockClass?.size ?? 0,
      className: lockClass?.tryField("name"),
      firstClass: kernel.tryAddress("lock_classes_in_use") === undefined ? 1 : 0,
      mapName: types.tryStruct("lockdep_map")?.tryField("name"),
      inLocks: STRUCTURES.flatMap(([kind, name]) => {
        const struct = types.tryStruct(name);
        const [map, owner] = [struct?.tryField("dep_map"), struct?.firstField("owner.counter", "owner")];
        return map === undefined || owner === undefined ? [] : [{ kind, map: map.offset, owner: owner.offset }];
      }),
    };
  });
}

/** This kernel keeps what tasks hold. */
export function hasLockdep(kernel: Kernel): boolean {
  return layoutOf(kernel) !== undefined;
}

export interface HeldLocks {
  /** As they were taken, the first one first. */
  readonly locks: readonly HeldLock[];
  /** An entry that cannot be read, or a depth that cannot be. */
  readonly problem: string | undefined;
}

/**
 * Locks a task holds by lockdep; undefined on kernels without it.
 * @param waitsFor the lock that the task is known to wait for: lockdep lists it before it is taken
 */
export function heldLocks(kernel: Kernel, task: VirtualAddress, waitsFor?: VirtualAddress): HeldLocks | undefined {
  const layout = layoutOf(kernel);
  if (layout === undefined) return undefined;
  const locks: HeldLock[] = [];
  try {
    const depth = layout.depth.number(task);
    if (depth < 0 || depth > MAX_DEPTH) return { locks, problem: `lockdep_depth is ${depth}, beyond MAX_LOCK_DEPTH ${MAX_DEPTH}` };
    for (let i = 0; i < depth; i++) {
      const entry = add(layout.held.address(task), i * layout.entry.size);
      const map = layout.instance.pointer(entry);
      const found = lockOfMap(kernel, layout, map, task, waitsFor);
      const where = layout.acquireIp.pointer(entry);
      locks.push({
        lock: found?.lock ?? map,
        kind: found?.kind,
        name: className(kernel, layout, layout.classIndex.number(entry), map),
        mode: (layout.read?.number(entry) ?? 0) === 0 ? "write" : "read",
        trylock: (layout.trylock?.number(entry) ?? 0) !== 0,
        acquiring: i === depth - 1 && waitsFor !== undefined && found?.lock === waitsFor,
        where: kernel.symbolize(where),
      });
    }
    return { locks, problem: undefined };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { locks, problem: error.message };
  }
}

/** The lock that the map lies in: the one the task waits for, or one whose owner is the task. */
function lockOfMap(
  kernel: Kernel,
  { inLocks }: LockdepLayout,
  map: VirtualAddress,
  task: VirtualAddress,
  wanted: VirtualAddress | undefined,
): { readonly lock: VirtualAddress; readonly kind: LockKind } | undefined {
  for (const { kind, map: offset, owner } of inLocks) {
    const lock = add(map, -offset);
    const word = kernel.memory.tryU64(add(lock, owner));
    if (lock === wanted || (word !== undefined && (word & ~7n) === task)) return { lock, kind };
  }
  return undefined;
}

function className(kernel: Kernel, layout: LockdepLayout, index: number, map: VirtualAddress): string {
  const { classes, className: name, classSize, firstClass } = layout;
  const pointer =
    classes === undefined || name === undefined || index < firstClass
      ? undefined
      : kernel.memory.tryU64(name.address(add(classes, (index - firstClass) * classSize)));
  const own = pointer === undefined || pointer === 0n ? kernel.memory.tryU64(layout.mapName?.address(map) ?? map) : pointer;
  if (own === undefined || own === 0n) return `class ${index}`;
  try {
    return kernel.memory.cString(virtual(own), MAX_NAME);
  } catch (error) {
    if (error instanceof InquestError) return `class ${index}`;
    throw error;
  }
}
