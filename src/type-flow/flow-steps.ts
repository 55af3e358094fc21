/**
 * What one instruction does to the state: its effects over what was before it, and what a call leaves of registers and of the stack.
 *
 *   mov 0x18(%rdi),%rax     rax = load of what rdi points into, at 24
 *   lea 8(%rsp),%rdi        rdi = CFA − 40: handed to a call, the callee may write there
 *   call f                  registers it need not keep hold something new; the result has the type of f's prototype
 */
import type { DecodedInstruction } from "../arch/disassembler.ts";
import type { VirtualAddress } from "../bytes/address.ts";
import { type FunctionType, sizeOf, strip } from "../debug-info/c-type.ts";
import { thunkRegister } from "./control-flow.ts";
import { Evaluation } from "./evaluation.ts";
import { type FlowInput, resultKey } from "./flow-input.ts";
import type { Definition, FlowState } from "./flow-state.ts";
import type { CalledFunction } from "./flow-world.ts";
import { type Effect, type Expression, type Operation, register } from "./operation.ts";
import { registerParameters } from "./parameters.ts";
import { type Shape, sameType, shapeOfType } from "./shape.ts";

/** What a function that is called or jumped to through a pointer may be told by. */
const TRACERS = /^(__fentry__|_mcount|ftrace_(regs_)?caller|ftrace_stub)$/;

/** The steps of one function's analysis. */
export class FlowSteps {
  readonly input: FlowInput;
  readonly operations: readonly Operation[];
  readonly evaluation: Evaluation;
  readonly #definitions = new Map<string, Definition>();
  /** Stack addresses that others may write through, with the bytes they may write. */
  protected readonly escaped = new Map<number, number>();

  constructor(input: FlowInput) {
    this.input = input;
    this.operations = input.flow.instructions.map((instruction) => input.machine.operation(instruction));
    this.evaluation = new Evaluation(input.world);
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
    const { shape } = this.evaluation.value(through, state, 8, this.definition(index, undefined));
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

  protected entry(name: string): Definition {
    return this.#intern(`entry ${name}`, { kind: "entry", register: name });
  }

  protected definition(step: number, name: string | undefined): Definition {
    return this.#intern(`${step} ${name}`, { kind: "step", step, register: name });
  }

  #intern(key: string, made: Definition): Definition {
    const known = this.#definitions.get(key);
    if (known !== undefined) return known;
    this.#definitions.set(key, made);
    return made;
  }

  /** What debug information knows of registers here is put over what is not known, or is known of a pointer without a target. */
  protected seed(index: number, state: FlowState): void {
    for (const { register: name, shape } of this.input.variables?.(index) ?? []) {
      const fact = state.registers.get(name);
      if (fact === undefined || shape === undefined) continue;
      const known = fact.shape;
      const bare = known?.kind === "pointer" && known.offset === 0 && (strip(known.target).kind === "void" || differs(known, shape));
      if (known === undefined || bare) state.registers.set(name, { by: fact.by, shape });
    }
  }

  protected step(index: number, state: FlowState): void {
    this.seed(index, state);
    const operation = this.operations[index] as Operation;
    const instruction = this.input.flow.instructions[index] as DecodedInstruction;
    if (operation.kind === "call") {
      this.#call(index, instruction, state);
      return;
    }
    // All effects are computed over what was before.
    const { stackPointer } = this.input.machine;
    const writes = operation.effects.map((effect) => {
      const by = this.definition(index, effect.kind === "register" ? effect.to : undefined);
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
      const followed = effect.width >= 4 ? fact : { by: this.definition(index, effect.to), shape: undefined };
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
    const known = this.escaped.get(offset);
    if (known === undefined || known < size) this.escaped.set(offset, size);
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
    for (const [offset, size] of this.escaped) state.forget(offset, offset + size);
    const sp = state.registers.get(machine.stackPointer)?.shape;
    if (sp?.kind === "stack") state.forget(Number.NEGATIVE_INFINITY, sp.offset);
    for (const name of machine.registers) {
      if (machine.preserved.has(name)) continue;
      const returned = name === machine.result && type !== undefined ? shapeOfType(type.returns) : undefined;
      const shape = (name === machine.result ? this.#given(instruction, name) : undefined) ?? returned;
      state.registers.set(name, { by: this.definition(index, name), shape });
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
