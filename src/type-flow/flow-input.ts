/** What flow analysis is given of a function: its code, its machine, its prototype, and what is known of values besides. */
import type { FunctionType } from "../debug-info/c-type.ts";
import type { ControlFlow } from "./control-flow.ts";
import type { FlowWorld } from "./flow-world.ts";
import type { Machine } from "./machine.ts";
import type { Shape } from "./shape.ts";

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
