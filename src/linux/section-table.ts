/**
 * The table of memory sections as far as it says where page structures lie (SPARSEMEM, include/linux/mmzone.h).
 *
 *   mem_section[root] ─► { section_mem_map, … } × (page size / 16)        section_mem_map = (page of the section's first pfn − pfn) | flags
 */
import { add, type Pfn, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { sectionSizeBits } from "./mem-section.ts";

/** SECTION_MAP_MASK: room for the flags in front of section_mem_map (six of them in 7.x; sizeof(struct page) leaves these bits clear). */
const SECTION_FLAGS = 0x3fn;
const SECTION_HAS_MEM_MAP = 2n;
/** Sections looked at before giving up: 2^19 of 128 MiB are 64 TiB. */
const MAX_SECTIONS = 1 << 19;
/** Bytes of mem_section[] at the least; a lone pointer and the gap behind it are smaller. */
const MIN_ROOTS = 1024;
/** Present sections that must agree before a common base is believed. */
const AGREEING = 16;

/** The table of memory sections (SPARSEMEM_EXTREME: an array of pointers to pages full of mem_section). */
export class Sections {
  readonly #kernel: Kernel;
  readonly #roots: VirtualAddress;
  readonly #size: number;
  readonly #offset: number;
  readonly #perRoot: number;
  readonly #bits: number;
  readonly #count: number;

  private constructor(kernel: Kernel, roots: VirtualAddress, size: number, offset: number) {
    this.#kernel = kernel;
    this.#roots = roots;
    this.#size = size;
    this.#offset = offset;
    this.#perRoot = Math.floor(kernel.arch.pageSize / size);
    this.#bits = sectionSizeBits(kernel);
    const all = Math.ceil((kernel.dump.maxPfn * kernel.dump.pageSize) / 2 ** this.#bits);
    this.#count = Math.min(MAX_SECTIONS, all, (kernel.vmcoreinfo?.length("mem_section") ?? MAX_SECTIONS) * this.#perRoot);
  }

  /** undefined where the kernel has none, or it cannot be found. */
  static of(kernel: Kernel): Sections | undefined {
    const struct = kernel.types.tryStruct("mem_section");
    const size = struct?.size ?? kernel.vmcoreinfo?.size("mem_section");
    const offset = struct?.tryField("section_mem_map")?.offset ?? kernel.vmcoreinfo?.offset("mem_section.section_mem_map");
    if (size === undefined || offset === undefined || size < 8 || size > kernel.arch.pageSize) return undefined;
    // VMCOREINFO gives the array; the variable is a pointer to it since 4.15 (83e3c48729d9), before it was the array of some KiB.
    let roots = kernel.vmcoreinfo?.symbol("mem_section");
    if (roots === undefined) {
      const symbol = kernel.tryAddress("mem_section");
      const isArray = (kernel.symbols.byName("mem_section")?.size ?? 0) >= MIN_ROOTS;
      roots = symbol === undefined || isArray ? symbol : kernel.memory.tryU64(symbol);
    }
    return roots === undefined || roots === 0n ? undefined : new Sections(kernel, virtual(roots), size, offset);
  }

  /** What the sections agree on; undefined when they differ or none is present. */
  commonBase(): VirtualAddress | undefined {
    let base: VirtualAddress | undefined;
    let seen = 0;
    for (let number = 0; number < this.#count && seen < AGREEING; ) {
      const root = this.#root(number);
      if (root === undefined) {
        number += this.#perRoot - (number % this.#perRoot);
        continue;
      }
      const here = this.#baseIn(root, number);
      number++;
      if (here === undefined) continue;
      if (base !== undefined && here !== base) return undefined;
      base = here;
      seen++;
    }
    return base;
  }

  /** Page of pfn 0 by the section of this one; undefined where the section is not there. */
  base(pfn: Pfn): VirtualAddress | undefined {
    const number = Math.floor((pfn * this.#kernel.arch.pageSize) / 2 ** this.#bits);
    const root = this.#root(number);
    return root === undefined ? undefined : this.#baseIn(root, number);
  }

  /** The frame that a page structure stands for, by whose section it lies in. */
  pfnOf(page: VirtualAddress, size: number): Pfn | undefined {
    const perSection = 2 ** (this.#bits - this.#kernel.arch.pageShift);
    for (let number = 0; number < this.#count; number++) {
      const base = this.base(number * perSection);
      if (base === undefined) continue;
      const distance = BigInt.asUintN(64, page - base);
      const pfn = Number(distance / BigInt(size));
      if (distance % BigInt(size) === 0n && Math.floor(pfn / perSection) === number) return pfn;
    }
    return undefined;
  }

  #root(number: number): VirtualAddress | undefined {
    const pointer = this.#kernel.memory.tryU64(add(this.#roots, Math.floor(number / this.#perRoot) * 8));
    return pointer === undefined || pointer === 0n ? undefined : virtual(pointer);
  }

  #baseIn(root: VirtualAddress, number: number): VirtualAddress | undefined {
    const map = this.#kernel.memory.tryU64(add(root, (number % this.#perRoot) * this.#size + this.#offset));
    return map === undefined || (map & SECTION_HAS_MEM_MAP) === 0n ? undefined : virtual(map & ~SECTION_FLAGS);
  }
}
