/**
 * Finds origins: from a place at an instruction back through the operations that gave it its value, in the states that flow analysis settled.
 * Copies between registers and stack slots are passed over.
 */
import type { CType } from "../debug-info/c-type.ts";
import { type Evaluation, membersOf } from "./evaluation.ts";
import type { FlowAnalysis } from "./flow-analysis.ts";
import { resultKey } from "./flow-input.ts";
import type { Definition, Fact, FlowState, Location } from "./flow-state.ts";
import { pathsOf } from "./member-path.ts";
import type { Expression, Operation } from "./operation.ts";
import { containerName, type Origin } from "./origin.ts";
import { registerParameters } from "./parameters.ts";
import type { Shape } from "./shape.ts";

/** Links that are followed; rings of loops end the chain too. */
const MAX_DEPTH = 24;
const MAX_MERGED = 8;
/** Definitions that one search looks at: ways that part and meet again and again, with loops, are as many as two to the power of them. */
const MAX_LOOKED_AT = 256;

export class Origins {
  readonly #analysis: FlowAnalysis;
  readonly #nameIn: (index: number, register: string) => string | undefined;
  #left = 0;
  /** Many places of a function go back to the same ones. */
  readonly #known = new Map<Definition, Map<string, Origin>>();

  /** @param nameIn variable that a register holds before an instruction, by its place */
  constructor(analysis: FlowAnalysis, nameIn: (index: number, register: string) => string | undefined) {
    this.#analysis = analysis;
    this.#nameIn = nameIn;
  }

  of(fact: Fact | undefined): Origin {
    if (fact === undefined) return { kind: "unknown", pc: undefined };
    const known = this.#known.get(fact.by) ?? new Map<string, Origin>();
    this.#known.set(fact.by, known);
    const key = placeKey(fact.shape);
    const found = known.get(key);
    if (found !== undefined) return found;
    this.#left = MAX_LOOKED_AT;
    const origin = this.#of(fact.by, fact.shape, new Set(), 0);
    known.set(key, origin);
    return origin;
  }

  #of(by: Definition, shape: Shape | undefined, seen: Set<Definition>, depth: number): Origin {
    const { flow, machine } = this.#analysis.input;
    if (depth > MAX_DEPTH || --this.#left < 0) return { kind: "unknown", pc: undefined };
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

/** All of a shape that an origin depends on: see #expression(). */
function placeKey(shape: Shape | undefined): string {
  switch (shape?.kind) {
    case "stack":
      return `stack ${shape.offset}`;
    case "constant":
      return `constant ${shape.value}`;
    case "per-cpu":
      return `per-cpu ${shape.address}`;
    default:
      return "";
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
