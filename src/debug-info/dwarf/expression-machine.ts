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
import type { Operand } from "./expression-operand.ts";
import { ExpressionOperations } from "./expression-operations.ts";
import { ExpressionReader } from "./expression-reader.ts";
import { malformed } from "./expression-stack.ts";

/** Far more than any compiler emits (seen in kernels: a few dozen). */
const MAX_STEPS = 10_000;
const MAX_STACK = 512;
const MAX_CALLS = 16;
const MAX_PIECES = 256;
/** DW_OP_piece counts bytes; no variable of a kernel is larger. */
const MAX_PIECE_BITS = 2 ** 31;

export class ExpressionMachine extends ExpressionOperations {
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
    if (this.#numbered(operation, reader) || this.constant(operation, reader) || this.shuffle(operation, reader)) return;
    if (this.compute(operation, reader) || this.#describe(operation, reader) || this.typed(operation, reader)) return;
    if (!this.ask(operation, reader)) this.#control(operation, reader, depth);
  }

  /** The three rows of 32 operations with a small number in them. */
  #numbered(operation: number, reader: ExpressionReader): boolean {
    if (operation < OP.lit0 || operation >= OP.breg0 + 32) return false;
    if (operation < OP.reg0) this.push(BigInt(operation - OP.lit0));
    else if (operation < OP.breg0) this.#inRegister(operation - OP.reg0);
    else this.push(this.register(operation - OP.breg0) + reader.sleb());
    return true;
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
}

/** What may stand behind a register, an implicit value and so on. */
const FOLLOWS_LOCATION: ReadonlySet<number> = new Set([OP.piece, OP.bit_piece, OP.nop, OP.GNU_uninit]);
