/**
 * High-resolution timers (kernel/time/hrtimer.c): nanoseconds, per CPU and clock.
 *
 *   per-CPU hrtimer_bases ─► hrtimer_cpu_base.clock_base[8] ─► .active  rbtree of hrtimer.node (timerqueue_node { node, expires })
 *
 *   active   timerqueue_head { rb_root head, next } until 5.3, { rb_root_cached } then (511885d7061e),
 *            timerqueue_linked_head { rb_root_linked } in 7.1+: the rb_root comes first in all of them, and the node first in its timer
 *   clock    clock_base.get_time names it; removed in 6.18 (009eb5da29a9): clock_base.clockid tells
 *   offset   what the clock is ahead of CLOCK_MONOTONIC
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { attempt, gather, part } from "./gather.ts";
import { rbtreeNodes } from "./rbtree.ts";

const MAX_TIMERS = 1 << 20;
const MAX_CLOCKS = 16;

/** include/uapi/linux/time.h: what a clock is read with. */
const CLOCKS: Readonly<Record<number, string>> = { 0: "ktime_get_real", 1: "ktime_get", 7: "ktime_get_boottime", 11: "ktime_get_clocktai" };

export interface HighResolutionTimer {
  /** struct hrtimer. */
  readonly address: VirtualAddress;
  /** Nanoseconds of its clock: the earliest and the latest time to fire. */
  readonly softExpires: bigint;
  readonly expires: bigint;
  readonly function: VirtualAddress;
  /** The task that a sleep ends for. */
  readonly task?: VirtualAddress;
}

export interface ClockBase {
  readonly index: number;
  readonly address: VirtualAddress;
  /** "ktime_get" …; undefined for a clock without a name. */
  readonly clock: string | undefined;
  /** Nanoseconds ahead of CLOCK_MONOTONIC. */
  readonly offset: bigint;
  /** By ascending expiry. */
  readonly timers: readonly HighResolutionTimer[];
  /** False: part of the clock's base could not be read, and it may hold more timers. */
  readonly whole: boolean;
}

export interface HrtimerCpu {
  readonly cpu: number;
  readonly address: VirtualAddress;
  readonly clocks: readonly ClockBase[];
}

/** Reads a CPU's clocks and their timers. @throws LookupError when they cannot be located */
export function hrtimerBases(kernel: Kernel, cpu: number, notes: string[]): HrtimerCpu {
  const bases = kernel.tryAddress("hrtimer_bases");
  const struct = kernel.types.tryStruct("hrtimer_cpu_base");
  const clockStruct = kernel.types.tryStruct("hrtimer_clock_base");
  if (bases === undefined || struct === undefined || clockStruct === undefined) {
    const reason = bases === undefined ? '"hrtimer_bases" is not among this kernel\'s symbols' : "struct hrtimer_cpu_base is not known";
    throw new LookupError(`high-resolution timers cannot be located: ${reason}`);
  }
  const address = kernel.perCpuAddress(bases, cpu);
  const array = struct.field("clock_base");
  const count = Math.min(MAX_CLOCKS, Math.floor(array.size / clockStruct.size));
  const clocks = Array.from({ length: count }, (_, index) => {
    const base = add(array.address(address), index * clockStruct.size);
    const { value, whole } = part(notes, (own) => readClock(kernel, clockStruct, base, index, cpu, own));
    return { ...value, whole };
  });
  return { cpu, address, clocks };
}

function readClock(
  kernel: Kernel,
  struct: Struct,
  address: VirtualAddress,
  index: number,
  cpu: number,
  notes: string[],
): Omit<ClockBase, "whole"> {
  const where = `CPU ${cpu}, clock ${index}`;
  const node = kernel.types.struct("hrtimer").field("node");
  const nodes = gather(rbtreeNodes(kernel.memory, struct.field("active").address(address), MAX_TIMERS), notes, where);
  const timers = nodes.flatMap((each) => {
    const timer = attempt(() => readHrtimer(kernel, containerOf(each, node)), notes, `${where}, timer ${each.toString(16)}`);
    return timer === undefined ? [] : [timer];
  });
  return {
    index,
    address,
    clock: attempt(() => clockName(kernel, struct, address), notes, where),
    offset: attempt(() => struct.tryField("offset")?.bigint(address), notes, where) ?? 0n,
    timers,
  };
}

function clockName(kernel: Kernel, struct: Struct, base: VirtualAddress): string | undefined {
  const getTime = struct.tryField("get_time")?.pointer(base);
  if (getTime !== undefined) return kernel.symbolize(getTime);
  const id = struct.tryField("clockid")?.number(base);
  return id === undefined ? undefined : CLOCKS[id];
}

function readHrtimer(kernel: Kernel, address: VirtualAddress): HighResolutionTimer {
  const struct = kernel.types.struct("hrtimer");
  const called = struct.field("function").pointer(address);
  const expires = struct.field("node.expires").bigint(address);
  return {
    address,
    softExpires: struct.tryField("_softexpires")?.bigint(address) ?? expires,
    expires,
    function: called,
    ...sleeper(kernel, address, called),
  };
}

/** hrtimer_sleeper { timer, task } wakes a task with hrtimer_wakeup(). */
function sleeper(kernel: Kernel, timer: VirtualAddress, called: VirtualAddress): Pick<HighResolutionTimer, "task"> {
  const found = kernel.symbols.byAddress(called);
  const task = kernel.types.tryStruct("hrtimer_sleeper")?.tryField("task");
  if (found?.offset !== 0 || found.symbol.name !== "hrtimer_wakeup" || task === undefined) return {};
  const pointer = kernel.memory.tryU64(task.address(timer));
  return pointer === undefined || pointer === 0n ? {} : { task: virtual(pointer) };
}
