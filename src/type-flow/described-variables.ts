/**
 * Variables that debug information places in registers or on the stack at an instruction. DWARF 5, 2.6 and 3.3.5; only the simple forms
 * that name one place:
 *
 *   DW_OP_reg3                          the register holds it
 *   DW_OP_breg3 -8, DW_OP_stack_value   it is the register's value less 8: the register points 8 bytes into what the variable points to
 *   DW_OP_fbreg -40                     it lies 40 bytes below the canonical frame address, where that is the frame base
 */
import { InquestError } from "../bytes/errors.ts";
import type { CType } from "../debug-info/c-type.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Variable } from "../debug-info/debug-info.ts";
import { DW_AT_frame_base, DW_AT_location } from "../debug-info/dwarf/constants.ts";
import { OP } from "../debug-info/dwarf/expression-opcodes.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { ControlFlow } from "./control-flow.ts";
import type { VariableInRegister } from "./flow-input.ts";
import { machineOf } from "./machine.ts";
import { type Shape, shapeOfType } from "./shape.ts";

/** A variable and the register it is in, or is computed from. */
export interface RegisterVariable extends VariableInRegister {
  readonly name: string;
  readonly type: CType;
  /** What is added to the register to give the variable. */
  readonly delta: number;
}

interface StackVariable {
  readonly name: string;
  readonly type: CType;
  /** From the canonical frame address. */
  readonly offset: number;
}

interface Here {
  readonly registers: readonly RegisterVariable[];
  readonly stack: readonly StackVariable[];
}

const NOTHING: Here = { registers: [], stack: [] };

export class DescribedVariables {
  readonly #kernel: Kernel;
  readonly #flow: ControlFlow;
  readonly #known = new Map<number, Here>();

  constructor(kernel: Kernel, flow: ControlFlow) {
    this.#kernel = kernel;
    this.#flow = flow;
  }

  inRegisters(index: number): readonly RegisterVariable[] {
    return this.#at(index).registers;
  }

  /** Name of the variable that a register holds; of the innermost scope when several do. */
  nameIn(index: number, register: string): string | undefined {
    return this.#at(index).registers.find((each) => each.register === register && each.delta === 0)?.name;
  }

  /** The pointer that a register points so many bytes into. */
  pointerInto(index: number, register: string, offset: number): string | undefined {
    return this.#at(index).registers.find((each) => each.register === register && each.delta === -offset)?.name;
  }

  /** Name of the local that lies at a distance from the canonical frame address, with the bytes into it. */
  onStack(index: number, offset: number): { readonly name: string; readonly type: CType; readonly into: number } | undefined {
    let best: StackVariable | undefined;
    for (const each of this.#at(index).stack) if (each.offset <= offset && (best === undefined || each.offset > best.offset)) best = each;
    return best === undefined ? undefined : { name: best.name, type: best.type, into: offset - best.offset };
  }

  #at(index: number): Here {
    const known = this.#known.get(index);
    if (known !== undefined) return known;
    let found = NOTHING;
    try {
      found = this.#read(index);
    } catch (error) {
      // Damaged debug information: the code itself still tells what it tells.
      if (!(error instanceof InquestError)) throw error;
    }
    this.#known.set(index, found);
    return found;
  }

  #read(index: number): Here {
    const instruction = this.#flow.instructions[index];
    const described = instruction === undefined ? undefined : this.#kernel.debugInfo.at(instruction.address);
    if (described === undefined) return NOTHING;
    const scopes = described.info.scopesAt(described.link);
    const fn = scopes.at(-1);
    const base = fn === undefined ? undefined : fn.die.unit.locationAt(fn.die, DW_AT_frame_base, described.link);
    const onCfa = base?.length === 1 && base[0] === OP.call_frame_cfa;
    const registers: RegisterVariable[] = [];
    const stack: StackVariable[] = [];
    for (const { name, type, die } of scopes.flatMap(({ variables }): readonly Variable[] => variables)) {
      const expression = die.has(DW_AT_location) ? die.unit.locationAt(die, DW_AT_location, described.link) : undefined;
      const place = expression === undefined ? undefined : placeOf(expression);
      if (place === undefined) continue;
      if (place.kind === "frame") {
        if (onCfa) stack.push({ name, type, offset: place.offset });
        continue;
      }
      const register = machineOf(this.#kernel.arch.name).names[place.register];
      if (register === undefined) continue;
      registers.push({ name, type, register, delta: place.delta, shape: shapeWith(type, place.delta) });
    }
    return { registers, stack };
  }
}

/** What the register holds when the variable is its value and a constant. */
function shapeWith(type: CType, delta: number): Shape | undefined {
  const shape = shapeOfType(type);
  if (delta === 0) return shape;
  if (shape?.kind !== "pointer") return undefined;
  const target = strip(shape.target);
  return target.kind === "struct" || target.kind === "union" ? { ...shape, offset: -delta } : undefined;
}

type SimplePlace =
  | { readonly kind: "register"; readonly register: number; readonly delta: number }
  | { readonly kind: "frame"; readonly offset: number };

function placeOf(expression: Uint8Array): SimplePlace | undefined {
  const [operation = 0] = expression;
  if (expression.length === 1 && operation >= OP.reg0 && operation < OP.breg0) {
    return { kind: "register", register: operation - OP.reg0, delta: 0 };
  }
  const isFrame = operation === OP.fbreg;
  if (!isFrame && (operation < OP.breg0 || operation >= OP.regx)) return undefined;
  const offset = signedLeb(expression, 1);
  if (offset === undefined) return undefined;
  if (isFrame) return offset.end === expression.length ? { kind: "frame", offset: offset.value } : undefined;
  if (offset.end + 1 !== expression.length || expression[offset.end] !== OP.stack_value) return undefined;
  return { kind: "register", register: operation - OP.breg0, delta: offset.value };
}

/** A signed LEB128 of at most five bytes. */
function signedLeb(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if ((byte & 0x80) === 0) return { value: (byte & 0x40) === 0 ? value : value - 2 ** (7 * (i + 1)), end: at + i + 1 };
  }
  return undefined;
}
