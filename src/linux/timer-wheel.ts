/**
 * The timer wheel (kernel/time/timer.c): timers in jiffies, per CPU.
 *
 *   per-CPU timer_bases[] ─► struct timer_base { running_timer, clk, cpu, pending_map, vectors[] }
 *                                                   vectors[i] → timer_list → timer_list …        hlist through timer_list.entry
 *
 *   4.8+ (500462a9de65)  1 base, 2 with NO_HZ_COMMON: STD, DEF (deferrable); 6.9+ (83a665dc99a7) 3: LOCAL, GLOBAL, DEF
 *   before               per-CPU pointer tvec_bases ─► struct tvec_base { tv1.vec[256], tv2 … tv5.vec[64] }, lists of timer_list.entry
 *
 * What a timer is for follows from its function: a delayed work item (container_of), a task that sleeps in schedule_timeout().
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { attempt, gather, part } from "./gather.ts";
import { hlistNodes, listNodes } from "./list.ts";

/** More timers in one bucket, and in one base, than a machine has. */
const MAX_TIMERS = 1 << 20;
/** LVL_DEPTH × LVL_SIZE is 512 or 576. */
const MAX_BUCKETS = 4096;

export interface WheelTimer {
  /** struct timer_list. */
  readonly address: VirtualAddress;
  /** Jiffies. */
  readonly expires: bigint;
  readonly function: VirtualAddress;
  /** Deferrable, pinned, IRQ-safe, bucket and CPU, as the kernel packs them. */
  readonly flags: number;
  /** struct work_struct of a delayed work item. */
  readonly work?: VirtualAddress;
  /** The task that a sleep ends for. */
  readonly task?: VirtualAddress;
}

export interface TimerBase {
  readonly cpu: number;
  /** Position in timer_bases[]. */
  readonly index: number;
  /** "BASE_STD", "BASE_LOCAL" …; undefined for kernels before 4.8. */
  readonly name: string | undefined;
  readonly address: VirtualAddress;
  /** The jiffy that the wheel stands at. */
  readonly clock: bigint | undefined;
  /** The timer whose function runs right now. */
  readonly running: VirtualAddress | undefined;
  /** By ascending expiry. */
  readonly timers: readonly WheelTimer[];
  /** False: part of the base could not be read, and it may hold more timers. */
  readonly whole: boolean;
}

const NAMES: Readonly<Record<number, readonly string[]>> = {
  1: ["BASE_STD"],
  2: ["BASE_STD", "BASE_DEF"],
  3: ["BASE_LOCAL", "BASE_GLOBAL", "BASE_DEF"],
};

/** jiffies; undefined when the symbol is missing. */
export function jiffies(kernel: Kernel): bigint | undefined {
  const address = kernel.tryAddress("jiffies_64") ?? kernel.tryAddress("jiffies");
  return address === undefined ? undefined : kernel.memory.tryU64(address);
}

/** Reads a CPU's bases. @throws LookupError when this kernel's wheel cannot be located */
export function timerBases(kernel: Kernel, cpu: number, notes: string[]): readonly TimerBase[] {
  const bases = kernel.tryAddress("timer_bases");
  const struct = kernel.types.tryStruct("timer_base");
  if (bases === undefined || struct === undefined) return oldWheel(kernel, cpu, notes);
  const first = kernel.perCpuAddress(bases, cpu);
  const count = baseCount(kernel, struct, first, cpu);
  return Array.from({ length: count }, (_, index) => {
    const address = add(first, index * struct.size);
    const { value, whole } = part(notes, (own) => readBase(kernel, struct, address, cpu, own));
    return { ...value, whole, cpu, index, name: NAMES[count]?.[index] ?? `BASE_${index}`, address };
  });
}

/** The declared length; without a declaration, bases are those that name this CPU and stand at a jiffy. */
function baseCount(kernel: Kernel, struct: Struct, first: VirtualAddress, cpu: number): number {
  const declared = kernel.variableType("timer_bases");
  const array = declared === undefined ? undefined : strip(declared);
  if (array?.kind === "array" && array.length >= 1 && array.length <= 3) return array.length;
  if (array?.kind === "struct") return 1;
  let count = 1;
  for (; count < 3; count++) {
    const base = add(first, count * struct.size);
    const clock = attempt(() => struct.field("clk").bigint(base), [], "");
    if (clock === undefined || clock === 0n || attempt(() => struct.field("cpu").number(base), [], "") !== cpu) break;
  }
  return count;
}

function readBase(
  kernel: Kernel,
  struct: Struct,
  base: VirtualAddress,
  cpu: number,
  notes: string[],
): Pick<TimerBase, "clock" | "running" | "timers"> {
  const where = `CPU ${cpu}, timer_base ${base.toString(16)}`;
  const vectors = struct.field("vectors");
  const entry = kernel.types.struct("timer_list").field("entry");
  const buckets = Math.min(MAX_BUCKETS, Math.floor(vectors.size / 8));
  const timers: WheelTimer[] = [];
  const heads = attempt(() => kernel.memory.bytes(vectors.address(base), buckets * 8), notes, where);
  const view = heads === undefined ? undefined : new DataView(heads.buffer, heads.byteOffset, heads.byteLength);
  for (let bucket = 0; view !== undefined && bucket < buckets; bucket++) {
    if (view.getBigUint64(bucket * 8, true) === 0n) continue;
    const head = add(vectors.address(base), bucket * 8);
    for (const node of gather(hlistNodes(kernel.memory, head, { limit: MAX_TIMERS }), notes, `${where}, bucket ${bucket}`)) {
      const timer = attempt(() => readTimer(kernel, containerOf(node, entry)), notes, `${where}, timer ${node.toString(16)}`);
      if (timer !== undefined) timers.push(timer);
    }
  }
  const running = attempt(() => struct.tryField("running_timer")?.pointer(base) ?? 0n, notes, where) ?? 0n;
  return {
    clock: attempt(() => struct.tryField("clk")?.bigint(base), notes, where),
    running: running === 0n ? undefined : virtual(running),
    timers: timers.sort((a, b) => (a.expires < b.expires ? -1 : a.expires > b.expires ? 1 : 0)),
  };
}

/** struct timer_list at an address. @throws FaultError */
export function readTimer(kernel: Kernel, address: VirtualAddress): WheelTimer {
  const struct = kernel.types.struct("timer_list");
  const called = struct.field("function").pointer(address);
  const name = kernel.symbols.byAddress(called);
  const own = name?.offset === 0 ? name.symbol.name : "";
  return {
    address,
    expires: struct.field("expires").bigint(address),
    function: called,
    flags: struct.tryField("flags")?.number(address) ?? 0,
    ...purpose(kernel, address, own),
  };
}

function purpose(kernel: Kernel, timer: VirtualAddress, name: string): Pick<WheelTimer, "work" | "task"> {
  if (name === "delayed_work_timer_fn") {
    const inside = kernel.types.tryStruct("delayed_work");
    const member = inside?.tryField("timer");
    const work = inside?.tryField("work");
    return member === undefined || work === undefined ? {} : { work: work.address(containerOf(timer, member)) };
  }
  if (name !== "process_timeout") return {};
  // struct process_timer { timer, task } since 4.15 (58e1177b4cd1); before, the task was the timer's data.
  const inside = kernel.types.tryStruct("process_timer");
  const member = inside?.tryField("timer");
  const task = inside?.tryField("task");
  const pointer =
    member === undefined || task === undefined
      ? kernel.types.struct("timer_list").tryField("data")?.bigint(timer)
      : kernel.memory.tryU64(task.address(containerOf(timer, member)));
  return pointer === undefined || pointer === 0n ? {} : { task: virtual(pointer) };
}

/** The wheel of kernels before 4.8. */
function oldWheel(kernel: Kernel, cpu: number, notes: string[]): readonly TimerBase[] {
  const pointer = kernel.tryAddress("tvec_bases");
  const struct = kernel.types.tryStruct("tvec_base");
  if (pointer === undefined || struct === undefined) {
    const reason =
      kernel.tryAddress("timer_bases") === undefined
        ? '"timer_bases" is not among this kernel\'s symbols'
        : "struct timer_base is not known";
    throw new LookupError(`timers cannot be located: ${reason}`);
  }
  const here = kernel.perCpuAddress(pointer, cpu);
  // A pointer until 4.1 (the boot CPU's stands elsewhere), the structure itself in 4.2 to 4.7 (b337a9380f7e).
  const target = kernel.memory.u64(here);
  const address = target >= 1n << 63n ? virtual(target) : here;
  const where = `CPU ${cpu}, tvec_base ${address.toString(16)}`;
  const { value, whole } = part(notes, (own) => {
    const clock = attempt(() => struct.tryField("timer_jiffies")?.bigint(address), own, where);
    return { clock, timers: oldTimers(kernel, struct, address, own, where) };
  });
  return [{ cpu, index: 0, name: undefined, address, ...value, running: undefined, whole }];
}

function oldTimers(kernel: Kernel, struct: Struct, address: VirtualAddress, notes: string[], where: string): WheelTimer[] {
  const entry = kernel.types.struct("timer_list").field("entry");
  const walk = entry.size === 8 || strip(entry.type).kind === "struct" ? bucketWalk(kernel, entry) : listNodes;
  const timers: WheelTimer[] = [];
  for (const level of ["tv1", "tv2", "tv3", "tv4", "tv5"]) {
    const vec = struct.tryField(`${level}.vec`);
    const array = vec === undefined ? undefined : strip(vec.type);
    if (vec === undefined || array?.kind !== "array" || array.length === 0) continue;
    const size = vec.size / array.length;
    for (let bucket = 0; bucket < Math.min(array.length, MAX_BUCKETS); bucket++) {
      const head = add(vec.address(address), bucket * size);
      for (const node of gather(walk(kernel.memory, head, { limit: MAX_TIMERS }), notes, `${where}, ${level}[${bucket}]`)) {
        const timer = attempt(() => readTimer(kernel, containerOf(node, entry)), notes, `${where}, timer ${node.toString(16)}`);
        if (timer !== undefined) timers.push(timer);
      }
    }
  }
  return timers.sort((a, b) => (a.expires < b.expires ? -1 : a.expires > b.expires ? 1 : 0));
}

/** Buckets became hlists in 4.2 (1dabbcec2c0a). */
function bucketWalk(kernel: Kernel, entry: Field): typeof listNodes {
  const struct = kernel.types.wrap(entry.type);
  return struct?.name === "hlist_node" || struct?.has("pprev") === true ? hlistNodes : listNodes;
}
