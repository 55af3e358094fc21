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
  readonly #holders = new Set<Holder>();
  #held = 0;

  /** @param budget in bytes; one unit alone may be larger */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Bytes in memory now. */
  get held(): number {
    return this.#held;
  }

  /** Makes room for a unit that is about to be loaded. */
  admit(holder: Holder, size: number): void {
    while (this.#held + size > this.#budget && this.#holders.size > 0) this.#evict();
    this.#holders.add(holder);
    this.#held += size;
  }

  #evict(): void {
    let oldest: Holder | undefined;
    for (const holder of this.#holders) if (oldest === undefined || holder.loaded!.used < oldest.loaded!.used) oldest = holder;
    this.#held -= oldest!.loaded!.reader.end;
    this.#holders.delete(oldest!);
    oldest!.unload();
  }
}

/** All files of the process share one budget: a dump with a hundred modules must not need a hundred of them. */
export const sharedUnitBytes = new UnitBytes(24 << 20);
