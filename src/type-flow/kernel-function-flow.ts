/**
 * The answers of flow analysis about one function of a kernel: its instructions with what they touch, in C where names are known, and the
 * origins of their values.
 */
import type { DecodedInstruction, MemoryOperand } from "../arch/disassembler.ts";
import type { VirtualAddress } from "../bytes/address.ts";
import { type CType, type FunctionType, sizeOf, strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { ControlFlow } from "./control-flow.ts";
import { DescribedVariables } from "./described-variables.ts";
import { membersOf, type Place } from "./evaluation.ts";
import { FlowAnalysis } from "./flow-analysis.ts";
import type { GivenShapes } from "./flow-input.ts";
import type { Fact, FlowState } from "./flow-state.ts";
import { flowWorld } from "./flow-world.ts";
import type { FunctionRange } from "./function-extent.ts";
import type { CallFact, FunctionFlow, InstructionFacts, OperandFact, RegisterFact } from "./function-flow.ts";
import { machineOf } from "./machine.ts";
import { membersAt, pathsOf, typeRead } from "./member-path.ts";
import { containerName, type Origin, originText } from "./origin.ts";
import { Origins } from "./origins.ts";
import { isNoAddress, type PointerShape, sameType } from "./shape.ts";

/** Members of a union, or bit-fields of one unit, that the text names. */
const SHOWN_MEMBERS = 3;

/** Instructions of one way. */
const MAX_WAY = 256;

export class KernelFunctionFlow implements FunctionFlow {
  readonly name: string;
  readonly module: string | undefined;
  readonly parts: readonly FunctionRange[];
  readonly type: FunctionType | undefined;
  readonly #analysis: FlowAnalysis;
  readonly #origins: Origins;
  readonly #variables: DescribedVariables | undefined;

  readonly #kernel: Kernel;

  constructor(kernel: Kernel, flow: ControlFlow, given?: GivenShapes) {
    this.#kernel = kernel;
    const [main] = flow.parts as readonly [FunctionRange];
    const world = flowWorld(kernel);
    this.name = main.name;
    this.module = main.module;
    this.parts = flow.parts;
    this.type = world.functionAt(main.start)?.type;
    this.#variables = kernel.debugInfo.present ? new DescribedVariables(kernel, flow) : undefined;
    const variables = this.#variables;
    this.#analysis = new FlowAnalysis({
      flow,
      machine: machineOf(kernel.arch.name),
      world,
      type: this.type,
      ...(variables === undefined ? {} : { variables: (index: number) => variables.inRegisters(index) }),
      ...(given === undefined ? {} : { given }),
    });
    this.#origins = new Origins(this.#analysis, (index, register) => variables?.nameIn(index, register));
  }

  get addresses(): readonly VirtualAddress[] {
    return this.#analysis.input.flow.instructions.map(({ address }) => address);
  }

  at(pc: bigint): InstructionFacts | undefined {
    const { flow } = this.#analysis.input;
    const index = flow.places.get(pc);
    const instruction = index === undefined ? undefined : flow.instructions[index];
    if (index === undefined || instruction === undefined) return undefined;
    const state = this.#analysis.stateBefore(index);
    const call = this.#call(index, state);
    return {
      instruction,
      operands: instruction.operands.flatMap((operand) => (operand.kind === "memory" ? [this.#operand(index, operand, state)] : [])),
      registers: this.#registers(index, state),
      ...(call === undefined ? {} : { call }),
      constants: this.#constants(index, state),
      reached: this.#analysis.isReached(index),
    };
  }

  describe(pc: bigint): string | undefined {
    const facts = this.at(pc);
    const texts = facts?.operands.flatMap(({ text, memory }) => {
      const verb = { read: "reads", write: "writes", readwrite: "changes", address: "address of" }[memory.access];
      return text === undefined ? [] : [`${verb} ${text}`];
    });
    return texts === undefined || texts.length === 0 ? undefined : texts.join(", ");
  }

  originOf(pc: bigint, where: string | { readonly slot: number }): Origin {
    const index = this.#analysis.input.flow.places.get(pc);
    if (index === undefined) return { kind: "unknown", pc: undefined };
    const state = this.#analysis.stateBefore(index);
    return this.#origins.of(typeof where === "string" ? state.registers.get(where) : state.slots.get(where.slot)?.fact);
  }

  stackAt(pc: bigint): number | undefined {
    const { flow, machine } = this.#analysis.input;
    const index = flow.places.get(pc);
    const shape = index === undefined ? undefined : this.#analysis.stateBefore(index).registers.get(machine.stackPointer)?.shape;
    return shape?.kind === "stack" ? shape.offset : undefined;
  }

  wayTo(pc: bigint): readonly DecodedInstruction[] {
    const { instructions, blocks, blockOf, entry, places } = this.#analysis.input.flow;
    const way: DecodedInstruction[] = [];
    const start = places.get(pc);
    if (start === undefined) return way;
    let at = start;
    let block = blockOf[at] as number;
    while (way.length < MAX_WAY) {
      for (const first = blocks[block]?.first ?? at; at > first && way.length < MAX_WAY; )
        way.push(instructions[--at] as DecodedInstruction);
      const [from, ...more] = blocks[block]?.from ?? [];
      // A hub of jumps through a table, the function's start, and a ring of one block end it.
      if (from === undefined || from < 0 || more.length > 0 || block === entry || from === block) break;
      block = from;
      at = blocks[block]?.end ?? 0;
    }
    return way;
  }

  given(shapes: GivenShapes): FunctionFlow {
    return new KernelFunctionFlow(this.#kernel, this.#analysis.input.flow, shapes);
  }

  #operand(index: number, memory: MemoryOperand, state: FlowState): OperandFact {
    // The access happens where the displacement says, whatever happens to the base.
    const place = this.#analysis.evaluation.place({ ...memory, writeback: undefined }, state);
    const base = memory.base === undefined ? undefined : state.registers.get(memory.base);
    if (place === undefined) {
      const origin = base === undefined ? undefined : this.#origins.of(base);
      const name = this.#nameOf(index, memory.base, base, origin);
      const plain = memory.index === undefined && memory.access !== "address";
      const text = name === undefined || !plain ? undefined : `*(${name}${signed(memory.displacement)})`;
      return { memory, ...(text === undefined ? {} : { text }), ...(origin === undefined ? {} : { origin }) };
    }
    switch (place.kind) {
      case "stack": {
        return this.#localOperand(index, memory, place.offset);
      }
      case "variable":
        return this.#variableOperand(memory, place);
      case "pointer":
        return this.#pointerOperand(index, memory, place, state);
    }
  }

  #localOperand(index: number, memory: MemoryOperand, at: number): OperandFact {
    const found = this.#variables?.onStack(index, at);
    if (found === undefined) return { memory };
    const { name, type, into } = found;
    const size = memory.access === "address" ? 0 : memory.size;
    if (into >= Math.max(1, sizeOf(type))) return { memory };
    const members = membersAt({ kind: "pointer", target: type, offset: into, stride: 0 }, size);
    const path = pathsOf(members, SHOWN_MEMBERS);
    const text = `${size === 0 ? "&" : ""}${name}${path === "" || path.startsWith("[") ? path : `.${path}`}`;
    return { memory, local: name, text, ...(path === "" ? {} : { member: path }) };
  }

  #variableOperand(memory: MemoryOperand, place: Extract<Place, { readonly kind: "variable" }>): OperandFact {
    const { variable, perCpu, address } = place;
    const members = membersOf(place, memory.size);
    const path = pathsOf(members, SHOWN_MEMBERS);
    const rest = members.length === 0 ? variable.offset : 0;
    const name = perCpu ? `per_cpu(${variable.name})` : variable.name;
    const whole = path === "" ? `${name}${rest === 0 ? "" : signed(BigInt(rest))}` : `${name}${path.startsWith("[") ? "" : "."}${path}`;
    const text = memory.access === "address" ? `&${whole}` : whole;
    const type = typeRead(members, memory.size, sameType);
    return {
      memory,
      text,
      variable: variable.name,
      address,
      ...(path === "" ? {} : { member: path }),
      ...(type === undefined ? {} : { type }),
      ...(perCpu ? { perCpu: true as const } : {}),
    };
  }

  #pointerOperand(
    index: number,
    memory: MemoryOperand,
    place: Extract<Place, { readonly kind: "pointer" }>,
    state: FlowState,
  ): OperandFact {
    const { shape, base } = place;
    const origin = this.#origins.of(base);
    const members = membersOf(place, memory.access === "address" ? 0 : memory.size);
    const container = containerName(shape.target);
    const shared = { memory, offset: shape.offset, origin, ...(container === undefined ? {} : { container }) };
    const through = [memory.base, memory.index].find((name) => name !== undefined && state.registers.get(name) === base);
    // What the base itself points into, when it is not the structure's start.
    const into = base.shape?.kind === "pointer" ? base.shape.offset : 0;
    const inner = into === 0 ? this.#nameOf(index, through, base, origin) : this.#variables?.pointerInto(index, through ?? "", into);
    const outer = inner ?? (container === undefined ? undefined : `(${container} *)`);
    const [first] = members;
    if (first === undefined) {
      // An unknown index is added: the offset alone would be wrong.
      if (shape.stride !== 0) return { memory, origin };
      const plain = strip(shape.target).kind === "void" || container === undefined;
      const text =
        outer === undefined ? undefined : plain ? `*(${outer}${signed(BigInt(shape.offset))})` : `${outer}${signed(BigInt(shape.offset))}`;
      return { ...shared, ...(text === undefined ? {} : { text }) };
    }
    const path = pathsOf(members, SHOWN_MEMBERS);
    const type = typeRead(members, memory.size, sameType);
    const address = memory.access === "address" ? "&" : "";
    if (outer === undefined && path.startsWith("[")) return shared;
    const name = outer === undefined ? path : path === "" ? `*${outer}` : path.startsWith("[") ? `${outer}${path}` : `${outer}->${path}`;
    return {
      ...shared,
      text:
        address !== "" && name.startsWith("*")
          ? name.slice(1)
          : `${address}${name}${first.leftover === 0 ? "" : signed(BigInt(first.leftover))}`,
      member: pathsOf(members),
      ...(first.leftover === 0 ? {} : { leftover: first.leftover }),
      ...(type === undefined ? {} : { type }),
    };
  }

  /** A base register in C: the variable it holds, else where its value came from. */
  #nameOf(index: number, register: string | undefined, fact: Fact | undefined, origin: Origin | undefined): string | undefined {
    if (register === undefined || fact === undefined) return undefined;
    return this.#variables?.nameIn(index, register) ?? (origin === undefined ? undefined : originText(origin));
  }

  #registers(index: number, state: FlowState): ReadonlyMap<string, RegisterFact> {
    const found = new Map<string, RegisterFact>();
    for (const [register, { shape }] of state.registers) {
      const variable = this.#variables?.nameIn(index, register);
      const named = variable === undefined ? {} : { variable };
      if (shape?.kind === "pointer" && isWhole(shape)) {
        const type: CType = { kind: "pointer", size: 8, target: shape.target };
        found.set(register, { register, type, ...(shape.offset === 0 ? {} : { offset: shape.offset }), ...named });
      } else if (shape?.kind === "scalar") found.set(register, { register, type: shape.type, ...named });
      else if (shape?.kind === "constant") found.set(register, { register, constant: shape.value, ...named });
      else if (variable !== undefined) found.set(register, { register, variable });
    }
    return found;
  }

  #call(index: number, state: FlowState): CallFact | undefined {
    const direct = this.#analysis.target(index);
    const { kind } = this.#analysis.operations[index] ?? {};
    if (kind !== "call" && (kind !== "branch" || direct === undefined)) return undefined;
    const type = this.#analysis.calledType(index, state);
    const known = type === undefined ? {} : { type };
    if (direct !== undefined) return { name: direct.name, ...(direct.module === undefined ? {} : { module: direct.module }), ...known };
    const through = this.#analysis.through(index);
    const fact =
      through === undefined
        ? undefined
        : this.#analysis.evaluation.value(through, state, 8, { kind: "step", step: index, register: undefined });
    if (through?.kind !== "register" || fact === undefined) return known;
    return { ...known, origin: this.#origins.of(fact) };
  }

  /** Constants that the instruction moves or computes; small ones are no addresses. */
  #constants(index: number, state: FlowState): readonly bigint[] {
    const { effects = [] } = this.#analysis.operations[index] ?? {};
    return effects.flatMap(({ value }) => {
      const { shape } = this.#analysis.evaluation.value(value, state, 8, { kind: "step", step: index, register: undefined });
      return shape?.kind === "constant" && !isNoAddress(shape.value) ? [shape.value] : [];
    });
  }
}

/** It leads to its target's start, or to an element of an array of targets. */
function isWhole({ target, stride }: PointerShape): boolean {
  const size = sizeOf(target);
  return stride === 0 || (size > 0 && stride % size === 0);
}

function signed(offset: bigint): string {
  if (offset === 0n) return "";
  return offset < 0n ? ` - 0x${(-offset).toString(16)}` : ` + 0x${offset.toString(16)}`;
}
