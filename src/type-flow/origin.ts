/**
 * Where a value came from within its function, step by step back: a parameter, a member that was loaded from another value, the result of
 * a call, an address, a constant, or several of these where ways meet. Copies between registers and stack slots are passed over.
 *
 *   rbx at +0x37 = file->private_data, loaded at +0x12 ◄── file = parameter 0
 */
import type { CType } from "../debug-info/c-type.ts";
import { type Evaluation, membersOf } from "./evaluation.ts";
import { type FlowAnalysis, resultKey } from "./flow-analysis.ts";
import type { Definition, Fact, FlowState, Location } from "./flow-state.ts";
import { pathsOf } from "./member-path.ts";
import type { Expression, Operation } from "./operation.ts";
import { registerParameters } from "./parameters.ts";
import { isNoAddress, type Shape, shapeOfType } from "./shape.ts";

/** One link of the chain. `pc` is the instruction that gave the value; undefined for what the function was entered with. */
export type Origin =
  | { readonly kind: "parameter"; readonly index: number; readonly name: string; readonly register: string; readonly type: CType }
  /** A register on entry that is no known parameter; `type` when something outside of the function tells it. */
  | { readonly kind: "entry"; readonly register: string; readonly type?: CType }
  | {
      readonly kind: "load";
      readonly pc: bigint;
      /** "private_data", "a.b[3]"; undefined when it is not known what lies there. */
      readonly member: string | undefined;
      /** Bytes from the base's value. */
      readonly offset: bigint;
      /** Tag of the structure: "struct file". */
      readonly container: string | undefined;
      /** The pointer that was followed; undefined for variables and what is not known. */
      readonly from: Origin | undefined;
      /** Variable of the debug information that held that pointer there. */
      readonly base?: string;
      /** Name of the variable that was read, of one CPU's copy with `perCpu`. */
      readonly variable: string | undefined;
      readonly perCpu: boolean;
      readonly type: CType | undefined;
    }
  | { readonly kind: "result"; readonly pc: bigint; readonly callee: string | undefined; readonly type: CType | undefined }
  /** Not the result: what a call left in a register that it may change. */
  | { readonly kind: "clobbered"; readonly pc: bigint; readonly register: string }
  | { readonly kind: "constant"; readonly pc: bigint; readonly value: bigint }
  | {
      readonly kind: "address";
      readonly pc: bigint;
      readonly address: bigint;
      readonly variable: string | undefined;
      readonly perCpu: boolean;
    }
  /** struct task_struct of the running task (arm64: SP_EL0), this CPU's offset. */
  | { readonly kind: "system"; readonly pc: bigint; readonly register: string }
  /** The address of a local on the stack, from the canonical frame address. */
  | { readonly kind: "stack"; readonly pc: bigint | undefined; readonly offset: number }
  /** A sum; `from` is the pointer or number that something was added to. */
  | { readonly kind: "sum"; readonly pc: bigint; readonly from: Origin | undefined; readonly added: bigint | undefined }
  /** Where ways meet: each of the values. `pc` is where they do. */
  | { readonly kind: "merge"; readonly pc: bigint; readonly of: readonly Origin[] }
  | { readonly kind: "unknown"; readonly pc: bigint | undefined };

/** Links that are followed; rings of loops end the chain too. */
const MAX_DEPTH = 24;
const MAX_MERGED = 8;

export class Origins {
  readonly #analysis: FlowAnalysis;
  readonly #nameIn: (index: number, register: string) => string | undefined;

  /** @param nameIn variable that a register holds before an instruction, by its place */
  constructor(analysis: FlowAnalysis, nameIn: (index: number, register: string) => string | undefined) {
    this.#analysis = analysis;
    this.#nameIn = nameIn;
  }

  of(fact: Fact | undefined): Origin {
    return fact === undefined ? { kind: "unknown", pc: undefined } : this.#of(fact.by, fact.shape, new Set(), 0);
  }

  #of(by: Definition, shape: Shape | undefined, seen: Set<Definition>, depth: number): Origin {
    const { flow, machine } = this.#analysis.input;
    if (depth > MAX_DEPTH) return { kind: "unknown", pc: undefined };
    switch (by.kind) {
      case "entry":
        return this.#entry(by.register);
      case "join": {
        const first = by.block < 0 ? undefined : flow.blocks[by.block]?.first;
        const pc = (first === undefined ? undefined : flow.instructions[first]?.address) ?? 0n;
        return this.#merge(by, pc, seen, depth);
      }
      case "step": {
        const pc = flow.instructions[by.step]?.address ?? 0n;
        const operation = this.#analysis.operations[by.step] as Operation;
        const state = this.#analysis.stateBefore(by.step);
        if (operation.kind === "call") {
          if (by.register !== machine.result) return { kind: "clobbered", pc, register: by.register ?? "" };
          const type = this.#given(pc, by) ?? this.#analysis.calledType(by.step, state)?.returns;
          return { kind: "result", pc, callee: this.#analysis.target(by.step)?.name, type };
        }
        const effect = operation.effects.find((each) => (each.kind === "register" ? each.to === by.register : by.register === undefined));
        if (effect === undefined) return { kind: "unknown", pc };
        const found = this.#expression(effect.value, state, pc, shape, seen, depth);
        const given = found.kind === "load" && found.pc === pc ? this.#given(pc, by) : undefined;
        return given === undefined || found.kind !== "load" ? found : { ...found, type: given };
      }
    }
  }

  #entry(register: string): Origin {
    const { machine, type } = this.#analysis.input;
    if (register === machine.stackPointer) return { kind: "stack", pc: undefined, offset: machine.entryOffset };
    const parameter = type === undefined ? undefined : registerParameters(type, machine).find((each) => each.register === register);
    const given = pointerTypeOf(this.#analysis.input.given?.entry.get(register));
    if (parameter === undefined) return { kind: "entry", register, ...(given === undefined ? {} : { type: given }) };
    return {
      kind: "parameter",
      index: parameter.index,
      name: parameter.name ?? `parameter ${parameter.index}`,
      register,
      type: given ?? parameter.type,
    };
  }

  /** Type of what an instruction gave a register, where something outside of the function tells it. */
  #given(pc: bigint, by: Definition): CType | undefined {
    if (by.kind !== "step" || by.register === undefined) return undefined;
    return pointerTypeOf(this.#analysis.input.given?.results.get(resultKey(pc, by.register)));
  }

  #merge(by: Extract<Definition, { readonly kind: "join" }>, pc: bigint, seen: Set<Definition>, depth: number): Origin {
    if (seen.has(by)) return { kind: "unknown", pc };
    const inner = new Set(seen).add(by);
    const facts = this.#analysis.incoming(by.block).map((state) => factAt(state, by.location));
    const different = new Map<Definition, Fact>();
    for (const fact of facts) if (fact !== undefined && !inner.has(fact.by)) different.set(fact.by, fact);
    const of = [...different.values()].slice(0, MAX_MERGED).map((fact) => this.#of(fact.by, fact.shape, inner, depth + 1));
    const [only] = of;
    return of.length === 1 && only !== undefined ? only : of.length === 0 ? { kind: "unknown", pc } : { kind: "merge", pc, of };
  }

  #expression(
    expression: Expression,
    state: FlowState,
    pc: bigint,
    shape: Shape | undefined,
    seen: Set<Definition>,
    depth: number,
  ): Origin {
    const follow = (fact: Fact | undefined): Origin | undefined =>
      fact === undefined ? undefined : this.#of(fact.by, fact.shape, seen, depth + 1);
    switch (expression.kind) {
      case "constant":
        return this.#constant(expression.value, pc);
      case "load":
        return this.#load(expression, state, pc, follow);
      case "address":
      case "sum": {
        if (shape?.kind === "stack") return { kind: "stack", pc, offset: shape.offset };
        if (shape?.kind === "constant") return this.#constant(shape.value, pc);
        if (shape?.kind === "per-cpu") {
          const variable = this.#analysis.input.world.perCpuAt(shape.address)?.name;
          return { kind: "address", pc, address: shape.address, variable, perCpu: true };
        }
        return this.#sum(expression, state, pc, follow);
      }
      case "either": {
        const of = [expression.left, expression.right].map((each) => this.#expression(each, state, pc, undefined, seen, depth + 1));
        return { kind: "merge", pc, of };
      }
      case "register":
        return follow(state.registers.get(expression.name)) ?? { kind: "unknown", pc };
      case "system":
        return { kind: "system", pc, register: expression.name };
      case "unknown":
        return { kind: "unknown", pc };
    }
  }

  #constant(value: bigint, pc: bigint): Origin {
    const variable = this.#analysis.input.world.variableAt(value);
    if (variable === undefined) return { kind: "constant", pc, value };
    return {
      kind: "address",
      pc,
      address: value,
      variable: variable.offset === 0 ? variable.name : `${variable.name}+0x${variable.offset.toString(16)}`,
      perCpu: false,
    };
  }

  #load(
    { memory, size }: Extract<Expression, { readonly kind: "load" }>,
    state: FlowState,
    pc: bigint,
    follow: (fact: Fact | undefined) => Origin | undefined,
  ): Origin {
    const place = this.#evaluation.place(memory, state);
    const base = memory.base === undefined ? undefined : state.registers.get(memory.base);
    const unknown = { kind: "load", pc, offset: memory.displacement, container: undefined, variable: undefined, perCpu: false } as const;
    if (place === undefined) return { ...unknown, member: undefined, from: follow(base), type: undefined };
    if (place.kind === "stack") {
      const slot = state.slots.get(place.offset);
      return (slot === undefined ? undefined : follow(slot.fact)) ?? { kind: "unknown", pc };
    }
    const [member, ...more] = membersOf(place, size);
    const path = member === undefined ? undefined : pathsOf([member, ...more]);
    const type = member?.leftover === 0 ? member.type : undefined;
    if (place.kind === "variable") {
      return {
        ...unknown,
        member: path === "" ? undefined : path,
        from: undefined,
        type,
        variable: place.variable.name,
        perCpu: place.perCpu,
      };
    }
    const index = this.#analysis.input.flow.places.get(pc);
    const named = index === undefined || memory.base === undefined ? undefined : this.#nameIn(index, memory.base);
    return {
      ...unknown,
      ...(named === undefined ? {} : { base: named }),
      offset: BigInt(place.shape.offset),
      member: path,
      container: containerName(place.shape.target),
      from: follow(place.base),
      type,
    };
  }

  #sum(expression: Expression, state: FlowState, pc: bigint, follow: (fact: Fact | undefined) => Origin | undefined): Origin {
    if (expression.kind === "address") {
      const { base, index, displacement } = expression.memory;
      const through = [base, index].map((name) => (name === undefined ? undefined : state.registers.get(name)));
      const from = through.find((fact) => fact?.shape?.kind === "pointer") ?? through.find((fact) => fact !== undefined);
      return { kind: "sum", pc, from: follow(from), added: index === undefined ? displacement : undefined };
    }
    if (expression.kind !== "sum") return { kind: "unknown", pc };
    const { left, right } = expression;
    const sides = [left, right].map((side) => (side.kind === "register" ? state.registers.get(side.name) : undefined));
    const from = sides.find((fact) => fact?.shape?.kind === "pointer") ?? sides[0] ?? sides[1];
    const constant = right.kind === "constant" ? BigInt.asIntN(64, right.value) : undefined;
    return { kind: "sum", pc, from: follow(from), added: constant };
  }

  get #evaluation(): Evaluation {
    return this.#analysis.evaluation;
  }
}

/** Of a pointer to the start of what it leads to. */
function pointerTypeOf(shape: Shape | undefined): CType | undefined {
  if (shape?.kind !== "pointer" || shape.offset !== 0 || shape.stride !== 0) return undefined;
  return { kind: "pointer", size: 8, target: shape.target };
}

function factAt(state: FlowState, location: Location): Fact | undefined {
  return typeof location === "string" ? state.registers.get(location) : state.slots.get(location)?.fact;
}

/** "struct file"; undefined for what has no tag. */
export function containerName(type: CType): string | undefined {
  let here = type;
  for (let depth = 0; depth < 16; depth++) {
    if ((here.kind === "struct" || here.kind === "union") && here.name !== undefined) return `${here.kind} ${here.name}`;
    if (here.kind === "typedef") {
      const shape = shapeOfType(here);
      if (shape === undefined && here.target.kind !== "struct" && here.target.kind !== "union") {
        here = here.target;
        continue;
      }
      if (here.target.kind === "struct" || here.target.kind === "union")
        return here.target.name === undefined ? here.name : `${here.target.kind} ${here.target.name}`;
      return here.name;
    }
    if (here.kind === "const" || here.kind === "volatile" || here.kind === "restrict" || here.kind === "tag") here = here.target;
    else return undefined;
  }
  return undefined;
}

/** The value in C, as far as it can be said: "file->private_data", "&runqueues", "sk_alloc()"; undefined when it cannot. */
export function originText(origin: Origin, depth = 0): string | undefined {
  if (depth > 3) return undefined;
  switch (origin.kind) {
    case "parameter":
      return origin.name;
    case "load": {
      // One of several members of a union is no expression.
      if (origin.member?.includes("|") === true) return undefined;
      if (origin.perCpu && (origin.variable === "current_task" || origin.member === "current_task")) return "current";
      if (origin.variable !== undefined) {
        const name = origin.perCpu ? `per_cpu(${origin.variable})` : origin.variable;
        return origin.member === undefined ? name : dotted(name, origin.member, ".");
      }
      if (origin.member === undefined) return undefined;
      const base =
        origin.base ??
        (origin.from === undefined ? undefined : originText(origin.from, depth + 1)) ??
        (origin.container === undefined ? undefined : `(${origin.container} *)`);
      if (base === undefined) return undefined;
      return origin.member === "" ? `*${base}` : dotted(base, origin.member, "->");
    }
    case "result":
      return origin.callee === undefined ? undefined : `${origin.callee}()`;
    case "constant":
      return origin.value < 10n ? origin.value.toString() : `0x${origin.value.toString(16)}`;
    case "address":
      return origin.variable === undefined
        ? `0x${origin.address.toString(16)}`
        : origin.perCpu
          ? `&per_cpu(${origin.variable})`
          : `&${origin.variable}`;
    case "system":
      return origin.register === "sp_el0" ? "current" : undefined;
    case "stack":
      return "&local";
    case "sum": {
      const base = origin.from === undefined ? undefined : originText(origin.from, depth + 1);
      if (base === undefined || origin.added === undefined) return undefined;
      if (origin.added === 0n) return base;
      return `${base} ${origin.added < 0n ? "-" : "+"} 0x${(origin.added < 0n ? -origin.added : origin.added).toString(16)}`;
    }
    case "merge": {
      // NULL or a poison on one of the ways adds nothing.
      const values = origin.of.filter((each) => each.kind !== "constant" || !isNoAddress(each.value));
      const told = [...new Set(values.map((each) => originText(each, depth + 1)))];
      return told.length === 1 ? told[0] : undefined;
    }
    default:
      return undefined;
  }
}

function dotted(base: string, member: string, between: "." | "->"): string {
  const plain = /^[&*]|[ ]/.test(base) && !base.startsWith("(") ? `(${base})` : base;
  return member.startsWith("[") ? `${plain}${member}` : `${plain}${between}${member}`;
}
