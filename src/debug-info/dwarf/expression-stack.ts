/**
 * The stack of a DWARF expression, and what operations take from the world around it: registers, memory, base types. DWARF 5, section 2.5.1.
 */
import { FormatError, UnsupportedError } from "../../bytes/errors.ts";
import type { ExpressionContext, ExpressionUnit } from "./expression-context.ts";
import type { OperandType } from "./expression-location.ts";
import { operationName } from "./expression-opcodes.ts";
import { type Operand, operand } from "./expression-operand.ts";

export class ExpressionStack {
  protected readonly context: ExpressionContext;
  protected readonly stack: Operand[];

  /** @param initial words on the stack at the start, the last one on top */
  constructor(context: ExpressionContext, initial: readonly bigint[]) {
    this.context = context;
    this.stack = initial.map((value) => operand(value));
  }

  protected push(value: bigint): void {
    this.stack.push(operand(value));
  }

  protected pop(): Operand {
    const top = this.stack.pop();
    if (top === undefined) throw malformed("it takes a value from its empty stack");
    return top;
  }

  protected at(depth: number): Operand {
    const found = this.stack.at(-1 - depth);
    if (found === undefined) throw malformed("it takes a value from its empty stack");
    return found;
  }

  protected register(register: number): bigint {
    const { registerName } = this.context;
    const value = this.context.register(register);
    if (value === undefined) throw new UnsupportedError(`needs ${registerName(register)}, which this frame does not have`);
    return value;
  }

  /** Little-endian word of 1 to 16 bytes. */
  protected read(address: bigint, size: number): bigint {
    const { memory } = this.context;
    let value = 0n;
    for (let done = 0; done < size; ) {
      const here = BigInt.asUintN(64, address + BigInt(done));
      const step = [8, 4, 2, 1].find((each) => each <= size - done) as number;
      const part = step === 8 ? memory.u64(here) : BigInt(step === 4 ? memory.u32(here) : step === 2 ? memory.u16(here) : memory.u8(here));
      value |= part << BigInt(8 * done);
      done += step;
    }
    return value;
  }

  protected type(operation: number, offset: number, genericAllowed: boolean): OperandType | undefined {
    if (offset === 0 && genericAllowed) return undefined;
    const type = this.unit(operation).baseType(offset);
    if (type === undefined) throw malformed(`${operationName(operation)} names no base type`);
    return type;
  }

  /** Bytes of a reference to another unit: an address in DWARF 2. */
  protected referenceSize(operation: number): number {
    const { version, addressSize, offsetSize } = this.unit(operation);
    return version <= 2 ? addressSize : offsetSize;
  }

  protected unit(operation: number): ExpressionUnit {
    const { unit } = this.context;
    if (unit === undefined) throw malformed(`${operationName(operation)} outside a unit`);
    return unit;
  }
}

/** An expression that no compiler makes. */
export function malformed(what: string): FormatError {
  return new FormatError("DWARF expression", what);
}
