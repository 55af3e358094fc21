/**
 * What an instruction's expressions give, over the facts before it: places in memory, types of what is loaded from them, sums.
 */
import type { MemoryOperand } from "../arch/disassembler.ts";
import { sizeOf } from "../debug-info/c-type.ts";
import type { Definition, Fact, FlowState } from "./flow-state.ts";
import { type FlowWorld, shapeOfVariable, type VariableAt } from "./flow-world.ts";
import { type MemberPath, membersAt, typeRead } from "./member-path.ts";
import type { Expression } from "./operation.ts";
import { addMultiple, addShapes, joinShapes, type PointerShape, type Shape, sameType, shapeOfType } from "./shape.ts";

/** Where a memory operand leads. */
export type Place =
  | { readonly kind: "stack"; readonly offset: number }
  /** Through a pointer in a register. */
  | { readonly kind: "pointer"; readonly shape: PointerShape; readonly base: Fact }
  /** A variable of the kernel; `shape` when its type is known. */
  | {
      readonly kind: "variable";
      readonly address: bigint;
      readonly variable: VariableAt;
      readonly perCpu: boolean;
      /** An unknown multiple of something is added to the address. */
      readonly indexed: boolean;
      readonly shape: PointerShape | undefined;
    };

export class Evaluation {
  readonly #world: FlowWorld;

  constructor(world: FlowWorld) {
    this.#world = world;
  }

  /** @param by definition of a result that is no copy of an earlier value */
  value(expression: Expression, state: FlowState, width: number, by: Definition): Fact {
    switch (expression.kind) {
      case "register": {
        const fact = state.registers.get(expression.name);
        if (fact === undefined) return { by, shape: undefined };
        if (expression.size === 8 && width === 8) return fact;
        return { by: fact.by, shape: narrowed(fact.shape, expression.size) };
      }
      case "constant":
        return { by, shape: { kind: "constant", value: BigInt.asUintN(width * 8, expression.value) } };
      case "load":
        return this.#load(expression.memory, expression.size, state, width, by);
      case "address":
        return { by, shape: width === 8 ? this.address(expression.memory, state) : undefined };
      case "sum": {
        const left = this.value(expression.left, state, width, by);
        const right = this.value(expression.right, state, width, by);
        const shape = addShapes(left.shape, right.shape);
        return { by, shape: width === 8 ? shape : narrowed(shape, width) };
      }
      case "either": {
        const left = this.value(expression.left, state, width, by);
        const right = this.value(expression.right, state, width, by);
        return { by: left.by === right.by ? left.by : by, shape: joinShapes(left.shape, right.shape) };
      }
      case "system":
        return { by, shape: this.#system(expression.name) };
      case "unknown":
        return { by, shape: undefined };
    }
  }

  /** arm64: `current` is in SP_EL0, this CPU's offset in TPIDR_EL1, or TPIDR_EL2 with VHE (arch/arm64/include/asm/{current,percpu}.h). */
  #system(name: string): Shape | undefined {
    const { task } = this.#world;
    if (name === "sp_el0" && task !== undefined) return { kind: "pointer", target: task, offset: 0, stride: 0 };
    return name === "tpidr_el1" || name === "tpidr_el2" ? { kind: "per-cpu base" } : undefined;
  }

  #load(memory: MemoryOperand, size: number, state: FlowState, width: number, by: Definition): Fact {
    const place = this.place(memory, state);
    if (place === undefined) return { by, shape: undefined };
    if (place.kind === "stack") {
      const slot = state.slots.get(place.offset);
      if (slot === undefined || slot.size !== size) return { by, shape: undefined };
      return size === 8 && width === 8 ? slot.fact : { by: slot.fact.by, shape: narrowed(slot.fact.shape, size) };
    }
    if (place.kind === "variable" && isPerCpuOffset(place)) return { by, shape: size === 8 ? { kind: "per-cpu base" } : undefined };
    const type = place.shape === undefined ? undefined : typeRead(membersAt(place.shape, size), size, sameType);
    const shape = type === undefined ? undefined : shapeOfType(type);
    return { by, shape: shape?.kind === "pointer" && width !== 8 ? undefined : shape };
  }

  /** What the operand's address is as a value. */
  address(memory: MemoryOperand, state: FlowState): Shape | undefined {
    if (memory.segment !== undefined) return undefined;
    const shapeOf = (name: string | undefined) => (name === undefined ? undefined : state.registers.get(name)?.shape);
    const displacement: Shape = { kind: "constant", value: BigInt.asUintN(64, memory.displacement) };
    const base = memory.base === undefined ? displacement : addShapes(shapeOf(memory.base), displacement);
    if (memory.index === undefined) return base;
    const index = memory.extend === undefined ? shapeOf(memory.index) : undefined;
    if (index?.kind === "constant") {
      return addShapes(base, { kind: "constant", value: BigInt.asUintN(64, index.value * BigInt(memory.scale)) });
    }
    if (memory.scale === 1 && index !== undefined && index.kind !== "scalar") {
      if (index.kind === "per-cpu base") return addShapes(base, index);
      if (base?.kind === "constant" || base?.kind === "per-cpu base") return addShapes(base, index);
      // Both registers may be the pointer: the one that is none is a number.
      if (base === undefined || base.kind === "scalar") return addMultiple(index, 1);
    }
    return addMultiple(base?.kind === "constant" ? this.#variableShape(base.value) : base, memory.scale);
  }

  #variableShape(address: bigint): PointerShape | undefined {
    const variable = this.#world.variableAt(address);
    return variable === undefined ? undefined : shapeOfVariable(variable);
  }

  /** Where the operand leads; undefined when that is not known. */
  place(memory: MemoryOperand, state: FlowState): Place | undefined {
    if (memory.segment !== undefined) return memory.segment === "gs" ? this.#perCpuPlace(memory, state) : undefined;
    const shape = this.address(memory, state);
    switch (shape?.kind) {
      case "stack":
        return { kind: "stack", offset: shape.offset };
      case "pointer":
        return this.#indexedVariable(memory, shape, state) ?? this.#pointerPlace(memory, shape, state);
      case "constant":
        return this.#variablePlace(shape.value, this.#world.variableAt(shape.value), false);
      case "per-cpu":
        return this.#variablePlace(shape.address, this.#world.perCpuAt(shape.address), true);
      default:
        return undefined;
    }
  }

  #pointerPlace({ base, index }: MemoryOperand, shape: PointerShape, state: FlowState): Place | undefined {
    const facts = [base, index].map((name) => (name === undefined ? undefined : state.registers.get(name)));
    const through = facts.find((fact) => fact?.shape?.kind === "pointer");
    return through === undefined ? undefined : { kind: "pointer", shape, base: through };
  }

  /** `table(,%rax,8)`: an element of a variable. */
  #indexedVariable({ base, index, displacement }: MemoryOperand, shape: PointerShape, state: FlowState): Place | undefined {
    if (index === undefined) return undefined;
    const start = base === undefined ? 0n : state.registers.get(base)?.shape;
    const from = start === 0n ? 0n : start?.kind === "constant" ? start.value : undefined;
    if (from === undefined) return undefined;
    const address = BigInt.asUintN(64, from + displacement);
    const variable = this.#world.variableAt(address);
    return variable === undefined ? undefined : { kind: "variable", address, variable, perCpu: false, indexed: true, shape };
  }

  /** x86-64: gs is this CPU's per-CPU area. */
  #perCpuPlace(memory: MemoryOperand, state: FlowState): Place | undefined {
    const shape = this.address({ ...memory, segment: undefined }, state);
    if (shape?.kind === "pointer") return this.#pointerPlace(memory, shape, state);
    return shape?.kind === "constant" ? this.#variablePlace(shape.value, this.#world.perCpuAt(shape.value), true) : undefined;
  }

  #variablePlace(address: bigint, variable: VariableAt | undefined, perCpu: boolean): Place | undefined {
    if (variable === undefined) return undefined;
    return { kind: "variable", address, variable, perCpu, indexed: false, shape: shapeOfVariable(variable) };
  }
}

/** What a place's members are called for an access. */
export function membersOf(place: Place, size: number): readonly MemberPath[] {
  return place.kind === "stack" || place.shape === undefined ? [] : membersAt(place.shape, size);
}

/** Variables that hold distances to per-CPU areas. */
function isPerCpuOffset({ variable, indexed }: Extract<Place, { readonly kind: "variable" }>): boolean {
  return variable.name === "this_cpu_off"
    ? variable.offset === 0
    : variable.name === "__per_cpu_offset" && (indexed || variable.offset % 8 === 0);
}

/** Less than a whole register is never a pointer. */
function narrowed(shape: Shape | undefined, size: number): Shape | undefined {
  if (shape?.kind === "constant") return { kind: "constant", value: BigInt.asUintN(size * 8, shape.value) };
  return shape?.kind === "scalar" && sizeOf(shape.type) <= size ? shape : undefined;
}
