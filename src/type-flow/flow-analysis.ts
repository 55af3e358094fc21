/**
 * Follows the values of one function from its entry over all ways to every instruction, until nothing changes any more.
 *
 *   entry: rdi = parameter sk ──► block ──► block ◄──┐      what is known before a block is what holds on all ways
 *                                   └─────► block ───┘      to it; ways not walked yet count for nothing
 *
 * Everything known can only become less with each round, so that the rounds end; a bound ends them in any case. Blocks that no way leads
 * to (handlers of faults, code behind static keys that are off) are followed afterwards, from nothing, and tell the others nothing.
 */
import type { DecodedInstruction } from "../arch/disassembler.ts";
import type { VirtualAddress } from "../bytes/address.ts";
import { type FunctionType, sizeOf, strip } from "../debug-info/c-type.ts";
import { type ControlFlow, thunkRegister } from "./control-flow.ts";
import { Evaluation } from "./evaluation.ts";
import { type Definition, type Fact, FlowState, Joins, joinStates, sameState } from "./flow-state.ts";
import type { CalledFunction, FlowWorld } from "./flow-world.ts";
import type { Machine } from "./machine.ts";
import { type Effect, type Expression, type Operation, register } from "./operation.ts";
import { registerParameters } from "./parameters.ts";
import { type Shape, sameType, shapeOfType } from "./shape.ts";

/** Times a block is walked; then what still changes counts as unknown. */
const MAX_VISITS = 12;
/** Rounds for addresses on the stack that turn out to be handed out. */
const MAX_ROUNDS = 4;

/** What a function that is called or jumped to through a pointer may be told by. */
const TRACERS = /^(__fentry__|_mcount|ftrace_(regs_)?caller|ftrace_stub)$/;

/** A variable of the debug information that a register holds. */
export interface VariableInRegister {
  readonly register: string;
  readonly shape: Shape | undefined;
}

/** What is known of values besides what the code says: who called the function, what lies at an address that a register held. */
export interface GivenShapes {
  /** Registers on entry, by name. */
  readonly entry: ReadonlyMap<string, Shape>;
  /** What an instruction gives a register, by resultKey(). */
  readonly results: ReadonlyMap<string, Shape>;
}

export function resultKey(pc: bigint, register: string): string {
  return `${pc} ${register}`;
}

export interface FlowInput {
  readonly flow: ControlFlow;
  readonly machine: Machine;
  readonly world: FlowWorld;
  /** Prototype of the function itself. */
  readonly type: FunctionType | undefined;
  /** Variables in registers before an instruction, by its place. */
  readonly variables?: (index: number) => readonly VariableInRegister[];
  readonly given?: GivenShapes;
}

export class FlowAnalysis {
  readonly input: FlowInput;
  readonly operations: readonly Operation[];
  readonly evaluation: Evaluation;
  readonly #definitions = new Map<string, Definition>();
  readonly #joins = new Joins();
  readonly #before: (FlowState | undefined)[];
  readonly #after: (FlowState | undefined)[];
  /** Stack addresses that others may write through, with the bytes they may write. */
  readonly #escaped = new Map<number, number>();
  /** null: to be joined again. */
  #hubState: FlowState | undefined | null = null;
  /** Blocks that ways from the entry lead to. */
  readonly #reached: ReadonlySet<number>;

  constructor(input: FlowInput) {
    this.input = input;
    const { instructions, blocks } = input.flow;
    this.operations = instructions.map((instruction) => input.machine.operation(instruction));
    this.evaluation = new Evaluation(input.world);
    this.#before = blocks.map(() => undefined);
    this.#after = blocks.map(() => undefined);
    this.#run([input.flow.entry], () => true);
    for (let round = 1, known = 0; round < MAX_ROUNDS && this.#escaped.size > known; round++) {
      known = this.#escaped.size;
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

  /** What is known before an instruction, by its place in the function. */
  stateBefore(index: number): FlowState {
    const { blocks, blockOf } = this.input.flow;
    const block = blockOf[index] as number;
    const state = (this.#before[block] ?? this.#nothing(block)).copy();
    for (let at = blocks[block]?.first ?? index; at < index; at++) this.#step(at, state);
    this.#seed(index, state);
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

  /** The function that a call or a jump out leads to; undefined for those through registers and memory. */
  target(index: number): CalledFunction | undefined {
    const operand = this.input.flow.instructions[index]?.operands.find(({ kind }) => kind === "target");
    if (operand?.kind !== "target") return undefined;
    const called = this.input.world.functionAt(operand.address);
    return called !== undefined && thunkRegister(called.name) !== undefined ? undefined : called;
  }

  /** Prototype of what is called: by name, or by the type of the pointer to it. */
  calledType(index: number, state: FlowState): FunctionType | undefined {
    const direct = this.target(index);
    if (direct !== undefined) return direct.type;
    const through = this.through(index);
    if (through === undefined) return undefined;
    const { shape } = this.evaluation.value(through, state, 8, this.#definition(index, undefined));
    if (shape?.kind !== "pointer" || shape.offset !== 0) return undefined;
    const target = strip(shape.target);
    return target.kind === "function" ? target : undefined;
  }

  /** What a call or jump gets its target from. */
  through(index: number): Expression | undefined {
    const { through } = this.operations[index] ?? {};
    if (through !== undefined) return through;
    const operand = this.input.flow.instructions[index]?.operands.find(({ kind }) => kind === "target");
    const name = operand?.kind === "target" ? this.input.world.functionAt(operand.address)?.name : undefined;
    const thunk = name === undefined ? undefined : thunkRegister(name);
    return thunk === undefined ? undefined : register(thunk);
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
      for (let index = first; index < end; index++) this.#step(index, after);
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
    for (const name of machine.registers) facts.set(name, { by: this.#entry(name), shape: undefined });
    facts.set(machine.stackPointer, { by: this.#entry(machine.stackPointer), shape: { kind: "stack", offset: machine.entryOffset } });
    for (const { register: name, type: declared } of type === undefined ? [] : registerParameters(type, machine)) {
      facts.set(name, { by: this.#entry(name), shape: shapeOfType(declared) });
    }
    for (const [name, shape] of this.input.given?.entry ?? []) if (facts.has(name)) facts.set(name, { by: this.#entry(name), shape });
    return new FlowState(facts);
  }

  /** Nothing is known but that registers hold something. */
  #nothing(block: number): FlowState {
    const { registers } = this.input.machine;
    return new FlowState(new Map(registers.map((name) => [name, { by: this.#joins.at(block, name), shape: undefined }])));
  }

  #entry(name: string): Definition {
    return this.#intern(`entry ${name}`, { kind: "entry", register: name });
  }

  #definition(step: number, name: string | undefined): Definition {
    return this.#intern(`${step} ${name}`, { kind: "step", step, register: name });
  }

  #intern(key: string, made: Definition): Definition {
    const known = this.#definitions.get(key);
    if (known !== undefined) return known;
    this.#definitions.set(key, made);
    return made;
  }

  /** What debug information knows of registers here is put over what is not known, or is known of a pointer without a target. */
  #seed(index: number, state: FlowState): void {
    for (const { register: name, shape } of this.input.variables?.(index) ?? []) {
      const fact = state.registers.get(name);
      if (fact === undefined || shape === undefined) continue;
      const known = fact.shape;
      const bare = known?.kind === "pointer" && known.offset === 0 && (strip(known.target).kind === "void" || differs(known, shape));
      if (known === undefined || bare) state.registers.set(name, { by: fact.by, shape });
    }
  }

  #step(index: number, state: FlowState): void {
    this.#seed(index, state);
    const operation = this.operations[index] as Operation;
    const instruction = this.input.flow.instructions[index] as DecodedInstruction;
    if (operation.kind === "call") {
      this.#call(index, instruction, state);
      return;
    }
    // All effects are computed over what was before.
    const { stackPointer } = this.input.machine;
    const writes = operation.effects.map((effect) => {
      const by = this.#definition(index, effect.kind === "register" ? effect.to : undefined);
      const width = effect.kind === "register" ? effect.width : 8;
      return { effect, fact: this.evaluation.value(effect.value, state, width, by) };
    });
    const stores = writes.flatMap(({ effect, fact }) =>
      effect.kind === "memory" ? [{ effect, fact, place: this.evaluation.place(effect.memory, state) }] : [],
    );
    if (operation.kind === "other" || operation.kind === "arithmetic") this.#escapeLost(instruction, operation, state);
    for (const { effect, fact, place } of stores) {
      if (fact.shape?.kind === "stack") this.#escape(fact.shape.offset, Number.POSITIVE_INFINITY);
      if (place?.kind === "stack") state.store(place.offset, Math.max(1, effect.size), fact);
      else if (place === undefined) this.#wildStore(effect, state);
    }
    for (const { effect, fact } of writes) {
      if (effect.kind !== "register") continue;
      // Less than four bytes leave the rest as it was.
      const followed = effect.width >= 4 ? fact : { by: this.#definition(index, effect.to), shape: undefined };
      const given = this.#given(instruction, effect.to);
      const whole = given === undefined ? followed : { by: followed.by, shape: given };
      if (state.registers.has(effect.to)) state.registers.set(effect.to, whole);
      if (effect.to === stackPointer && whole.shape?.kind === "stack") state.forget(Number.NEGATIVE_INFINITY, whole.shape.offset);
      else if (effect.to === stackPointer) state.slots.clear();
    }
  }

  #given({ address }: DecodedInstruction, register: string): Shape | undefined {
    return this.input.given?.results.get(resultKey(address, register));
  }

  /** A store with an index over the stack may be anywhere above its start. */
  #wildStore({ memory }: Extract<Effect, { readonly kind: "memory" }>, state: FlowState): void {
    const shapes = [memory.base, memory.index].map((name) => (name === undefined ? undefined : state.registers.get(name)?.shape));
    for (const shape of shapes) {
      if (shape?.kind === "stack")
        state.forget(Math.min(shape.offset, shape.offset + Number(memory.displacement)), Number.POSITIVE_INFINITY);
    }
  }

  /** A stack address goes into a computation that is not followed: it may come out of it anywhere. */
  #escapeLost({ reads, operands }: DecodedInstruction, { effects }: Operation, state: FlowState): void {
    const lost = effects.some((effect) => effect.kind === "register" && effect.value.kind === "unknown");
    const bases = new Set(operands.flatMap((operand) => (operand.kind === "memory" ? [operand.base] : [])));
    for (const name of lost ? reads : []) {
      const shape = state.registers.get(name)?.shape;
      if (shape?.kind === "stack" && name !== this.input.machine.stackPointer && !bases.has(name)) {
        this.#escape(shape.offset, Number.POSITIVE_INFINITY);
      }
    }
  }

  #escape(offset: number, size: number): void {
    const known = this.#escaped.get(offset);
    if (known === undefined || known < size) this.#escaped.set(offset, size);
  }

  #call(index: number, instruction: DecodedInstruction, state: FlowState): void {
    const { machine, flow } = this.input;
    const called = this.target(index);
    const start = flow.parts[0]?.start as VirtualAddress;
    // ftrace made a no-operation into a call of its own, which changes nothing.
    const early = instruction.address - start <= BigInt(machine.tracerOffset);
    if (early && (called === undefined ? this.through(index) === undefined : TRACERS.test(called.name))) return;
    const type = this.calledType(index, state);
    this.#handOut(type, state);
    for (const [offset, size] of this.#escaped) state.forget(offset, offset + size);
    const sp = state.registers.get(machine.stackPointer)?.shape;
    if (sp?.kind === "stack") state.forget(Number.NEGATIVE_INFINITY, sp.offset);
    for (const name of machine.registers) {
      if (machine.preserved.has(name)) continue;
      const returned = name === machine.result && type !== undefined ? shapeOfType(type.returns) : undefined;
      const shape = (name === machine.result ? this.#given(instruction, name) : undefined) ?? returned;
      state.registers.set(name, { by: this.#definition(index, name), shape });
    }
  }

  /** Addresses on the stack that a call is passed. */
  #handOut(type: FunctionType | undefined, state: FlowState): void {
    const { machine } = this.input;
    const parameters = type === undefined ? undefined : registerParameters(type, machine);
    const simple = type !== undefined && !type.variadic && parameters?.length === type.parameters.length;
    for (const name of machine.arguments) {
      const shape = state.registers.get(name)?.shape;
      if (shape?.kind !== "stack") continue;
      const parameter = parameters?.find((each) => each.register === name);
      if (parameter === undefined && simple) continue;
      const pointer = parameter === undefined ? undefined : strip(parameter.type);
      const target = pointer?.kind === "pointer" ? strip(pointer.target) : undefined;
      const whole = target?.kind === "struct" ? sizeOf(target) : 0;
      this.#escape(shape.offset, whole > 0 ? whole : Number.POSITIVE_INFINITY);
    }
  }
}

/** Debug information has another structure than what followed from the code: a cast, or the structure around. */
function differs(known: Shape, told: Shape): boolean {
  return known.kind === "pointer" && told.kind === "pointer" && strip(told.target).kind !== "void" && !sameType(known.target, told.target);
}
