/**
 * Follows the values of one function from its entry over all ways to every instruction, until nothing changes any more.
 *
 *   entry: rdi = parameter sk ──► block ──► block ◄──┐      what is known before a block is what holds on all ways
 *                                   └─────► block ───┘      to it; ways not walked yet count for nothing
 *
 * Everything known can only become less with each round, so that the rounds end; a bound ends them in any case. Blocks that no way leads
 * to (handlers of faults, code behind static keys that are off) are followed afterwards, from nothing, and tell the others nothing.
 */
import type { FlowInput } from "./flow-input.ts";
import { type Fact, FlowState, Joins, joinStates, sameState } from "./flow-state.ts";
import { FlowSteps } from "./flow-steps.ts";
import { registerParameters } from "./parameters.ts";
import { shapeOfType } from "./shape.ts";

/** Times a block is walked; then what still changes counts as unknown. */
const MAX_VISITS = 12;
/** States that are kept. */
const MAX_STATES = 512;
/** Rounds for addresses on the stack that turn out to be handed out. */
const MAX_ROUNDS = 4;

export class FlowAnalysis extends FlowSteps {
  readonly #joins = new Joins();
  readonly #before: (FlowState | undefined)[];
  readonly #after: (FlowState | undefined)[];
  /** null: to be joined again. */
  #hubState: FlowState | undefined | null = null;
  /** States that were asked for: origins of many places go back through the same ones. */
  readonly #asked = new Map<number, FlowState>();
  /** Blocks that ways from the entry lead to. */
  readonly #reached: ReadonlySet<number>;

  constructor(input: FlowInput) {
    super(input);
    const { blocks } = input.flow;
    this.#before = blocks.map(() => undefined);
    this.#after = blocks.map(() => undefined);
    this.#run([input.flow.entry], () => true);
    for (let round = 1, known = 0; round < MAX_ROUNDS && this.escaped.size > known; round++) {
      known = this.escaped.size;
      this.#before.fill(undefined);
      this.#after.fill(undefined);
      this.#hubState = null;
      this.#run([input.flow.entry], () => true);
    }
    this.#reached = new Set([...blocks.keys()].filter((block) => this.#before[block] !== undefined));
    const rest = [...blocks.keys()].filter((block) => !this.#reached.has(block));
    this.#run(rest, (block) => !this.#reached.has(block));
  }

  /** False for code that no way from the entry leads to: what is known there is only what it says itself. */
  isReached(index: number): boolean {
    return this.#reached.has(this.input.flow.blockOf[index] as number);
  }

  /** What is known before an instruction, by its place in the function; not to be changed. */
  stateBefore(index: number): FlowState {
    const known = this.#asked.get(index);
    if (known !== undefined) return known;
    const state = this.#walkTo(index);
    if (this.#asked.size >= MAX_STATES) this.#asked.clear();
    this.#asked.set(index, state);
    return state;
  }

  #walkTo(index: number): FlowState {
    const { blocks, blockOf } = this.input.flow;
    const block = blockOf[index] as number;
    const state = (this.#before[block] ?? this.#nothing(block)).copy();
    for (let at = blocks[block]?.first ?? index; at < index; at++) this.step(at, state);
    this.seed(index, state);
    return state;
  }

  /** Facts of the ways into a block; the function's entry and the hub of jumps through tables among them. */
  incoming(block: number): readonly FlowState[] {
    const { blocks, entry } = this.input.flow;
    const found = (blocks[block]?.from ?? []).flatMap((from) => {
      const state = from === -1 ? this.#hub() : this.#after[from];
      return state === undefined ? [] : [state];
    });
    return block === entry ? [this.#entryState(), ...found] : found;
  }

  #run(start: readonly number[], allowed: (block: number) => boolean): void {
    const { blocks, tables } = this.input.flow;
    const isTable = new Set(tables);
    const visits = new Map<number, number>();
    const queue = [...start];
    const queued = new Set(queue);
    for (let block = queue.shift(); block !== undefined; block = queue.shift()) {
      queued.delete(block);
      const visit = (visits.get(block) ?? 0) + 1;
      visits.set(block, visit);
      const incoming = this.incoming(block);
      let before = incoming.length === 0 ? this.#nothing(block) : joinStates(incoming, block, this.#joins);
      const earlier = this.#before[block];
      if (earlier !== undefined && sameState(earlier, before)) continue;
      if (visit > MAX_VISITS) before = this.#nothing(block);
      if (visit > MAX_VISITS + 1) continue;
      this.#before[block] = before;
      const after = before.copy();
      const { first, end, to } = blocks[block] as { first: number; end: number; to: readonly number[] };
      for (let index = first; index < end; index++) this.step(index, after);
      const known = this.#after[block];
      if (known !== undefined && sameState(known, after)) continue;
      this.#after[block] = after;
      if (isTable.has(block)) this.#hubState = null;
      const next = isTable.has(block) ? blocks.keys() : to;
      for (const each of next) {
        if (queued.has(each) || !allowed(each)) continue;
        queued.add(each);
        queue.push(each);
      }
    }
  }

  /** What holds at all jumps through tables. */
  #hub(): FlowState | undefined {
    if (this.#hubState === null) {
      const states = this.input.flow.tables.flatMap((block) => this.#after[block] ?? []);
      this.#hubState = states.length === 0 ? undefined : joinStates(states, -1, this.#joins);
    }
    return this.#hubState;
  }

  #entryState(): FlowState {
    const { machine, type } = this.input;
    const facts = new Map<string, Fact>();
    for (const name of machine.registers) facts.set(name, { by: this.entry(name), shape: undefined });
    facts.set(machine.stackPointer, { by: this.entry(machine.stackPointer), shape: { kind: "stack", offset: machine.entryOffset } });
    for (const { register: name, type: declared } of type === undefined ? [] : registerParameters(type, machine)) {
      facts.set(name, { by: this.entry(name), shape: shapeOfType(declared) });
    }
    for (const [name, shape] of this.input.given?.entry ?? []) if (facts.has(name)) facts.set(name, { by: this.entry(name), shape });
    return new FlowState(facts);
  }

  /** Nothing is known but that registers hold something. */
  #nothing(block: number): FlowState {
    const { registers } = this.input.machine;
    return new FlowState(new Map(registers.map((name) => [name, { by: this.#joins.at(block, name), shape: undefined }])));
  }
}
