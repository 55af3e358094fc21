/**
 * Memory of user processes: struct mm_struct (include/linux/mm_types.h).
 *
 *   task.mm ─► mm_struct { pgd, total_vm, rss_stat, arg_start … env_end, mm_mt | mmap }
 *
 * Resident pages are counted per kind in one of three ways:
 *   6.2+   struct percpu_counter rss_stat[]      count + one s32 per CPU           (f1a7941243c1)
 *   2.6.34–6.1  atomic_long_t rss_stat.count[]   + what each thread has cached in task.rss_stat.count[]  (SPLIT_RSS_COUNTING)
 * The sum here is exact; /proc shows the shared part only on 6.2–6.15 and on the older ones, so it may be lower or higher by some pages.
 */
import { add, type PhysicalAddress, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError } from "../bytes/errors.ts";
import { AddressSpace } from "../kernel/address-space.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { cpuMasks } from "./cpu.ts";
import { type Task, taskTable } from "./task.ts";
import { taskLayout } from "./task-layout.ts";

/** Kinds of resident pages (enum in mm_types_task.h): MM_SHMEMPAGES since 4.5; MM_SWAPENTS is not resident. */
const RESIDENT = ["MM_FILEPAGES", "MM_ANONPAGES", "MM_SHMEMPAGES"] as const;
/** Argument and environment areas are limited by the stack limit; /proc reads no more than this of each here. */
const MAX_ARGUMENT_BYTES = 1 << 20;

export interface MemoryUse {
  /** Resident set in pages. */
  readonly residentPages: number;
  /** Size of all mappings in pages. */
  readonly totalPages: number;
}

type CountPages = (mm: VirtualAddress) => number;

/** Resident and mapped pages of the process with this mm. @throws FaultError when the mm cannot be read */
export function memoryUse(kernel: Kernel, mm: VirtualAddress): MemoryUse {
  const known = kernel.memo(memoryUse, () => new Map<bigint, MemoryUse>());
  let use = known.get(mm);
  if (use === undefined) {
    const layout = kernel.memo(mmStruct, () => ({ total: mmStruct(kernel).field("total_vm"), count: pageCounter(kernel) }));
    use = { residentPages: layout.count(mm), totalPages: layout.total.number(mm) };
    known.set(mm, use);
  }
  return use;
}

function mmStruct(kernel: Kernel): Struct {
  return kernel.types.struct("mm_struct");
}

/** How this kernel counts resident pages. */
function pageCounter(kernel: Kernel): CountPages {
  const struct = mmStruct(kernel);
  const kinds = RESIDENT.map((name) => kernel.types.constant(name)).filter((value) => value !== undefined);
  // Kernels without the constants in their type information keep this order: file, anon, swap entries, shmem.
  const indices = kinds.length > 0 ? kinds.map(Number) : [0, 1, 3];
  const percpu = kernel.types.tryStruct("percpu_counter");
  const array = struct.field("rss_stat");
  const plain = struct.tryField("rss_stat.count");
  if (plain === undefined && percpu !== undefined) return percpuCounts(kernel, array, percpu, indices);
  const counts = plain ?? array;
  const cached = cachedCounts(kernel, indices);
  return (mm) => {
    let pages = cached.get(mm) ?? 0;
    for (const index of indices) pages += Number(kernel.memory.s64(add(counts.address(mm), index * 8)));
    return Math.max(0, pages);
  };
}

/** Sums percpu_counters: the shared count and each CPU's part that was not folded in yet. */
function percpuCounts(kernel: Kernel, array: Field, percpu: Struct, indices: readonly number[]): CountPages {
  const count = percpu.field("count");
  const counters = percpu.tryField("counters");
  const cpus = cpuMasks(kernel).possible;
  const { memory } = kernel;
  return (mm) => {
    let pages = 0;
    for (const index of indices) {
      const counter = add(array.address(mm), index * percpu.size);
      let sum = count.number(counter);
      // NULL once the process has exited; the shared count is complete then.
      const base = counters === undefined ? 0n : counters.pointer(counter);
      if (base !== 0n) {
        for (const cpu of cpus) {
          if (kernel.perCpuOffsets[cpu] === undefined) continue;
          // A page that is missing hides one CPU's part: fewer than percpu_counter_batch pages.
          sum += (memory.tryU32(kernel.perCpuAddress(virtual(base), cpu)) ?? 0) | 0;
        }
      }
      pages += Math.max(0, sum);
    }
    return pages;
  };
}

/** Pages that threads have counted for themselves and not yet added to the mm (before 6.2): one pass over the tasks. */
function cachedCounts(kernel: Kernel, indices: readonly number[]): ReadonlyMap<bigint, number> {
  const sums = new Map<bigint, number>();
  const counts = taskLayout(kernel).struct.tryField("rss_stat.count");
  if (counts === undefined) return sums;
  for (const task of taskTable(kernel).tasks) {
    if (task.mm === 0n) continue;
    let pages = 0;
    for (const index of indices) pages += (kernel.memory.tryU32(add(counts.address(task.address), index * 4)) ?? 0) | 0;
    if (pages !== 0) sums.set(task.mm, (sums.get(task.mm) ?? 0) + pages);
  }
  return sums;
}

/**
 * The user memory of a process, through its own page tables.
 * @throws InquestError when the mm or its page directory cannot be read
 */
export function userSpace(kernel: Kernel, mm: VirtualAddress): AddressSpace {
  const root: PhysicalAddress = kernel.memory.translate(mmStruct(kernel).field("pgd").pointer(mm));
  return new AddressSpace(kernel.physical, kernel.arch.pageTables(root));
}

/** Why a kernel thread, and a process that has exited, has neither arguments nor environment. */
export const NO_USER_MEMORY = "no user memory";

export interface CommandLine {
  /** undefined when the pages are not in the dump; `problem` says why. */
  readonly arguments: readonly string[] | undefined;
  readonly environment: readonly string[] | undefined;
  readonly problem: string | undefined;
}

/** argv and the environment as the process's own memory holds them now (it may have overwritten them). */
export function commandLine(kernel: Kernel, task: Task): CommandLine {
  if (task.mm === 0n) return { arguments: undefined, environment: undefined, problem: NO_USER_MEMORY };
  try {
    const struct = mmStruct(kernel);
    const space = userSpace(kernel, task.mm);
    let problem: string | undefined;
    const strings = (from: string, to: string): readonly string[] | undefined => {
      const start = struct.field(from).pointer(task.mm);
      const length = Number(struct.field(to).pointer(task.mm) - start);
      if (length <= 0) return [];
      try {
        return splitStrings(space.bytes(start, Math.min(length, MAX_ARGUMENT_BYTES)));
      } catch (error) {
        if (!(error instanceof FaultError)) throw error;
        problem ??= error.message;
        return undefined;
      }
    };
    const args = strings("arg_start", "arg_end");
    const environment = strings("env_start", "env_end");
    return { arguments: args, environment, problem };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { arguments: undefined, environment: undefined, problem: error.message };
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: false });

/** NUL-terminated strings one behind the other; the last may lack its NUL. */
export function splitStrings(bytes: Uint8Array): readonly string[] {
  const strings = utf8.decode(bytes).split("\0");
  if (strings.at(-1) === "") strings.pop();
  return strings;
}
