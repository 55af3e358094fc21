/**
 * Pages of alloc_percpu() (mm/percpu.c): a chunk is an area with a unit for every possible CPU, populated page by page as it is used.
 *
 *   counted   pcpu_nr_populated × pcpu_nr_units: pcpu_nr_pages(), Percpu in /proc/meminfo since 4.20
 *   mapped    where the symbols are of functions only: the pages that are mapped in the areas which pcpu_get_vm_areas() gave out; the first
 *             chunk, which lies in the direct map, is not among them
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type VmallocArea, vmallocAreas } from "../../linux/vmalloc.ts";
import { plainName } from "../fault/words.ts";
import { guarded } from "../guarded.ts";
import type { Evidence } from "../verdict.ts";

export interface PerCpuMemory {
  readonly pages: number;
  readonly evidence: readonly Evidence[];
}

/** More than a kernel has CPUs. */
const MAX_UNITS = 1 << 16;
/** Pages that are looked up in page tables; where there may be more, nothing is said. */
const MAX_LOOKED_UP = 1 << 18;
const GIVES_AREAS = /^pcpu_get_vm_areas$/;

/** undefined when it cannot be counted. Once per dump. */
export function perCpuMemory(kernel: Kernel): PerCpuMemory | undefined {
  return kernel.memo(perCpuMemory, () => counted(kernel) ?? mapped(kernel));
}

function counted(kernel: Kernel): PerCpuMemory | undefined {
  const [populated, units] = [kernel.tryAddress("pcpu_nr_populated"), kernel.tryAddress("pcpu_nr_units")];
  if (populated === undefined || units === undefined) return undefined;
  return guarded(() => {
    const [value, each] = [kernel.memory.u64(populated), kernel.memory.u32(units)];
    if (each === 0 || each > MAX_UNITS || value > 1n << 40n) return undefined;
    return {
      pages: Number(value) * each,
      evidence: [
        {
          claim: "the populated pages of all chunks, for one CPU",
          command: `rd ${populated.toString(16)}`,
          values: [{ address: populated, value }],
        },
      ],
    };
  });
}

function mapped(kernel: Kernel): PerCpuMemory | undefined {
  const areas = (guarded(() => vmallocAreas(kernel))?.busy ?? []).filter(({ caller }) => isGiver(kernel, caller));
  const { pageSize } = kernel.arch;
  const most = areas.reduce((sum, area) => sum + sizeOf(area) / pageSize, 0);
  if (areas.length === 0 || most > MAX_LOOKED_UP) return undefined;
  let pages = 0;
  for (const { start, end } of areas)
    for (let at: bigint = start; at < end; at += BigInt(pageSize))
      if (guarded(() => kernel.memory.translate(virtual(at))) !== undefined) pages++;
  return { pages, evidence: [{ claim: `the ${areas.length} areas of per-CPU chunks`, command: "kmem -v", values: [] }] };
}

function isGiver(kernel: Kernel, caller: VirtualAddress): boolean {
  const symbol = caller === 0n ? undefined : kernel.symbols.byAddress(caller)?.symbol;
  return symbol !== undefined && GIVES_AREAS.test(plainName(symbol.name));
}

function sizeOf({ start, end }: VmallocArea): number {
  return Number(end - start);
}
