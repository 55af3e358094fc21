/**
 * x86-64 page tables: four or five levels of 512 entries, pages of 4 KiB, 2 MiB and 1 GiB.
 * Source: Intel SDM vol. 3A §4.5; arch/x86/include/asm/pgtable_types.h.
 *
 *   five levels   63…57 56…48 47…39 38…30 29…21 20…12 11…0
 *                 sign   PGD   P4D   PUD   PMD   PTE  offset
 *   entry         63 NX · 51…12 frame (less the memory-encryption bit) · 8 G/PROTNONE · 7 PSE · 6 D · 5 A · 2 US · 1 RW · 0 P
 */
import { type PhysicalAddress, signed, type VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";
import type { PageTables, Walk, WalkStep } from "./architecture.ts";

const PRESENT = 1n << 0n;
const LARGE = 1n << 7n;
/** A present page without access rights: P clear, G set (pgtable_types.h, _PAGE_BIT_PROTNONE). */
const PROTNONE = 1n << 8n;
const FRAME = 0x000f_ffff_ffff_f000n;

const LEVELS_5 = ["PGD", "P4D", "PUD", "PMD", "PTE"] as const;
const LEVELS_4 = ["PGD", "PUD", "PMD", "PTE"] as const;

/** True for an entry that maps a page. */
export function x86EntryPresent(entry: bigint): boolean {
  return (entry & (PRESENT | PROTNONE)) !== 0n;
}

/** Frame bits of an entry. Of a PROT_NONE entry the kernel stores the frame inverted, against L1TF (pgtable-invert.h, 4.19). */
export function frameOf(entry: bigint, encryptionMask: bigint): bigint {
  const value = (entry & PRESENT) === 0n ? BigInt.asUintN(64, ~entry) : entry;
  return BigInt.asUintN(64, value & FRAME & ~encryptionMask);
}

/** One address space of an x86-64 machine. */
export class X86PageTables implements PageTables {
  readonly #physical: PhysicalMemory;
  readonly #root: PhysicalAddress;
  readonly #levels: readonly string[];
  readonly #encryptionMask: bigint;
  /** First bit of the top index. */
  readonly #topShift: bigint;
  /** Tables of the last walk: most reads stay in one 2 MiB range, so its PTE table is kept. */
  #lastRange = -1n;
  #lastTable = 0n as PhysicalAddress;

  /** @param root physical address of the top table; @param encryptionMask sme_mask of VMCOREINFO, 0 when off */
  constructor(physical: PhysicalMemory, root: PhysicalAddress, fiveLevels: boolean, encryptionMask: bigint) {
    this.#physical = physical;
    this.#root = root;
    this.#levels = fiveLevels ? LEVELS_5 : LEVELS_4;
    this.#encryptionMask = encryptionMask;
    this.#topShift = fiveLevels ? 48n : 39n;
  }

  translate(address: VirtualAddress): PhysicalAddress {
    const range = BigInt.asUintN(64, address >> 21n);
    if (range === this.#lastRange) {
      const entry = this.#physical.u64(BigInt.asUintN(64, this.#lastTable + ((address >> 9n) & 0xff8n)) as PhysicalAddress);
      if ((entry & (PRESENT | PROTNONE)) !== 0n) {
        return BigInt.asUintN(64, frameOf(entry, this.#encryptionMask) + (address & 0xfffn)) as PhysicalAddress;
      }
    }
    const walk = this.#walk(address, undefined);
    if (typeof walk === "string") throw new FaultError(address, "virtual", "unmapped", walk);
    return walk;
  }

  walk(address: VirtualAddress): Walk {
    const steps: WalkStep[] = [];
    let result: PhysicalAddress | string;
    try {
      result = this.#walk(address, steps);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      result = error.message;
    }
    if (typeof result === "string") return { steps, physical: undefined, pageSize: undefined, reason: result };
    const leaf = steps.at(-1)?.level;
    const pageSize = leaf === "PTE" ? 4096 : leaf === "PMD" ? 2 << 20 : 2 ** 30;
    return { steps, physical: result, pageSize, reason: undefined };
  }

  /** The physical address, or the reason why there is none. A table that cannot be read throws FaultError (physical). */
  #walk(address: VirtualAddress, steps: WalkStep[] | undefined): PhysicalAddress | string {
    const width = this.#topShift + 9n;
    if (signed(address, 64) !== signed(address, Number(width))) return "not canonical";
    let table = this.#root;
    let shift = this.#topShift;
    for (const level of this.#levels) {
      const entryAddress = BigInt.asUintN(64, table + (((address >> shift) & 0x1ffn) << 3n)) as PhysicalAddress;
      const entry = this.#physical.u64(entryAddress);
      steps?.push({ level, entryAddress, entry });
      const last = shift === 12n;
      if ((entry & PRESENT) === 0n && !((last || shift === 21n) && (entry & PROTNONE) !== 0n)) return `no ${level} entry`;
      if (last || ((entry & LARGE) !== 0n && shift <= 30n)) {
        const low = (1n << shift) - 1n;
        return BigInt.asUintN(64, (frameOf(entry, this.#encryptionMask) & ~low) | (address & low)) as PhysicalAddress;
      }
      table = frameOf(entry, this.#encryptionMask) as PhysicalAddress;
      shift -= 9n;
      if (shift === 12n) {
        this.#lastRange = BigInt.asUintN(64, address >> 21n);
        this.#lastTable = table;
      }
    }
    return "no PTE entry";
  }
}

const FLAGS: readonly (readonly [bigint, string])[] = [
  [1n << 0n, "PRESENT"],
  [1n << 1n, "RW"],
  [1n << 2n, "USER"],
  [1n << 3n, "PWT"],
  [1n << 4n, "PCD"],
  [1n << 5n, "ACCESSED"],
  [1n << 6n, "DIRTY"],
  [1n << 7n, "PSE"],
  [1n << 8n, "GLOBAL"],
  [1n << 63n, "NX"],
];

/** Flag names of an entry, crash's words; PROTNONE for a page that is there and may not be touched. */
export function x86EntryFlags(entry: bigint): readonly string[] {
  if ((entry & PRESENT) === 0n) return (entry & PROTNONE) !== 0n ? ["PROTNONE"] : [];
  return FLAGS.filter(([bit]) => (entry & bit) !== 0n).map(([, name]) => name);
}
