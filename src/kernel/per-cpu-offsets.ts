/**
 * Where each CPU's per-CPU area is: __per_cpu_offset[] (mm/percpu.c, arch/x86/kernel/setup_percpu.c), cut to the CPUs that there can be.
 */
import { distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { KernelSymbol } from "../debug-info/symbols.ts";
import type { AddressSpace } from "./address-space.ts";
import type { KernelSymbols } from "./kernel-symbols.ts";

/** What is read of memory. */
type Memory = Pick<AddressSpace, "u64" | "tryU32" | "tryBytes">;
/** What is asked of the symbols. */
interface Symbols {
  readonly byName: KernelSymbols["byName"];
  readonly kernel: Pick<KernelSymbols["kernel"], "neighbours">;
}

/** More CPUs than CONFIG_NR_CPUS of any distribution. */
const MAX_CPUS = 8192;

/**
 * __per_cpu_offset[] up to the last CPU that has an area. Entries of CPUs that are not possible keep their initial value: on x86-64 the
 * boot CPU's load address, elsewhere zero; a possible CPU's differs from every other's.
 */
export function perCpuOffsets(memory: Memory, symbols: Symbols): () => readonly (VirtualAddress | undefined)[] {
  let offsets: readonly (VirtualAddress | undefined)[] | undefined;
  return () => {
    offsets ??= readPerCpuOffsets(memory, symbols);
    return offsets;
  };
}

function readPerCpuOffsets(memory: Memory, symbols: Symbols): readonly (VirtualAddress | undefined)[] {
  const offsets: (VirtualAddress | undefined)[] = [];
  const table = symbols.byName("__per_cpu_offset");
  // A kernel without SMP has no table and its per-CPU variables are plain ones.
  if (table === undefined) return [virtual(0n)];
  const count = cpuCount(memory, symbols, table);
  const possible = possibleCpus(memory, symbols, count);
  for (let cpu = 0; cpu < count; cpu++) {
    if (possible !== undefined && !possible(cpu)) {
      offsets.push(undefined);
      continue;
    }
    try {
      const value = memory.u64(virtual(table.address + BigInt(cpu * 8)));
      offsets.push(virtual(value));
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      offsets.push(undefined);
    }
  }
  const areas = possible === undefined ? alone(offsets) : offsets;
  while (areas.length > 0 && areas.at(-1) === undefined) areas.pop();
  return areas;
}

/** Where the mask of possible CPUs cannot be read: the areas that are one CPU's own. What several entries hold is what they began with. */
function alone(offsets: readonly (VirtualAddress | undefined)[]): (VirtualAddress | undefined)[] {
  const times = new Map<VirtualAddress | undefined, number>();
  for (const offset of offsets) times.set(offset, (times.get(offset) ?? 0) + 1);
  return offsets.map((offset) => (times.get(offset) === 1 ? offset : undefined));
}

/** nr_cpu_ids bounds the CPUs that can ever exist; the table's own length (CONFIG_NR_CPUS) bounds that. */
function cpuCount(memory: Memory, symbols: Symbols, table: KernelSymbol): number {
  const next = symbols.kernel.neighbours(table.address).next;
  const length = next === undefined ? MAX_CPUS : Math.floor(distance(next.address, table.address) / 8);
  const ids = symbols.byName("nr_cpu_ids");
  const limit = (ids === undefined ? undefined : memory.tryU32(ids.address)) ?? length;
  return Math.min(MAX_CPUS, limit, length > 0 ? length : limit);
}

/** Test by __cpu_possible_mask (4.5 on; before, the bits behind cpu_possible_bits). */
function possibleCpus(memory: Memory, symbols: Symbols, count: number): ((cpu: number) => boolean) | undefined {
  const mask = symbols.byName("__cpu_possible_mask") ?? symbols.byName("cpu_possible_bits");
  const bytes = mask === undefined ? undefined : memory.tryBytes(mask.address, Math.ceil(count / 8));
  return bytes === undefined ? undefined : (cpu) => (((bytes[cpu >> 3] ?? 0) >> (cpu & 7)) & 1) === 1;
}
