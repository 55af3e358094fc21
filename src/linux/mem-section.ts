/**
 * Memory sections (SPARSEMEM) and memory blocks, the units in which memory comes and goes.
 * Source: include/linux/mmzone.h, mm/sparse.c, drivers/base/memory.c.
 *
 *   mem_section[root] ─► mem_section × (page size / sizeof)      section_mem_map = (page of its first pfn − pfn) | state bits
 *   memory_blocks (xarray, 5.8, 4fb6eabf1037) ─► memory_block { start_section_nr, state, nid, dev }   of sections_per_block sections each
 *
 *   state bits   0 P present   1 M has a mem_map   2 O online (4.13)   3 E early: there since boot (5.3)   4 D device memory (5.12)
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { type InquestError, UnsupportedError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { unlessBroken, untilBroken } from "./until-broken.ts";
import { xarrayEntries, xarrayLayout } from "./xarray.ts";

export interface MemorySection {
  readonly number: number;
  /** Its mem_section. */
  readonly address: VirtualAddress;
  /** The mem_map, less its first pfn, without the state bits. */
  readonly coded: VirtualAddress;
  readonly startPfn: number;
  /** "PMOE". */
  readonly state: string;
}

/** Room for the bits below sizeof(struct page). */
const STATE_MASK = 0x3fn;
const STATE_LETTERS = "PMOED";
/** Roots read in one piece; one covers some 256 sections of 128 MiB. */
const MAX_ROOTS = 1 << 17;
const MAX_BLOCKS = 1 << 20;

/** SECTION_SIZE_BITS: VMCOREINFO (5.8 on), else asm/sparsemem.h: arm64 had 30 until 5.11, then 27, or 29 with 64 KiB pages (f0b13ee23241). */
export function sectionSizeBits(kernel: Kernel): number {
  const told = kernel.vmcoreinfo?.number("SECTION_SIZE_BITS");
  if (told !== undefined) return Number(told);
  return kernel.arch.name === "x86_64" ? 27 : 30;
}

/** Sections with memory, ascending. Throws LookupError without SPARSEMEM, FaultError when their table cannot be read. */
export function* memorySections(kernel: Kernel, broken: (error: InquestError) => void): Generator<MemorySection, void, undefined> {
  const struct = kernel.types.struct("mem_section");
  const map = struct.field("section_mem_map");
  const perRoot = Math.floor(kernel.arch.pageSize / struct.size);
  const table = sectionRoots(kernel);
  const perSection = 2 ** (sectionSizeBits(kernel) - kernel.arch.pageShift);
  const roots = Math.min(MAX_ROOTS, Math.ceil(sectionLimit(kernel, perSection) / perRoot));
  for (let root = 0; root < roots; root++) {
    const pointer = unlessBroken(() => kernel.memory.u64(add(table, root * 8)), broken);
    // What cannot be read, or is no address, ends the table: what is behind it is as doubtful.
    if (pointer === undefined) return;
    if (pointer === 0n || !kernel.arch.isKernelAddress(pointer)) continue;
    const bytes = unlessBroken(() => kernel.memory.bytes(virtual(pointer), perRoot * struct.size), broken);
    if (bytes === undefined) continue;
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < perRoot; i++) {
      const word = view.getBigUint64(i * struct.size + map.offset, true);
      if ((word & 1n) === 0n) continue;
      const number = root * perRoot + i;
      const letters = [...STATE_LETTERS].filter((_, bit) => ((word >> BigInt(bit)) & 1n) === 1n).join("");
      const address = add(virtual(pointer), i * struct.size);
      yield { number, address, coded: virtual(word & ~STATE_MASK), startPfn: number * perSection, state: letters };
    }
  }
}

/** mem_section[]: an array, or since 4.15 (83e3c48729d9) a pointer to one. */
function sectionRoots(kernel: Kernel): VirtualAddress {
  const told = kernel.vmcoreinfo?.symbol("mem_section");
  if (told !== undefined) return virtual(told);
  const symbol = kernel.address("mem_section");
  const isArray = (kernel.symbols.byName("mem_section")?.size ?? 0) > 256;
  return isArray ? symbol : virtual(kernel.memory.u64(symbol));
}

/** One above the highest section: __highest_present_section_nr (4.12), else what the dump covers. */
function sectionLimit(kernel: Kernel, perSection: number): number {
  const symbol = kernel.tryAddress("__highest_present_section_nr");
  const told = symbol === undefined ? undefined : kernel.memory.tryU64(symbol);
  if (told !== undefined && told < 1n << 32n) return Number(told) + 1;
  return Math.ceil((kernel.dump.maxPfn * kernel.dump.pageSize) / kernel.arch.pageSize / perSection);
}

export interface MemoryBlock {
  readonly address: VirtualAddress;
  readonly name: string;
  readonly startSection: number;
  /** Physical addresses; `end` is exclusive, undefined when the block's size is not known. */
  readonly start: bigint;
  readonly end: bigint | undefined;
  /** Absent before 4.17. */
  readonly node: number | undefined;
  /** ONLINE, OFFLINE, GOING_OFFLINE … */
  readonly state: string;
}

/** Macros before memory_block_state became an enum in 6.19. */
const STATES: ReadonlyMap<number, string> = new Map([
  [1, "ONLINE"],
  [2, "GOING_OFFLINE"],
  [4, "OFFLINE"],
  [8, "GOING_ONLINE"],
  [16, "CANCEL_ONLINE"],
  [32, "CANCEL_OFFLINE"],
]);

/** Blocks, ascending; none without memory hotplug. Throws LookupError when this dump does not name them, as before 5.8. */
export function memoryBlocks(kernel: Kernel, broken: (error: InquestError) => void): readonly MemoryBlock[] {
  const struct = kernel.types.tryStruct("memory_block");
  // The type goes with CONFIG_MEMORY_HOTPLUG.
  if (struct?.tryField("start_section_nr") === undefined) return [];
  const table = kernel.address("memory_blocks");
  const head = kernel.types.tryStruct("xarray")?.field("xa_head");
  const layout = xarrayLayout(kernel.types);
  if (head === undefined || layout === undefined) throw new UnsupportedError("memory blocks are not listed: there is no xarray type");
  const start = struct.field("start_section_nr");
  const state = struct.field("state");
  const stateType = strip(state.type);
  const node = struct.tryField("nid");
  const name = struct.field("dev.kobj.name");
  const counter = kernel.tryAddress("sections_per_block");
  const perBlock = counter === undefined ? undefined : kernel.memory.tryU32(counter);
  const sectionBytes = 2n ** BigInt(sectionSizeBits(kernel));
  const read = (address: VirtualAddress): MemoryBlock => {
    const first = start.number(address);
    const value = state.number(address);
    const enumerator = stateType.kind === "enum" ? stateType.enumerators.find((each) => Number(each.value) === value)?.name : undefined;
    const base = BigInt(first) * sectionBytes;
    return {
      address,
      name: kernel.memory.cString(name.pointer(address), 64),
      startSection: first,
      start: base,
      end: perBlock === undefined || perBlock === 0 ? undefined : base + BigInt(perBlock) * sectionBytes,
      node: node?.number(address),
      state: enumerator?.replace("MEM_", "") ?? STATES.get(value) ?? `state ${value}`,
    };
  };
  const blocks: MemoryBlock[] = [];
  for (const { entry } of untilBroken(xarrayEntries(kernel.memory, layout, head.pointer(table)), broken)) {
    if (blocks.length >= MAX_BLOCKS) break;
    const block = unlessBroken(() => read(entry), broken);
    if (block !== undefined) blocks.push(block);
  }
  return blocks;
}
