/**
 * Which memory a search goes through, in the order in which crash shows what it finds: the linear map, then vmalloc areas, modules and
 * page structures by address, then the kernel image.
 *
 *   linear map   physical ranges of the dump, as far as the page tables map them (checked every 2 MiB): no walk for each page
 *   others       page by page through the page tables; what is not mapped is no memory
 */
import { add, physical, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError } from "../bytes/errors.ts";
import type { AddressSpace } from "../kernel/address-space.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { AddressRegions } from "./address-regions.ts";
import { userSpace } from "./mm.ts";
import { PageMap } from "./page.ts";
import type { Task } from "./task.ts";
import { vmas } from "./vma.ts";
import { vmallocAreas } from "./vmalloc.ts";

export type SearchRange =
  /** Physical memory from start to end; a hit is shown at its physical address plus `base`. */
  | { readonly kind: "physical"; readonly start: number; readonly end: number; readonly base: bigint }
  | { readonly kind: "virtual"; readonly start: VirtualAddress; readonly end: bigint; readonly memory: AddressSpace };

export type KernelParts = "all" | "without mapped" | "without linear";

const BLOCK = 2 << 20;

/** All of the dump's physical memory. */
export function physicalRanges(kernel: Kernel): SearchRange[] {
  return kernel.dump.ranges.map(({ start, end }) => ({ kind: "physical", start: Number(start), end: Number(end), base: 0n }));
}

/** Kernel memory. @param notes says what could not be found out */
export function kernelRanges(kernel: Kernel, parts: KernelParts, notes: string[]): SearchRange[] {
  const linear = parts === "without linear" ? [] : linearRanges(kernel);
  const image = AddressRegions.of(kernel).image;
  const imageRanges = parts === "without linear" || image === undefined ? [] : [virtualRange(kernel, image.start, image.end)];
  const inImage = (at: bigint) => image !== undefined && at >= image.start && at < image.end;
  const mapped =
    parts === "without mapped" ? [] : [...areaRanges(kernel, notes), ...vmemmapRanges(kernel)].filter((each) => !inImage(each.start));
  return [...linear, ...mapped.sort((a, b) => (a.start < b.start ? -1 : 1)), ...imageRanges];
}

/** The mappings of a process. */
export function userRanges(kernel: Kernel, task: Task, notes: string[]): SearchRange[] {
  const memory = userSpace(kernel, task.mm);
  const ranges: SearchRange[] = [];
  try {
    for (const { start, end } of vmas(kernel, task.mm)) ranges.push({ kind: "virtual", start, end, memory });
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`the mappings behind ${ranges.length} of them cannot be read: ${error.message}`);
  }
  return ranges;
}

/** The ranges between two addresses (as they are shown), the last one exclusive. */
export function clipped(ranges: readonly SearchRange[], from: bigint | undefined, to: bigint | undefined): SearchRange[] {
  return ranges.flatMap((range): SearchRange[] => {
    const base = range.kind === "physical" ? range.base : 0n;
    const [first, last] = [BigInt(range.start) + base, BigInt(range.end) + base];
    const start = from !== undefined && from > first ? from : first;
    const end = to !== undefined && to < last ? to : last;
    if (end <= start) return [];
    return range.kind === "physical"
      ? [{ ...range, start: Number(start - base), end: Number(end - base) }]
      : [{ ...range, start: virtual(start), end }];
  });
}

function virtualRange({ memory }: Kernel, start: VirtualAddress, end: bigint): SearchRange & { readonly kind: "virtual" } {
  return { kind: "virtual", start, end, memory };
}

function linearRanges(kernel: Kernel): SearchRange[] {
  const base = kernel.arch.linearOffset;
  if (base === undefined) return [];
  const maps = (at: number) => {
    const address = kernel.arch.toLinear(physical(BigInt(at)));
    try {
      return address !== undefined && kernel.memory.translate(address) === BigInt(at);
    } catch (error) {
      if (error instanceof FaultError) return false;
      throw error;
    }
  };
  const found: { kind: "physical"; start: number; end: number; base: bigint }[] = [];
  for (const range of kernel.dump.ranges) {
    const last = Number(range.end);
    for (let at = Number(range.start); at < last; ) {
      const end = Math.min(last, at - (at % BLOCK) + BLOCK);
      const before = found.at(-1);
      // Parts of a block may be unmapped (crashkernel, no-map regions begin anywhere): it counts when either end is mapped.
      if (maps(at) || maps(end - Math.min(kernel.arch.pageSize, end - at))) {
        if (before !== undefined && before.end === at) before.end = end;
        else found.push({ kind: "physical", start: at, end, base });
      }
      at = end;
    }
  }
  return found;
}

function areaRanges(kernel: Kernel, notes: string[]): (SearchRange & { readonly kind: "virtual" })[] {
  try {
    const { busy, notes: damage } = vmallocAreas(kernel);
    notes.push(...damage);
    // Device memory is in no dump.
    return busy.filter(({ physical: device }) => device === undefined).map(({ start, end }) => virtualRange(kernel, start, end));
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`vmalloc areas and modules are not searched: ${error.message}`);
    return [];
  }
}

/** The page structures of the dump's memory. */
function vmemmapRanges(kernel: Kernel): (SearchRange & { readonly kind: "virtual" })[] {
  const map = PageMap.of(kernel);
  const { pageSize } = kernel.arch;
  if (map === undefined || map.size === 0) return [];
  const ranges: { kind: "virtual"; start: VirtualAddress; end: bigint; memory: AddressSpace }[] = [];
  for (const { start, end } of kernel.dump.ranges) {
    const first = map.pageOf(Math.floor(Number(start) / pageSize));
    const last = map.pageOf(Math.ceil(Number(end) / pageSize) - 1);
    // A map in the linear memory (no SPARSEMEM_VMEMMAP) was searched with it.
    if (first === undefined || last === undefined || AddressRegions.of(kernel).of(first).region !== "vmemmap") continue;
    const from = virtual(first & -BigInt(pageSize));
    const to = add(virtual((last + BigInt(map.size - 1)) & -BigInt(pageSize)), pageSize);
    const before = ranges.at(-1);
    if (before !== undefined && from <= before.end) {
      if (to > before.end) before.end = to;
    } else ranges.push({ kind: "virtual", start: from, end: to, memory: kernel.memory });
  }
  return ranges;
}
