/**
 * arm64 stage-1 translation tables: granules of 4, 16 and 64 KiB, 36 to 52 bits of virtual address.
 * Source: Arm ARM (DDI 0487) D8.3; arch/arm64/include/asm/pgtable-hwdef.h, arch/arm64/mm/proc.S.
 *
 *   each level resolves (page_shift − 3) bits, the top one what is left:
 *   4 KiB, 48 bits   47…39 38…30 29…21 20…12 11…0        16 KiB, 48 bits  47 46…36 35…25 24…14 13…0
 *   4 KiB, 52 bits   51…48 47…39 38…30 29…21 20…12 11…0  64 KiB, 52 bits  51…42 41…29 28…16 15…0
 *
 *   descriptor: [1:0] = 3 table or page, 1 block, even = none.   Output address:
 *     48-bit PA    [47:page_shift]
 *     LPA2 (4/16 KiB and 52-bit VA)   [49:page_shift], and [9:8] → PA[51:50]
 *     LPA (64 KiB)                    [47:16], and [15:12] → PA[51:48]
 */
import type { PhysicalAddress, VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";
import type { PageTables, Walk, WalkStep } from "./architecture.ts";

/** Regime of one address space. */
export interface Arm64Regime {
  /** log2 of the granule: 12, 14 or 16. */
  readonly pageShift: number;
  /** Bits of virtual address that the tables are built for. With 64 KiB pages the configured VA_BITS even when the CPU runs with 48. */
  readonly virtualBits: number;
  /** 52-bit descriptors of 4 and 16 KiB granules (TCR_EL1.DS). */
  readonly lpa2: boolean;
}

/**
 * A present page that may not be touched keeps its type bit (1) without the valid bit (0), and is marked by PTE_PRESENT_INVALID = nG
 * (bit 11, since 6.10) or PTE_PROT_NONE (bit 58, before). Swap entries have both type bits clear.
 */
const PRESENT_INVALID = (1n << 11n) | (1n << 58n);

export class Arm64PageTables implements PageTables {
  readonly #physical: PhysicalMemory;
  readonly #root: PhysicalAddress;
  readonly #regime: Arm64Regime;
  readonly #levels: number;
  readonly #bits: bigint;
  #lastRange = -1n;
  #lastTable = 0n as PhysicalAddress;

  constructor(physical: PhysicalMemory, root: PhysicalAddress, regime: Arm64Regime) {
    this.#physical = physical;
    this.#root = root;
    this.#regime = regime;
    this.#bits = BigInt(regime.pageShift - 3);
    this.#levels = Math.ceil((regime.virtualBits - regime.pageShift) / (regime.pageShift - 3));
  }

  #output(descriptor: bigint, shift: bigint): bigint {
    return arm64Output(this.#regime, descriptor, shift);
  }

  /** Address of a next-level table: as #output, but a table is only page aligned. */
  #table(descriptor: bigint): PhysicalAddress {
    return this.#output(descriptor, BigInt(this.#regime.pageShift)) as PhysicalAddress;
  }

  translate(address: VirtualAddress): PhysicalAddress {
    const shift = BigInt(this.#regime.pageShift);
    if (BigInt.asUintN(64, address >> (shift + this.#bits)) === this.#lastRange) {
      const index = (address >> shift) & ((1n << this.#bits) - 1n);
      const entry = this.#physical.u64(BigInt.asUintN(64, this.#lastTable + (index << 3n)) as PhysicalAddress);
      if ((entry & 3n) === 3n) return (this.#output(entry, shift) | (address & ((1n << shift) - 1n))) as PhysicalAddress;
    }
    const walk = this.#walk(address, undefined);
    if (typeof walk === "string") throw new FaultError(address, "virtual", "unmapped", walk);
    return walk.physical;
  }

  walk(address: VirtualAddress): Walk {
    const steps: WalkStep[] = [];
    let result: { physical: PhysicalAddress; shift: bigint } | string;
    try {
      result = this.#walk(address, steps);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      result = error.message;
    }
    if (typeof result === "string") return { steps, physical: undefined, pageSize: undefined, reason: result };
    return { steps, physical: result.physical, pageSize: 2 ** Number(result.shift), reason: undefined };
  }

  #walk(address: VirtualAddress, steps: WalkStep[] | undefined): { physical: PhysicalAddress; shift: bigint } | string {
    const { virtualBits, pageShift } = this.#regime;
    const sign = BigInt.asUintN(64, address) >> BigInt(virtualBits);
    if (sign !== 0n && sign !== (1n << BigInt(64 - virtualBits)) - 1n) return "not canonical";
    let table = this.#root;
    for (let level = 0; level < this.#levels; level++) {
      const remaining = this.#levels - 1 - level;
      const shift = BigInt(pageShift) + BigInt(remaining) * this.#bits;
      const width = level === 0 ? BigInt(virtualBits) - shift : this.#bits;
      const index = (address >> shift) & ((1n << width) - 1n);
      const entryAddress = BigInt.asUintN(64, table + (index << 3n)) as PhysicalAddress;
      const entry = this.#physical.u64(entryAddress);
      const name = levelName(this.#levels, level);
      steps?.push({ level: name, entryAddress, entry });
      const last = remaining === 0;
      const kind = entry & 3n;
      const protNone = last && kind === 2n && (entry & PRESENT_INVALID) !== 0n;
      if ((kind & 1n) === 0n && !protNone) return `no ${name} entry`;
      if (last && kind !== 3n && !protNone) return `reserved ${name} entry`;
      if (last || kind === 1n) {
        return { physical: (this.#output(entry, shift) | (address & ((1n << shift) - 1n))) as PhysicalAddress, shift };
      }
      table = this.#table(entry);
      if (remaining === 1) {
        this.#lastRange = BigInt.asUintN(64, address >> (BigInt(pageShift) + this.#bits));
        this.#lastTable = table;
      }
    }
    return "no PTE entry";
  }
}

/** Output address of a descriptor whose range is 2^shift bytes. */
export function arm64Output({ pageShift, lpa2 }: Arm64Regime, descriptor: bigint, shift: bigint): bigint {
  const low = (1n << shift) - 1n;
  if (pageShift === 16) return ((descriptor & 0x0000_ffff_ffff_0000n) | ((descriptor & 0xf000n) << 36n)) & ~low;
  if (lpa2) return ((descriptor & 0x0003_ffff_ffff_f000n) | ((descriptor & 0x300n) << 42n)) & ~low;
  return descriptor & 0x0000_ffff_ffff_f000n & ~low;
}

/** True for a descriptor that maps a page: valid, or invalid with the bit that marks it as present. */
export function arm64EntryPresent(entry: bigint): boolean {
  return (entry & 1n) === 1n || ((entry & 2n) !== 0n && (entry & PRESENT_INVALID) !== 0n);
}

/** The kernel folds levels from below the PGD: two levels are PGD and PTE, three PGD, PMD, PTE, … */
function levelName(levels: number, level: number): string {
  const names = ["PGD", "P4D", "PUD", "PMD", "PTE"];
  return level === 0 ? "PGD" : (names[5 - levels + level] as string);
}

const FLAGS: readonly (readonly [bigint, string])[] = [
  [1n << 0n, "VALID"],
  [1n << 6n, "USER"],
  [1n << 7n, "RDONLY"],
  [3n << 8n, "SHARED"],
  [1n << 10n, "AF"],
  [1n << 11n, "NG"],
  [1n << 51n, "DBM"],
  [1n << 52n, "CONT"],
  [1n << 53n, "PXN"],
  [1n << 54n, "UXN"],
  [1n << 55n, "DIRTY"],
  [1n << 56n, "SPECIAL"],
];

/** Flag names of a descriptor, crash's words. */
export function arm64EntryFlags(entry: bigint): readonly string[] {
  return FLAGS.filter(([bits]) => (entry & bits) === bits).map(([, name]) => name);
}
