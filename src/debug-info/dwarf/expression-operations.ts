/**
 * The operations of DWARF expressions that leave a value on the stack: constants, arithmetic, reads of memory, and what only the world
 * around knows (frame base, entry values). DWARF 5, sections 2.5.1.1 to 2.5.1.7; operations of GNU that DWARF 5 took over are the same.
 *
 * Each method handles one group and answers whether the operation was one of it.
 */
import { UnsupportedError } from "../../bytes/errors.ts";
import { OP, operationName } from "./expression-opcodes.ts";
import { binary, convert, operand, reinterpret, unary } from "./expression-operand.ts";
import type { ExpressionReader } from "./expression-reader.ts";
import { registerOf } from "./expression-register.ts";
import { ExpressionStack, malformed } from "./expression-stack.ts";

/** A stack with the operations that compute on it; what leads to locations or elsewhere in the expression is the machine's. */
export class ExpressionOperations extends ExpressionStack {
  /** Constants of all widths, and addresses. */
  protected constant(operation: number, reader: ExpressionReader): boolean {
    switch (operation) {
      case OP.addr:
        this.push(this.context.runtime(reader.unsigned(this.context.unit?.addressSize ?? 8)));
        return true;
      case OP.addrx:
        this.push(this.context.runtime(this.unit(operation).addressAt(reader.count())));
        return true;
      case OP.constx:
        this.push(this.unit(operation).addressAt(reader.count()));
        return true;
      case OP.const1u:
      case OP.const2u:
      case OP.const4u:
      case OP.const8u:
        this.push(reader.unsigned(1 << ((operation - OP.const1u) >> 1)));
        return true;
      case OP.const1s:
      case OP.const2s:
      case OP.const4s:
      case OP.const8s:
        this.push(reader.signed(1 << ((operation - OP.const1u) >> 1)));
        return true;
      case OP.constu:
        this.push(reader.uleb());
        return true;
      case OP.consts:
        this.push(reader.sleb());
        return true;
      default:
        return false;
    }
  }

  /** Operations that only move what is on the stack. */
  protected shuffle(operation: number, reader: ExpressionReader): boolean {
    switch (operation) {
      case OP.dup:
        this.stack.push(this.at(0));
        return true;
      case OP.drop:
        this.pop();
        return true;
      case OP.over:
        this.stack.push(this.at(1));
        return true;
      case OP.pick:
        this.stack.push(this.at(reader.u8()));
        return true;
      case OP.swap: {
        const top = this.pop();
        const below = this.pop();
        this.stack.push(top, below);
        return true;
      }
      case OP.rot: {
        // The top goes to the third place, the two others move up.
        const top = this.pop();
        const second = this.pop();
        const third = this.pop();
        this.stack.push(top, third, second);
        return true;
      }
      default:
        return false;
    }
  }

  /** Arithmetic, and reads of memory. */
  protected compute(operation: number, reader: ExpressionReader): boolean {
    switch (operation) {
      case OP.abs:
      case OP.neg:
      case OP.not:
        this.stack.push(unary(operation, this.pop()));
        return true;
      case OP.plus_uconst: {
        const { bits, type } = this.pop();
        this.stack.push(operand(bits + reader.uleb(), type));
        return true;
      }
      case OP.deref:
        this.push(this.read(this.pop().bits, 8));
        return true;
      case OP.deref_size: {
        const size = reader.u8();
        if (size < 1 || size > 8) throw malformed(`${operationName(operation)} of ${size} bytes`);
        this.push(this.read(this.pop().bits, size));
        return true;
      }
      default: {
        const arithmetic = operation >= OP.and && operation <= OP.xor;
        if (!arithmetic && !(operation >= OP.eq && operation <= OP.ne)) return false;
        const right = this.pop();
        this.stack.push(binary(operation, this.pop(), right));
        return true;
      }
    }
  }

  /** Operations that name a base type; type 0 is the untyped word. */
  protected typed(operation: number, reader: ExpressionReader): boolean {
    switch (operation) {
      case OP.const_type: {
        const type = this.type(operation, reader.count(), false);
        const size = reader.u8();
        const value = littleEndian(reader.bytes(size));
        this.stack.push(operand(value, type));
        return true;
      }
      case OP.regval_type: {
        const register = reader.count();
        const type = this.type(operation, reader.count(), false);
        if (type !== undefined && type.size > 8) throw new UnsupportedError(`it needs ${type.size} bytes of a register`);
        this.stack.push(operand(this.register(register), type));
        return true;
      }
      case OP.deref_type: {
        const size = reader.u8();
        const type = this.type(operation, reader.count(), false);
        if (size < 1 || size > 16) throw malformed(`${operationName(operation)} of ${size} bytes`);
        this.stack.push(operand(this.read(this.pop().bits, size), type));
        return true;
      }
      case OP.convert:
        this.stack.push(convert(this.pop(), this.type(operation, reader.count(), true)));
        return true;
      case OP.reinterpret:
        this.stack.push(reinterpret(this.pop(), this.type(operation, reader.count(), true)));
        return true;
      default:
        return false;
    }
  }

  /** What only the context knows. */
  protected ask(operation: number, reader: ExpressionReader): boolean {
    const context = this.context;
    switch (operation) {
      case OP.bregx:
        this.push(this.register(reader.count()) + reader.sleb());
        return true;
      case OP.fbreg: {
        const offset = reader.sleb();
        this.push(needed(context.frameBase?.(), "the function's frame base") + offset);
        return true;
      }
      case OP.call_frame_cfa:
        this.push(needed(context.cfa?.(), "the frame's canonical address"));
        return true;
      case OP.push_object_address:
        this.push(needed(context.objectAddress?.(), "the address of the object it is part of"));
        return true;
      case OP.entry_value: {
        const expression = reader.bytes(reader.count());
        this.push(needed(context.entryValue?.(expression), `the value that ${this.#spell(expression)} had on entry to the function`));
        return true;
      }
      case OP.GNU_parameter_ref: {
        const entry = Number(reader.unsigned(4));
        this.push(needed(context.parameterValue?.(entry), "what the caller passed for a parameter that the function does not take"));
        return true;
      }
      case OP.GNU_variable_value: {
        const entry = Number(reader.unsigned(this.referenceSize(operation)));
        this.push(needed(context.variableValue?.(entry), "the value of another variable"));
        return true;
      }
      default:
        return false;
    }
  }

  /** "rdi" for the usual expression of an entry value. */
  #spell(expression: Uint8Array): string {
    const register = registerOf(expression);
    return register === undefined ? "an expression" : this.context.registerName(register);
  }
}

function needed(value: bigint | undefined, what: string): bigint {
  if (value === undefined) throw new UnsupportedError(`needs ${what}, which is not known`);
  return value;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}
