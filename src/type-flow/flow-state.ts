/**
 * What registers and stack slots hold before an instruction: for each the place in the code that gave it its value (its definition), and
 * what is known of that value.
 */
import { joinShapes, type Shape, sameShape } from "./shape.ts";

/** What gave a value. */
export type Definition =
  /** The caller. */
  | { readonly kind: "entry"; readonly register: string }
  /** An instruction, by its place in the function. */
  | { readonly kind: "step"; readonly step: number; readonly register: string | undefined }
  /** Several ways that meet at a block, each with its own. */
  | { readonly kind: "join"; readonly block: number; readonly location: Location };

/** A register by its name, or a stack slot by its distance from the canonical frame address. */
export type Location = string | number;

export interface Fact {
  readonly by: Definition;
  readonly shape: Shape | undefined;
}

/** A value that was stored on the stack. */
export interface Slot {
  readonly fact: Fact;
  /** Bytes. */
  readonly size: number;
}

export class FlowState {
  readonly registers: Map<string, Fact>;
  /** By distance from the canonical frame address. */
  readonly slots: Map<number, Slot>;

  constructor(registers: ReadonlyMap<string, Fact>, slots: ReadonlyMap<number, Slot> = new Map()) {
    this.registers = new Map(registers);
    this.slots = new Map(slots);
  }

  copy(): FlowState {
    return new FlowState(this.registers, this.slots);
  }

  /** Writes a slot; whatever it overlaps is gone. */
  store(offset: number, size: number, fact: Fact): void {
    this.forget(offset, offset + size);
    this.slots.set(offset, { fact, size });
  }

  /** Forgets slots that reach into a range of distances. */
  forget(low: number, high: number): void {
    for (const [at, { size }] of this.slots) if (at < high && at + size > low) this.slots.delete(at);
  }
}

/** One definition for each join, so that facts can be compared by it. */
export class Joins {
  readonly #made = new Map<string, Definition>();

  at(block: number, location: Location): Definition {
    const key = `${block} ${location}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made: Definition = { kind: "join", block, location };
    this.#made.set(key, made);
    return made;
  }
}

export function sameFact(a: Fact, b: Fact): boolean {
  return a.by === b.by && sameShape(a.shape, b.shape);
}

export function sameState(a: FlowState, b: FlowState): boolean {
  if (a.registers.size !== b.registers.size || a.slots.size !== b.slots.size) return false;
  for (const [name, fact] of a.registers) {
    const other = b.registers.get(name);
    if (other === undefined || !sameFact(fact, other)) return false;
  }
  for (const [at, slot] of a.slots) {
    const other = b.slots.get(at);
    if (other === undefined || other.size !== slot.size || !sameFact(slot.fact, other.fact)) return false;
  }
  return true;
}

/** Where ways meet at a block: what holds on all of them. */
export function joinStates(states: readonly FlowState[], block: number, joins: Joins): FlowState {
  const [first, ...rest] = states;
  if (first === undefined) return new FlowState(new Map());
  const joined = first.copy();
  for (const [name, fact] of first.registers) {
    joined.registers.set(
      name,
      joinFacts(
        fact,
        rest.map((state) => state.registers.get(name)),
        block,
        name,
        joins,
      ),
    );
  }
  for (const [at, { fact, size }] of first.slots) {
    const others = rest.map((state) => state.slots.get(at));
    if (others.some((slot) => slot === undefined || slot.size !== size)) joined.slots.delete(at);
    else
      joined.slots.set(at, {
        size,
        fact: joinFacts(
          fact,
          others.map((slot) => slot?.fact),
          block,
          at,
          joins,
        ),
      });
  }
  return joined;
}

function joinFacts(first: Fact, others: readonly (Fact | undefined)[], block: number, location: Location, joins: Joins): Fact {
  let { shape } = first;
  let one = true;
  for (const other of others) {
    if (other === first) continue;
    if (other?.by !== first.by) one = false;
    shape = joinShapes(shape, other?.shape);
  }
  if (one) return sameShape(shape, first.shape) ? first : { by: first.by, shape };
  return { by: joins.at(block, location), shape };
}
