/**
 * What a lock is called and what it lies in: a variable, a member of one, or a member of the structure whose address the waiting code
 * computed it from.
 *
 *   widget_start:  lea 0x48(%rbx),%rdi        rbx: struct widget *        ─► struct widget, member lock
 *                  call mutex_lock            rdi is the very lock that the task waits for
 *
 * The type is followed from the code of a task that waits, over callers that only pass the lock on; it is believed where what the code
 * computes is this lock's address, or cannot be computed at all.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { CType } from "../../debug-info/c-type.ts";
import { strip } from "../../debug-info/c-type.ts";
import type { KernelSymbol } from "../../debug-info/symbols.ts";
import { stateText } from "../../identity/describe.ts";
import { identifyAddress } from "../../identity/identify.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { ContendedLock, LockKind, LockWait } from "../../linux/locking/lock.ts";
import { spinFrames, waitFrames } from "../../linux/locking/wait-functions.ts";
import { poisonOf } from "../../linux/poison.ts";
import { Slabs } from "../../linux/slab.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import { Activations } from "../fault/activation.ts";
import { KnownValues } from "../fault/known-values.ts";
import { objectType } from "../fault/object-type.ts";
import { ownStructures } from "../fault/own-structures.ts";
import { fittingStructure } from "../fault/type-fit.ts";
import { typedFlow } from "../fault/typed-flow.ts";
import { guarded } from "../guarded.ts";
import type { LockName, Verdict } from "../verdict.ts";
import type { Standstill } from "./standstill.ts";

/** Structures of the kernel that are the lock itself: whoever passes one of these on does not say where it lies. */
const STRUCTURES: Readonly<Record<LockKind, string>> = {
  mutex: "struct mutex",
  rwsem: "struct rw_semaphore",
  rt_mutex: "struct rt_mutex",
  semaphore: "struct semaphore",
  percpu_rwsem: "struct percpu_rw_semaphore",
  completion: "struct completion",
  folio: "struct folio",
  bit: "word of bits",
  spinlock: "struct spinlock",
  rwlock: "rwlock_t",
};
const OWN_TYPES =
  /^(?:struct |union )?(?:mutex|ww_mutex|rw_semaphore|rt_mutex(?:_base)?|semaphore|percpu_rw_semaphore|completion|spinlock(?:_t)?|raw_spinlock(?:_t)?|qspinlock|rwlock_t|qrwlock|arch_spinlock_t)$/;

/** In words: "mutex", "rw_semaphore". */
export function kindText(kind: LockKind): string {
  return STRUCTURES[kind].replace(/^struct /, "");
}

export interface Container {
  readonly type: string;
  readonly member: string;
  /** Start of the structure. */
  readonly address: VirtualAddress;
}

/** The lock as a verdict's object. `state` is in words what holds it up. */
export function lockObject(still: Standstill, lock: ContendedLock): NonNullable<Verdict["object"]> {
  const { kernel } = still;
  const { address, kind } = lock.state;
  const container = containerOfLock(still, lock);
  const slab = guarded(() => identifyAddress(kernel, address).roles.find((role) => role.kind === "slab object"));
  const state = [stateOf(lock), ...(slab?.kind === "slab object" ? [`in an object that is ${stateText(slab.state)}`] : [])].join("; ");
  return {
    type: container?.type ?? STRUCTURES[kind],
    ...(container === undefined ? {} : { member: container.member }),
    address,
    state,
    ...(slab?.kind === "slab object" ? { cache: slab.cache } : {}),
  };
}

function stateOf({ state, waits, holders }: ContendedLock): string {
  const [owner] = holders;
  const held =
    owner === undefined
      ? state.held === "free"
        ? "free"
        : state.held
      : state.held === "read"
        ? `held for reading by ${owner.task.comm} (${owner.task.pid})${(state.readers ?? 1) > 1 ? ` and ${(state.readers ?? 1) - 1} more` : ""}`
        : `held by ${owner.task.comm} (${owner.task.pid})`;
  const waiting = `${waits.length} ${waits.length === 1 ? "waits" : "wait"}`;
  return held === "unknown" ? waiting : `${held}, ${waiting}`;
}

/** A name for people, and for participants. */
export function lockName(still: Standstill, lock: ContendedLock): LockName {
  const { address, kind, symbol } = lock.state;
  const plain = symbol?.replace(/ \[.*\]$/, "");
  const container = plain === undefined || /\+0x/.test(plain) ? containerOfLock(still, lock) : undefined;
  // A variable of which the lock is a member: "ctl_pipe.mutex".
  if (plain !== undefined && container !== undefined)
    return { address, kind: kindText(kind), name: `${plain.replace(/\+0x.*$/, "")}.${container.member}` };
  const name = plain ?? (container === undefined ? undefined : `${container.type.replace(/^(?:struct|union) /, "")}.${container.member}`);
  return { address, kind: kindText(kind), ...(name === undefined ? {} : { name }) };
}

/** "mutex lab_hang_a", "rw_semaphore widget.lock", "mutex at ffff…". */
export function lockText({ kind, name, address }: LockName): string {
  return `${kind} ${name ?? `at ${address.toString(16)}`}`;
}

function containerOfLock(still: Standstill, lock: ContendedLock): Container | undefined {
  const kept = still.kernel.memo(containerOfLock, () => new Map<bigint, Container | undefined>());
  const { address, kind } = lock.state;
  // Pages and bits lie in nothing that code computes them from; of thousands of locks a few are told.
  if (kind === "folio" || kind === "bit" || (kept.size >= MAX_LOCKS && !kept.has(address))) return undefined;
  if (!kept.has(address)) kept.set(address, find(still, lock));
  return kept.get(address);
}

/** Locks of one dump whose structure is looked for: each costs milliseconds. */
const MAX_LOCKS = 64;
/** Waiting tasks whose code is looked at for one lock. */
const MAX_TRIED = 4;

function find(still: Standstill, { state, waits }: ContendedLock): Container | undefined {
  const named = variable(still.kernel, state.address, kindText(state.kind));
  if (named !== undefined) return named;
  for (const wait of waits.slice(0, MAX_TRIED)) {
    const found = guarded(() => byCode(still, wait, state.address));
    if (found !== undefined) return found;
  }
  return byObject(still, state.address, kindText(state.kind), [...new Set(waits.flatMap((wait) => wait.module ?? []))]);
}

/** The structure around something of a type that code of some modules uses; by the variable or the object that it lies in. */
export function containerAround(
  still: Standstill,
  address: VirtualAddress,
  type: string,
  modules: readonly string[],
): Container | undefined {
  return variable(still.kernel, address, type) ?? byObject(still, address, type, modules);
}

function byObject(still: Standstill, address: VirtualAddress, type: string, modules: readonly string[]): Container | undefined {
  const known = objectType(still.kernel, address);
  if (known !== undefined) return member(known.type, known.name, address, Number(address - known.address));
  return guarded(() => byLayout(still, address, type, modules));
}

/** Of an object of kmalloc(): the one structure of the module whose code waits that has such a lock at this place and fits the object. */
function byLayout({ kernel }: Standstill, address: VirtualAddress, name: string, modules: readonly string[]): Container | undefined {
  const object = kernel.arch.isKernelAddress(address) ? Slabs.of(kernel)?.objectOf(address) : undefined;
  const inner = kernel.types.tryStruct(name)?.type;
  if (object === undefined || inner?.kind !== "struct" || !/^kmalloc/.test(object.cache)) return undefined;
  for (const module of modules) {
    const found = fittingStructure(ownStructures(kernel, module), {
      places: [{ offset: object.offset, size: 0, type: inner }],
      objectSize: object.objectSize,
      word: (offset) => kernel.memory.tryU64(add(virtual(object.object), offset)),
      mayBePointer: (word) => word < 4096n || kernel.arch.isKernelAddress(word) || poisonOf(word) !== undefined,
    });
    if (found !== undefined && found.offset === 0) return member(found.type, `struct ${found.type.name}`, address, object.offset);
  }
  return undefined;
}

/** A member of a variable whose type is known. */
function variable(kernel: Kernel, address: VirtualAddress, lockType: string): Container | undefined {
  const found = kernel.symbols.byAddress(address);
  if (found === undefined || /^[tTwW]$/.test(found.symbol.type)) return undefined;
  const { symbol } = found;
  const type = guarded(() => kernel.variableType(symbol.name, symbol));
  if (type === undefined && symbol.module !== undefined) return bySize(kernel, symbol, found.offset, lockType);
  const plain = type === undefined ? undefined : strip(type);
  if (type === undefined || plain === undefined) return undefined;
  const element = plain.kind === "array" ? strip(plain.element) : plain;
  if (element.kind !== "struct" || element.name === undefined || OWN_TYPES.test(`struct ${element.name}`)) return undefined;
  const offset = plain.kind === "array" && element.size > 0 ? found.offset % element.size : found.offset;
  return member(element, `struct ${element.name}`, address, offset);
}

/** A module's variable of unknown type: the one structure of the module's own that is as large and has such a lock at this place. */
function bySize(kernel: Kernel, { module, size, name }: KernelSymbol, offset: number, lockType: string): Container | undefined {
  const inner = kernel.types.tryStruct(lockType)?.type;
  const address = kernel.symbols.allByName(name).find((each) => each.module === module)?.address;
  if (module === undefined || size === undefined || size === 0 || inner?.kind !== "struct" || address === undefined) return undefined;
  const fitting = ownStructures(kernel, module).filter((type) => type.kind === "struct" && type.size === size);
  const found = fittingStructure(fitting, { places: [{ offset, size: 0, type: inner }], objectSize: size });
  return found === undefined || found.offset !== 0
    ? undefined
    : member(found.type, `struct ${found.type.name}`, add(address, offset), offset);
}

function member(type: CType, name: string, lock: VirtualAddress, offset: number): Container | undefined {
  if (offset < 0) return undefined;
  const members = membersAt({ kind: "pointer", target: type, offset, stride: 0 }, 0).filter(({ leftover }) => leftover === 0);
  return members.length === 0 ? undefined : { type: name, member: pathsOf(members), address: (lock - BigInt(offset)) as VirtualAddress };
}

/** Callers that are asked when each only passes on what it was given. */
const MAX_LEVELS = 6;

function byCode(still: Standstill, wait: LockWait, lock: VirtualAddress): Container | undefined {
  const { kernel } = still;
  const task = still.task(wait.task.address);
  const stack = task === undefined ? undefined : still.stack(task);
  const place = stack === undefined ? undefined : (waitFrames(stack.frames) ?? spinFrames(stack.frames));
  const inner = place === undefined ? undefined : stack?.frames[place.last];
  if (task === undefined || stack === undefined || place === undefined || inner === undefined) return undefined;
  const activations = new Activations(kernel, inner.pc, inner.registers, stack, place.last);
  const values = new KnownValues(kernel, activations, task.active ? task.cpu : undefined, task.address);
  activations.retypeBy((level, plain) => typedFlow(kernel, activations, values, level, plain));
  let register: string | undefined = activations.machine.arguments[0];
  for (let level = 1; level <= MAX_LEVELS && register !== undefined; level++) {
    const caller = activations.at(level);
    if (caller?.flow === undefined) return undefined;
    const fact = caller.flow.at(caller.pc)?.registers.get(register);
    const origin = caller.flow.originOf(caller.pc, register);
    const value = values.of(level, origin)?.value;
    if (value !== undefined && value !== lock) return undefined;
    const target = fact?.type === undefined ? undefined : strip(fact.type);
    const pointed = target?.kind === "pointer" ? strip(target.target) : undefined;
    if (pointed?.kind === "struct" && pointed.name !== undefined && !OWN_TYPES.test(pointed.name))
      return member(pointed, `struct ${pointed.name}`, lock, fact?.offset ?? 0);
    register = origin.kind === "parameter" || origin.kind === "entry" ? origin.register : undefined;
  }
  return undefined;
}

/** A lock that its waiters spin for. */
export function isSpin(kind: LockKind | undefined): boolean {
  return kind === "spinlock" || kind === "rwlock";
}
