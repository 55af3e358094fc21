/**
 * What an evaluator makes of values and scalars, without walking the tree: scalars read from values, immediates made of scalars, pointer
 * sums. Errors point at the node they arose in.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { UsageError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import { type CType, type PointerType, sizeOf, strip } from "../../debug-info/c-type.ts";
import { Value } from "../value.ts";
import { arithmetic } from "./arithmetic.ts";
import { errorAt } from "./lexer.ts";
import type { Scope } from "./scope.ts";
import type { Expression } from "./syntax-tree.ts";
import {
  asFloat,
  asPointer,
  CHAR,
  DOUBLE,
  FLOAT,
  floatBits,
  INT,
  LONG,
  pointerTo,
  promote,
  type Scalar,
  stride,
  UNSIGNED_LONG,
  wrap,
} from "./values.ts";

const MAX_ELEMENTS = 1n << 32n;

/** The part of an evaluator that does arithmetic in a scope. */
export class Operands {
  protected readonly text: string;
  protected readonly scope: Scope;
  /** Inside sizeof and typeof, which look at types only: sizeof(((struct task_struct *)0)->mm->pgd). */
  protected typesOnly = 0;

  constructor(text: string, scope: Scope) {
    this.text = text;
    this.scope = scope;
  }

  /** A value of its own, cut to the width of its type. */
  protected immediate(type: CType, value: bigint): Value {
    return new Value(this.scope.memory, type, { immediate: wrap(value, type) });
  }

  protected scalarValue({ type, value }: Scalar): Value {
    return new Value(this.scope.memory, type, { immediate: value });
  }

  protected double(value: number, single = false): Value {
    const type = single ? FLOAT : DOUBLE;
    return new Value(this.scope.memory, type, { immediate: floatBits(value, type) });
  }

  /** A string has bytes of its own and no address in the dead kernel. */
  protected string(content: string): Value {
    const bytes = Uint8Array.from(`${content}\0`, (char) => char.charCodeAt(0) & 0xff);
    return new Value(this.scope.memory, { kind: "array", element: CHAR, length: bytes.length }, { bytes });
  }

  protected error(node: { readonly at: number }, what: string): UsageError {
    return errorAt(this.text, node.at, what);
  }

  /** A scalar's bits; 0 where only its type matters. */
  protected bits(value: Value): bigint {
    return this.typesOnly > 0 && value.place !== undefined ? 0n : value.bigint();
  }

  /** sizeof: an error where the type has no size. */
  protected sizeOf(node: Expression, type: CType): Value {
    const plain = strip(type);
    if (plain.kind === "void" || plain.kind === "forward" || plain.kind === "function")
      throw this.error(node, `the size of ${declare(type)} is not known`);
    return this.immediate(UNSIGNED_LONG, BigInt(sizeOf(type)));
  }

  /** Reads an operand: arrays and functions become pointers, structures are refused. */
  protected scalarOf(node: Expression, value: Value): Scalar {
    const plain = strip(value.type);
    switch (plain.kind) {
      case "int":
        // A bitfield narrower than int is an int in arithmetic, whatever its declared type: flag - 1 may be negative.
        if (value.bits !== undefined && value.bits.size < 32) return { type: INT, value: this.bits(value) };
        return { type: value.type, value: plain.size > 8 ? wide(value, plain.signed) : this.bits(value) };
      case "enum":
      case "pointer":
      case "float":
        return { type: value.type, value: this.bits(value) };
      case "array":
        return { type: pointerTo(plain.element), value: this.addressOf(node, value) };
      case "function":
        return { type: pointerTo(value.type), value: this.addressOf(node, value) };
      case "void":
        if (node.kind === "name" && node.name.startsWith("$")) throw this.error(node, `${node.name} is not set`);
        throw this.error(node, "its type is not known without a vmlinux; say it with a cast: *(TYPE *)&NAME");
      default:
        throw this.error(node, `${declare(value.type)} is no number or pointer`);
    }
  }

  /** Where the value lies; an error for one that lies nowhere. */
  protected addressOf(node: Expression, value: Value): VirtualAddress {
    if (value.address === undefined || value.bits !== undefined)
      throw this.error(node, "a value without an address (a constant, a register, a bitfield, a result)");
    return value.address;
  }

  /** The object that a pointer leads to, read later. */
  protected dereference(pointer: Value, target: CType): Value {
    return pointer.pointee ?? new Value(this.scope.memory, target, virtual(this.bits(pointer)));
  }

  /** Bytes from one element to the next. */
  protected stride(pointer: PointerType): bigint {
    this.refuseUndefined(pointer.target);
    return stride(pointer);
  }

  /** A structure that is only named: its definition may be in a module without type information, or nowhere. */
  protected refuseUndefined(type: CType): void {
    const plain = strip(type);
    if (plain.kind === "forward") throw this.scope.undefinedType(plain.of, plain.name);
  }

  /** Two numbers under an operator. */
  protected combined(node: Expression, operator: string, left: Scalar, right: Scalar): Value {
    const result = arithmetic(operator, left, right);
    if (typeof result === "string") throw this.error(node, result);
    return this.scalarValue(result);
  }

  /** `first@count`: an array from the first element on. */
  protected repeat(node: Expression, first: Value, count: bigint, counted: Expression): Value {
    if (count < 1n || count > MAX_ELEMENTS) throw this.error(counted, `${count} is no number of elements`);
    const type: CType = { kind: "array", element: first.type, length: Number(count) };
    return new Value(first.memory, type, this.addressOf(node, first));
  }

  /** Sum of two numbers, or of a pointer and a number; with `dereference` what lies there. */
  protected sum(node: Expression, left: Scalar, right: Scalar, sign: bigint, dereference: boolean): Value {
    const [pointer, base, index] =
      asPointer(left.type) === undefined ? [asPointer(right.type), right, left] : [asPointer(left.type), left, right];
    if (pointer === undefined) {
      if (dereference) throw this.error(node, "only arrays and pointers can be indexed");
      return this.combined(node, sign < 0n ? "-" : "+", left, right);
    }
    if (asPointer(index.type) !== undefined) throw this.error(node, "two pointers cannot be added");
    if (asFloat(index.type) !== undefined) throw this.error(node, "a pointer moves by an integer");
    const address = virtual(base.value + sign * promote(index).value * this.stride(pointer));
    if (dereference && strip(pointer.target).kind === "void") throw this.error(node, "a void pointer has no elements; cast it first");
    return dereference ? new Value(this.scope.memory, pointer.target, address) : this.immediate(base.type, address);
  }

  /** Of two pointers the elements between them, else of two numbers or a pointer moved back. */
  protected difference(node: Expression, left: Scalar, right: Scalar): Value {
    const pointer = asPointer(left.type);
    if (pointer === undefined || asPointer(right.type) === undefined) {
      if (asPointer(right.type) !== undefined) throw this.error(node, "a pointer cannot be taken from a number");
      return this.sum(node, left, right, -1n, false);
    }
    return this.immediate(LONG, BigInt.asIntN(64, left.value - right.value) / this.stride(pointer));
  }
}

/** An __int128: two words, the higher one behind the lower. */
function wide(value: Value, signed: boolean): bigint {
  if (value.place === undefined) return value.bigint();
  const { memory, address } = value.place;
  const bits = (memory.u64(add(address, 8)) << 64n) | memory.u64(address);
  return signed ? BigInt.asIntN(128, bits) : bits;
}
