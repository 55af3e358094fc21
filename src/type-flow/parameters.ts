/**
 * In which registers a function finds its parameters, by its prototype: System V AMD64 psABI 3.2.3; Procedure Call Standard for the Arm
 * 64-bit Architecture 6.8.2. The kernel passes no floating-point numbers.
 */
import { type CType, type FunctionType, sizeOf, strip } from "../debug-info/c-type.ts";
import type { Machine } from "./machine.ts";

export interface RegisterParameter {
  readonly register: string;
  /** Place among the parameters, from 0. */
  readonly index: number;
  readonly name: string | undefined;
  readonly type: CType;
}

/** Parameters that are whole in one register; ends where one is passed in a way that is not followed. */
export function registerParameters(type: FunctionType, machine: Machine): readonly RegisterParameter[] {
  const registers = [...machine.arguments];
  const found: RegisterParameter[] = [];
  if (returnsInMemory(type.returns) && machine.resultAddress === registers[0]) registers.shift();
  for (const [index, { name, type: declared }] of type.parameters.entries()) {
    const plain = strip(declared);
    const size = sizeOf(declared);
    if (plain.kind === "struct" || plain.kind === "union") {
      if (size > 16) {
        if (!machine.largeByAddress) continue;
        const register = registers.shift();
        if (register === undefined) break;
        found.push({ register, index, name, type: { kind: "pointer", size: 8, target: declared } });
        continue;
      }
      const wanted = Math.ceil(size / 8);
      // What does not fit goes to the stack whole: on arm64 all that follows does too.
      if (registers.length < wanted) {
        if (machine.largeByAddress) break;
        continue;
      }
      registers.splice(0, wanted);
      continue;
    }
    if (size === 16) {
      // __int128, in an even pair on arm64.
      break;
    }
    if (plain.kind !== "int" && plain.kind !== "pointer" && plain.kind !== "enum") break;
    const register = registers.shift();
    if (register === undefined) break;
    found.push({ register, index, name, type: declared });
  }
  return found;
}

/** The function writes its result to where the caller says. */
function returnsInMemory(type: CType): boolean {
  const plain = strip(type);
  return (plain.kind === "struct" || plain.kind === "union") && plain.size > 16;
}
