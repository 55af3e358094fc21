/** Walks the direct children of an entry: behind each lies its sibling, or the end. */
import type { DwarfDie } from "./die-entry.ts";
import type { DwarfUnit } from "./unit.ts";

/** Finds the next child only when it is asked for; the unit may have been unloaded in between. */
export class UnitChildren implements IterableIterator<DwarfDie> {
  readonly #unit: DwarfUnit;
  #last: DwarfDie | undefined;
  readonly #parent: DwarfDie;

  constructor(unit: DwarfUnit, parent: DwarfDie) {
    this.#unit = unit;
    this.#parent = parent;
    this.#last = undefined;
  }

  [Symbol.iterator](): UnitChildren {
    return new UnitChildren(this.#unit, this.#parent);
  }

  next(): IteratorResult<DwarfDie, undefined> {
    const unit = this.#unit;
    const at = this.#last === undefined ? unit.firstChild(this.#parent) : unit.behind(this.#last);
    const die = unit.childAt(at);
    if (die === undefined) return { done: true, value: undefined };
    this.#last = die;
    return { done: false, value: die };
  }
}
