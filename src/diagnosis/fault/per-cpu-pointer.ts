/**
 * A pointer of alloc_percpu() that is followed as it is: it is the same for all CPUs, and only with a CPU's offset an address
 * (include/linux/percpu-defs.h: this_cpu_ptr(), per_cpu_ptr()).
 */
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PerCpuAreas } from "../../linux/per-cpu-areas.ts";
import { guarded } from "../guarded.ts";

/** On x86-64 those of the first chunk are small numbers, as any other number may be. */
const TELLING = 1n << 20n;

/** Where the first CPU that is there has its copy; undefined when the value is no such pointer, or any number might be one. */
export function perCpuCopy(kernel: Kernel, value: bigint): { readonly cpu: number; readonly address: VirtualAddress } | undefined {
  if (value < TELLING || BigInt.asUintN(64, -value) < TELLING) return undefined;
  return guarded(() => {
    for (const [cpu, offset] of kernel.perCpuOffsets.entries()) {
      if (offset === undefined || offset === 0n) continue;
      const address = add(virtual(value), offset);
      return PerCpuAreas.of(kernel).find(address)?.cpu === cpu ? { cpu, address } : undefined;
    }
    return undefined;
  });
}

/** In a sentence. */
export function perCpuText({ cpu, address }: { readonly cpu: number; readonly address: VirtualAddress }): string {
  return `it is a per-CPU pointer: CPU ${cpu}'s copy lies at ${hex16(address)}`;
}
