/**
 * Which of its caller's registers a function has saved at an instruction, and where, from nothing but its code: the state at the entry is
 * carried along every way through the function. Ways that meet must agree; what they do not agree on is not known.
 *
 *   entry         rsp = CFA − 8     rbx: the caller's
 *   push %rbx     rsp = CFA − 16    rbx: at CFA − 16
 *   je out ───────────────┐
 *   sub $24,%rsp          │         rsp = CFA − 40
 *   …                     │
 *   add $24,%rsp          │
 *   out: ◄────────────────┘         rsp = CFA − 16: both ways agree
 *   pop %rbx                        rbx: the caller's again
 *
 * Compilers write a callee-saved register only while its caller's value is saved, so one that was not saved yet is the caller's. Where
 * a plain write to such a register is met it is not, and what holds it is not known from there on.
 */
import type { Effect, FlowInstruction, FlowMachine } from "./register-effects.ts";

/** The state at an instruction. Distances count from the CFA down; undefined where not known. */
export interface SavedState {
  /** CFA − sp. */
  readonly depth: number | undefined;
  /** CFA − fp, while fp is known to point into the frame. */
  readonly frame: number | undefined;
  /** "same": the register has the caller's value. A number: that lies at CFA − number. */
  of(register: number): "same" | number | undefined;
}

/** A stretch of a function's code; the offset counts from the function's first byte. */
export interface CodePart {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What the flow asks about other code, by offset from the function's first byte. */
export interface FlowHelp {
  /** Another part of the function (`foo.cold`), where a jump leads to one. */
  part(target: number): CodePart | undefined;
  /** Does the function called there return? What follows the call of one that does not is other code, reached in other ways or never. */
  returns(target: number): boolean;
}

/** Compilers split a function into two. */
const MAX_PARTS = 4;

function within({ offset, bytes }: CodePart, at: number): boolean {
  return at >= offset && at < offset + bytes.length;
}

/** State as numbers: depth, fp, then one for each watched register: 0 is "same". */
type Numbers = Int32Array;
const UNKNOWN = -1;
const SAME = 0;
const DEPTH = 0;
const FRAME = 1;
const FIRST = 2;

/** A state may get less known this often at one place: once for each of its parts. More visits than this are a defect. */
const MAX_VISITS = 64;

export class RegisterSaves {
  readonly #machine: FlowMachine;
  readonly #instructions = new Map<number, FlowInstruction>();
  /** States where ways meet: targets, and what follows an instruction without a way on. */
  readonly #states = new Map<number, Numbers | undefined>();
  readonly #parts: CodePart[] = [];
  #leaders: Float64Array | undefined;

  private constructor(machine: FlowMachine) {
    this.#machine = machine;
  }

  /** Follows a function from its first byte; undefined when the code cannot be read as instructions from end to end. */
  static of(machine: FlowMachine, code: Uint8Array, help: FlowHelp): RegisterSaves | undefined {
    const saves = new RegisterSaves(machine);
    return saves.#decode(code, help) && saves.#follow() ? saves : undefined;
  }

  /**
   * May a function return? It has a return, or a jump out of it. True when its code cannot be read.
   * @param isOwn is a place outside of these bytes a part of the function all the same?
   */
  static mayReturn(machine: FlowMachine, code: Uint8Array, isOwn: (target: number) => boolean): boolean {
    for (let at = 0; at < code.length; ) {
      const found = machine.decode(code, at);
      if (found === undefined || found.way === "return") return true;
      const leaves = (found.way === "jump" || found.way === "branch") && (found.target < 0 || found.target >= code.length);
      if (leaves && !isOwn(found.target)) return true;
      at += found.size;
    }
    return false;
  }

  /** Is the offset in one of the function's parts? */
  covers(offset: number): boolean {
    return this.#parts.some((part) => within(part, offset));
  }

  /** The state before the instruction at an offset; undefined when no way leads there, or no instruction begins there. */
  before(offset: number): SavedState | undefined {
    const found = this.#numbersBefore(offset);
    return found === undefined ? undefined : this.#described(found);
  }

  /** The state before the instruction that ends at an offset: a call, by its return address. */
  beforeEnding(end: number): SavedState | undefined {
    for (let size = 1; size <= 15; size++) if (this.#instructions.get(end - size)?.size === size) return this.before(end - size);
    return undefined;
  }

  #described(state: Numbers): SavedState {
    const known = (value: number | undefined) => (value === undefined || value === UNKNOWN ? undefined : value);
    return {
      depth: known(state[DEPTH]),
      frame: known(state[FRAME]),
      of: (register) => {
        const index = this.#machine.watched.indexOf(register);
        const value = index < 0 ? undefined : known(state[FIRST + index]);
        return value === SAME ? "same" : value;
      },
    };
  }

  #decode(code: Uint8Array, help: FlowHelp): boolean {
    this.#states.set(0, undefined);
    this.#parts.push({ offset: 0, bytes: code });
    for (let i = 0; i < this.#parts.length; i++) {
      if (!this.#decodePart(this.#parts[i] as CodePart, help)) return false;
      for (const target of this.#states.keys()) {
        const known = this.#parts.length >= MAX_PARTS || this.covers(target);
        const part = known ? undefined : help.part(target);
        if (part !== undefined && within(part, target)) this.#parts.push(part);
      }
    }
    for (const leader of this.#states.keys()) {
      // A target between instructions: what was taken for code is none. One outside is a jump to another function.
      if (this.#instructions.has(leader)) continue;
      if (this.covers(leader)) return false;
      this.#states.delete(leader);
    }
    return true;
  }

  #decodePart({ offset, bytes }: CodePart, help: FlowHelp): boolean {
    for (let at = 0; at < bytes.length; ) {
      const found = this.#machine.decode(bytes, at);
      if (found === undefined) return false;
      const target = found.target + offset;
      const way = found.way === "call" ? (help.returns(target) ? "on" : "out") : found.way;
      this.#instructions.set(offset + at, offset === 0 && way === found.way ? found : { ...found, way, target });
      at += found.size;
      if (way === "branch" || way === "jump") this.#states.set(target, undefined);
      if (way !== "on" && at < bytes.length) this.#states.set(offset + at, undefined);
    }
    return true;
  }

  /**
   * Places that no way leads to stay without a state: targets of computed jumps, of faults, of switches (jump labels) that are off. What is
   * known elsewhere does not hold for them.
   */
  #follow(): boolean {
    const entry = new Int32Array(FIRST + this.#machine.watched.length);
    entry[DEPTH] = this.#machine.entryDepth;
    entry[FRAME] = UNKNOWN;
    return this.#spread([[0, entry]]);
  }

  /** Carries states on until nothing changes. */
  #spread(work: (readonly [number, Numbers])[]): boolean {
    let left = (this.#states.size + 1) * MAX_VISITS;
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      if (left-- < 0) return false;
      const [start, state] = next;
      const known = this.#states.get(start);
      const merged = known === undefined ? state.slice() : merge(known, state);
      if (merged === undefined) continue;
      this.#states.set(start, merged);
      this.#walk(start, merged, undefined, (target, at) => {
        if (this.#states.has(target)) work.push([target, at]);
      });
    }
    return true;
  }

  /**
   * Runs a block from its start. @param until where to stop, giving the state there; undefined when the block ends before
   * @param onward told every place that the block leads to
   */
  #walk(start: number, from: Numbers, until: number | undefined, onward?: (target: number, state: Numbers) => void): Numbers | undefined {
    const state = from.slice();
    for (let at = start; ; ) {
      if (at === until) return state;
      const found = this.#instructions.get(at);
      if (found === undefined) return undefined;
      for (const effect of found.effects) this.#apply(state, effect);
      at += found.size;
      if (found.way === "branch" || found.way === "jump") onward?.(found.target, state.slice());
      if (found.way === "jump" || found.way === "return" || found.way === "out") return undefined;
      if (this.#states.has(at)) {
        onward?.(at, state.slice());
        return undefined;
      }
    }
  }

  #numbersBefore(offset: number): Numbers | undefined {
    this.#leaders ??= Float64Array.from(this.#states.keys()).sort();
    let low = 0;
    let high = this.#leaders.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#leaders[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    const start = this.#leaders[low - 1];
    const state = start === undefined ? undefined : this.#states.get(start);
    return start === undefined || state === undefined ? undefined : this.#walk(start, state, offset);
  }

  #apply(state: Numbers, effect: Effect): void {
    const depth = state[DEPTH] as number;
    switch (effect.kind) {
      case "sp add":
        if (depth !== UNKNOWN) state[DEPTH] = checked(depth - effect.bytes);
        return;
      case "sp unknown":
        state[DEPTH] = UNKNOWN;
        return;
      case "sp from fp":
        state[DEPTH] = state[FRAME] === UNKNOWN ? UNKNOWN : checked((state[FRAME] as number) - effect.offset);
        return;
      case "fp from sp":
        state[FRAME] = depth === UNKNOWN ? UNKNOWN : checked(depth - effect.offset);
        return;
      default:
        this.#registerEffect(state, effect);
    }
  }

  #registerEffect(state: Numbers, effect: Extract<Effect, { readonly register: number }>): void {
    const index = this.#machine.watched.indexOf(effect.register);
    if (index < 0) return;
    const base = effect.kind === "write" ? UNKNOWN : (state[effect.base === "sp" ? DEPTH : FRAME] as number);
    if (effect.kind !== "store" && effect.register === this.#machine.frameRegister) state[FRAME] = UNKNOWN;
    const known = state[FIRST + index] as number;
    const slot = effect.kind === "write" || base === UNKNOWN ? UNKNOWN : checked(base - effect.offset) || UNKNOWN;
    // A later store is of a value of the function's own; a load from where the caller's value lies puts that back.
    if (known === SAME) state[FIRST + index] = effect.kind === "store" ? slot : UNKNOWN;
    else if (effect.kind === "load" && slot !== UNKNOWN && known === slot) state[FIRST + index] = SAME;
  }
}

/** Distances that no frame has are not known. */
function checked(distance: number): number {
  return distance >= 0 && distance < 1 << 24 ? distance : UNKNOWN;
}

/** What two states agree on; undefined when that is all of the first. */
function merge(known: Numbers, other: Numbers): Numbers | undefined {
  let merged: Numbers | undefined;
  for (let i = 0; i < known.length; i++) {
    if (known[i] === UNKNOWN || known[i] === other[i]) continue;
    merged ??= known.slice();
    merged[i] = UNKNOWN;
  }
  return merged;
}
