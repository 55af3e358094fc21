/**
 * Bytes of the units that were used last, bounded in sum: a unit is read whole when its entries are asked for, and forgotten when others
 * need the room. The kernel has 3,000 units of 70 KiB; a stack touches 20 of them.
 */
import type { AbbrevTable } from "./abbrev.ts";
import type { DwarfReader } from "./dwarf-reader.ts";

/** What a unit holds while its bytes are in memory. */
export interface LoadedUnit {
  readonly reader: DwarfReader;
  readonly abbrevs: AbbrevTable;
  /** When it was used last, on the cache's clock. */
  used: number;
}

/** Who gets its bytes from the cache, and gives them back. */
interface Holder {
  readonly loaded: LoadedUnit | undefined;
  unload(): void;
}

export class UnitBytes {
  /** Moves on with each use. */
  clock = 0;
  readonly #budget: number;
  /** With the bytes of each. */
  readonly #holders = new Map<Holder, number>();

  /** @param budget in bytes; one unit alone may be larger */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Bytes in memory now. */
  get held(): number {
    let sum = 0;
    for (const size of this.#holders.values()) sum += size;
    return sum;
  }

  /** Makes room for a unit that is about to be loaded. One whose loading was ended in its midst may be admitted again. */
  admit(holder: Holder, size: number): void {
    while (this.held + size > this.#budget && this.#holders.size > 0) this.#evict();
    this.#holders.set(holder, size);
  }

  #evict(): void {
    let oldest: Holder | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const holder of this.#holders.keys()) {
      const used = holder.loaded?.used ?? -1;
      if (used >= least) continue;
      oldest = holder;
      least = used;
    }
    if (oldest === undefined) return;
    oldest.unload();
    this.#holders.delete(oldest);
  }
}

/** All files of the process share one budget: a dump with a hundred modules must not need a hundred of them. */
export const sharedUnitBytes = new UnitBytes(24 << 20);
