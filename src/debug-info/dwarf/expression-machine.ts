/**
 * The stack machine of DWARF expressions. DWARF 5, sections 2.5 and 2.6; versions 2 to 4 are subsets.
 *
 *   breg7 8 │ deref │ plus_uconst 16                 ► memory at *(rsp + 8) + 16
 *   breg3 0 │ lit4 │ and │ stack_value               ► the value rbx & 4
 *   reg0 │ piece 8 │ piece 4                         ► rax, then four bytes that are nowhere
 *
 * Expressions come from files that may be damaged: steps, stack and nesting are bounded, and what is not understood ends the evaluation
 * with its reason, never with a guess.
 */
import { UnsupportedError } from "../../bytes/errors.ts";
import type { Location, Piece, SimpleLocation } from "./expression-location.ts";
import { OP, operationName, standardOperation } from "./expression-opcodes.ts";
import { binary, convert, type Operand, operand, reinterpret, unary } from "./expression-operand.ts";
import { ExpressionReader } from "./expression-reader.ts";
import { registerOf } from "./expression-register.ts";
import { ExpressionStack, malformed } from "./expression-stack.ts";

/** Far more than any compiler emits (seen in kernels: a few dozen). */
const MAX_STEPS = 10_000;
const MAX_STACK = 512;
const MAX_CALLS = 16;
const MAX_PIECES = 256;
/** DW_OP_piece counts bytes; no variable of a kernel is larger. */
const MAX_PIECE_BITS = 2 ** 31;

export class ExpressionMachine extends ExpressionStack {
  readonly #pieces: Piece[] = [];
  /** A location that is no address: a register, a value, …; only a piece or the end may follow it. */
  #simple: SimpleLocation | undefined;
  #steps = 0;

  /** Runs a whole expression. Throws FormatError, UnsupportedError, FaultError. */
  run(expression: Uint8Array): void {
    this.#execute(expression, 0);
  }

  /** Where the expression leads. */
  location(): Location {
    if (this.#pieces.length === 0) return this.#current();
    if (this.#simple !== undefined || this.stack.length > 0) throw malformed("it goes on behind its last piece");
    return { kind: "pieces", pieces: this.#pieces };
  }

  /** The top of the stack, for expressions whose result is a value. */
  top(): Operand {
    return this.at(0);
  }

  #execute(expression: Uint8Array, depth: number): void {
    const reader = new ExpressionReader(expression);
    while (!reader.atEnd) {
      if (++this.#steps > MAX_STEPS) throw malformed(`it does not end within ${MAX_STEPS} operations`);
      const operation = standardOperation(reader.u8());
      if (this.#simple !== undefined && !FOLLOWS_LOCATION.has(operation)) {
        throw malformed(`${operationName(operation)} follows a location that is no address`);
      }
      this.#step(operation, reader, depth);
      if (this.stack.length > MAX_STACK) throw malformed(`its stack grows beyond ${MAX_STACK} values`);
    }
  }

  #step(operation: number, reader: ExpressionReader, depth: number): void {
    if (this.#numbered(operation, reader) || this.#constant(operation, reader) || this.#shuffle(operation, reader)) return;
    if (this.#compute(operation, reader) || this.#describe(operation, reader) || this.#typed(operation, reader)) return;
    if (!this.#ask(operation, reader)) this.#control(operation, reader, depth);
  }

  /** The three rows of 32 operations with a small number in them. */
  #numbered(operation: number, reader: ExpressionReader): boolean {
    if (operation < OP.lit0 || operation >= OP.breg0 + 32) return false;
    if (operation < OP.reg0) this.push(BigInt(operation - OP.lit0));
    else if (operation < OP.breg0) this.#inRegister(operation - OP.reg0);
    else this.push(this.register(operation - OP.breg0) + reader.sleb());
    return true;
  }

  /** Constants of all widths, and addresses. */
  #constant(operation: number, reader: ExpressionReader): boolean {
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
  #shuffle(operation: number, reader: ExpressionReader): boolean {
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
  #compute(operation: number, reader: ExpressionReader): boolean {
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

  /** Locations that are no address, and pieces. */
  #describe(operation: number, reader: ExpressionReader): boolean {
    switch (operation) {
      case OP.regx:
        this.#inRegister(reader.count());
        return true;
      case OP.implicit_value:
        this.#simple = { kind: "bytes", bytes: reader.bytes(reader.count()) };
        return true;
      case OP.stack_value:
        this.#simple = { kind: "value", ...this.pop() };
        return true;
      case OP.implicit_pointer: {
        const entry = Number(reader.unsigned(this.referenceSize(operation)));
        this.#simple = { kind: "implicit pointer", entry, offset: reader.sleb() };
        return true;
      }
      case OP.piece:
        this.#piece(reader.count() * 8, 0);
        return true;
      case OP.bit_piece: {
        const bits = reader.count();
        this.#piece(bits, reader.count());
        return true;
      }
      default:
        return false;
    }
  }

  /** Operations that name a base type; type 0 is the untyped word. */
  #typed(operation: number, reader: ExpressionReader): boolean {
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
  #ask(operation: number, reader: ExpressionReader): boolean {
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

  #control(operation: number, reader: ExpressionReader, depth: number): void {
    switch (operation) {
      case OP.nop:
      // The variable may not have been set yet: GCC's -fvar-tracking-uninit marks it so behind its location.
      case OP.GNU_uninit:
        return;
      case OP.skip:
        reader.jump(reader.signed(2));
        return;
      case OP.bra: {
        const distance = reader.signed(2);
        if (this.pop().bits !== 0n) reader.jump(distance);
        return;
      }
      case OP.call2:
      case OP.call4:
        this.#call("unit", reader.unsigned(operation === OP.call2 ? 2 : 4), depth, operation);
        return;
      case OP.call_ref:
        this.#call("section", reader.unsigned(this.referenceSize(operation)), depth, operation);
        return;
      case OP.form_tls_address:
      case OP.GNU_push_tls_address:
        throw new UnsupportedError("it is a variable of a thread of user mode");
      default:
        // xderef and its kin (address spaces), and operations of vendors.
        throw new UnsupportedError(`${operationName(operation)} is not understood`);
    }
  }

  #call(from: "unit" | "section", offset: bigint, depth: number, operation: number): void {
    if (depth >= MAX_CALLS) throw malformed(`its calls nest deeper than ${MAX_CALLS}`);
    this.#execute(this.unit(operation).procedure(from, Number(offset)), depth + 1);
  }

  #inRegister(register: number): void {
    this.#simple = { kind: "register", register };
  }

  #piece(bits: number, skip: number): void {
    if (bits > MAX_PIECE_BITS || skip > MAX_PIECE_BITS) throw malformed(`a piece of ${bits} bits`);
    if (this.#pieces.length >= MAX_PIECES) throw malformed(`more than ${MAX_PIECES} pieces`);
    const location = this.#current();
    this.#pieces.push({ bits, skip, location });
    this.#simple = undefined;
    this.stack.length = 0;
  }

  #current(): SimpleLocation {
    if (this.#simple !== undefined) return this.#simple;
    const top = this.stack.at(-1);
    return top === undefined ? { kind: "none" } : { kind: "memory", address: BigInt.asUintN(64, top.bits) };
  }

  /** "rdi" for the usual expression of an entry value. */
  #spell(expression: Uint8Array): string {
    const register = registerOf(expression);
    return register === undefined ? "an expression" : this.context.registerName(register);
  }
}

/** What may stand behind a register, an implicit value and so on. */
const FOLLOWS_LOCATION: ReadonlySet<number> = new Set([OP.piece, OP.bit_piece, OP.nop, OP.GNU_uninit]);

function needed(value: bigint | undefined, what: string): bigint {
  if (value === undefined) throw new UnsupportedError(`needs ${what}, which is not known`);
  return value;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}
