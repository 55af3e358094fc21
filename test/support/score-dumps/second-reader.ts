/**
 * Memory of a dump read by another way than kernel.memory: page tables walked here, bytes from the file by plain-elf.ts or
 * plain-kdump.ts (of other formats straight from the container's pages); edits laid over by hand.
 *
 *   x86-64   root: swapper_pg_dir − __START_KERNEL_map + NUMBER(phys_base); 4 levels, 5 with NUMBER(pgtable_l5_enabled)
 *   arm64    root: swapper_pg_dir − NUMBER(kimage_voffset); NUMBER(TCR_EL1_T1SZ), PAGESIZE
 *
 * Where VMCOREINFO has not told, the answer of `vtop` is taken: its walk is shown entry by entry.
 */
import type { Dump } from "../../../src/dump/dump.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import type { Edit } from "./overlay.ts";

const START_KERNEL_MAP = 0xffff_ffff_8000_0000n;
const PAGE_BITS = (1n << 48n) - 1n;

interface Walk {
  readonly root: bigint;
  /** Bits of the address below which each level's index lies, from the top. */
  readonly shifts: readonly number[];
  readonly pageShift: number;
  readonly isLeaf: (entry: bigint, level: number) => boolean;
}

/** A dump's file behind a reader of its own. */
export interface PlainFile {
  physical(address: bigint, length: number): Uint8Array | undefined;
  close(): void;
}

export class SecondReader {
  readonly #dump: Dump;
  readonly #plain: PlainFile | undefined;
  readonly #edits: readonly Edit[];
  readonly #walk: Walk | undefined;
  readonly #vtop: (address: bigint) => bigint | undefined;
  /** Addresses that vtop had to translate. */
  lent = 0;

  constructor(kernel: Kernel, plain: PlainFile | undefined, edits: readonly Edit[], vtop: (address: bigint) => bigint | undefined) {
    this.#dump = kernel.dump;
    this.#plain = plain;
    this.#edits = edits;
    this.#walk = kernel.arch.name === "x86_64" ? x86Walk(kernel) : arm64Walk(kernel);
    this.#vtop = vtop;
  }

  /** Little-endian number of 1 to 8 bytes at a virtual address; undefined where it cannot be read. */
  number(address: bigint, size: number): bigint | undefined {
    const bytes: number[] = [];
    while (bytes.length < size) {
      const here = BigInt.asUintN(64, address + BigInt(bytes.length));
      const physical = this.#translate(here);
      const count = Math.min(size - bytes.length, 4096 - Number(here & 4095n));
      const piece = physical === undefined ? undefined : this.#physical(physical, count);
      if (piece === undefined) return undefined;
      bytes.push(...piece);
    }
    return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  #translate(address: bigint): bigint | undefined {
    const own = this.#walk === undefined ? undefined : this.#walked(this.#walk, address);
    if (own !== undefined) return own;
    const lent = this.#vtop(address);
    if (lent !== undefined) this.lent++;
    return lent;
  }

  #walked({ root, shifts, pageShift, isLeaf }: Walk, address: bigint): bigint | undefined {
    let table = root;
    for (const [level, shift] of shifts.entries()) {
      const width = level === 0 ? 64 : (shifts[level - 1] as number) - shift;
      const index =
        level === 0 ? (address >> BigInt(shift)) & BigInt(2 ** (pageShift - 3) - 1) : BigInt.asUintN(width, address >> BigInt(shift));
      const bytes = this.#physical(table + index * 8n, 8);
      if (bytes === undefined) return undefined;
      const entry = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
      if ((entry & 1n) === 0n) return undefined;
      const frame = entry & PAGE_BITS & ~((1n << BigInt(pageShift)) - 1n);
      if (level === shifts.length - 1 || isLeaf(entry, level)) {
        const within = (1n << BigInt(shift)) - 1n;
        return (frame & ~within) | (address & within);
      }
      table = frame;
    }
    return undefined;
  }

  #physical(address: bigint, length: number): Uint8Array | undefined {
    const found = this.#plain?.physical(address, length) ?? this.#fromContainer(address, length);
    if (found === undefined) return undefined;
    const bytes = found.slice();
    for (const { physical, bytes: edited } of this.#edits) {
      for (let i = 0; i < length; i++) {
        const at = Number(address - physical) + i;
        if (at >= 0 && at < edited.length) bytes[i] = edited[at] as number;
      }
    }
    return bytes;
  }

  #fromContainer(address: bigint, length: number): Uint8Array | undefined {
    const { pageSize } = this.#dump;
    const page = new Uint8Array(pageSize);
    if (this.#dump.readPage(Math.floor(Number(address) / pageSize), page) !== undefined) return undefined;
    const offset = Number(address) % pageSize;
    return offset + length > pageSize ? undefined : page.slice(offset, offset + length);
  }
}

function x86Walk(kernel: Kernel): Walk | undefined {
  const root = kernel.tryAddress("init_top_pgt") ?? kernel.tryAddress("swapper_pg_dir");
  const base = kernel.vmcoreinfo?.number("phys_base");
  if (root === undefined || base === undefined) return undefined;
  const five = (kernel.vmcoreinfo?.number("pgtable_l5_enabled") ?? 0n) !== 0n;
  return {
    root: root - START_KERNEL_MAP + base,
    shifts: five ? [48, 39, 30, 21, 12] : [39, 30, 21, 12],
    pageShift: 12,
    // PS
    isLeaf: (entry) => (entry & 0x80n) !== 0n,
  };
}

function arm64Walk(kernel: Kernel): Walk | undefined {
  const info = kernel.vmcoreinfo;
  const root = kernel.tryAddress("swapper_pg_dir") ?? info?.symbol("swapper_pg_dir");
  const offset = info?.number("kimage_voffset");
  const size = info?.number("TCR_EL1_T1SZ");
  const page = info?.get("PAGESIZE");
  if (root === undefined || offset === undefined || size === undefined || page === undefined) return undefined;
  const pageShift = Math.log2(Number(page));
  const shifts: number[] = [];
  for (let shift = pageShift; shift < 64 - Number(size); shift += pageShift - 3) shifts.unshift(shift);
  return {
    root: BigInt.asUintN(64, root - BigInt.asIntN(64, offset)),
    shifts,
    pageShift,
    // A block has bit 1 clear.
    isLeaf: (entry) => (entry & 2n) === 0n,
  };
}
