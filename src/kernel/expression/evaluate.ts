/**
 * Evaluates a C expression over the dead kernel. The result is a typed value: an address with a type, read when it is shown, or an
 * immediate. Nothing is read before it is needed, so `&init_task.comm` works where the page of init_task is missing.
 *
 *   text ──lexer──► tokens ──parser──► tree ──evaluate──► Value
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { LookupError, UsageError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import { type CType, findMember, type StructType, sizeOf, strip } from "../../debug-info/c-type.ts";
import type { Memory } from "../address-space.ts";
import { Value } from "../value.ts";
import { errorAt } from "./lexer.ts";
import { missingMember } from "./missing-member.ts";
import { type Expression, parseExpression } from "./parser.ts";
import {
  asPointer,
  CHAR,
  commonType,
  constantType,
  INT,
  LONG,
  pointerTo,
  promote,
  type Scalar,
  stride,
  UNSIGNED_LONG,
  wrap,
} from "./values.ts";

/** What names mean; scope.ts makes one of a kernel. */
export interface Scope {
  readonly memory: Memory;
  /** A variable, function or enum constant; `void` where a symbol has no known type. undefined when the name means nothing. */
  variable(name: string): Value | undefined;
  /** The error for a name that means nothing. */
  unknown(name: string): LookupError;
  isTypeName(name: string): boolean;
  /** A type by C's spelling; throws. */
  type(spelling: string): CType;
  /** `$`, `$3`, `$$2`; undefined when there is no such value. */
  history(text: string): Value | undefined;
}

const MAX_ELEMENTS = 1n << 32n;

/** Value of an expression. Throws UsageError (with the column), LookupError or FaultError. */
export function evaluateExpression(text: string, scope: Scope): Value {
  const tree = parseExpression(text, scope);
  return new Evaluator(text, scope).value(tree);
}

class Evaluator {
  readonly #text: string;
  readonly #scope: Scope;

  constructor(text: string, scope: Scope) {
    this.#text = text;
    this.#scope = scope;
  }

  value(node: Expression): Value {
    switch (node.kind) {
      case "number":
        return this.#immediate(constantType(node.value, node), node.value);
      case "character":
        return this.#immediate(CHAR, node.value);
      case "name":
        return this.#name(node.name);
      case "history": {
        const found = this.#scope.history(node.text);
        if (found === undefined) throw errorAt(this.#text, node.at, `there is no value ${node.text} yet`);
        return found;
      }
      case "unary":
        return this.#unary(node);
      case "binary":
        return this.#binary(node);
      case "conditional":
        return this.value(this.#truth(node.test) ? node.yes : node.no);
      case "member":
        return this.#member(node);
      case "index":
        return this.#sum(node, this.#scalar(node.base), this.#scalar(node.index), 1n, true);
      case "cast":
        return this.#cast(node, this.#scope.type(node.type));
      case "sizeofType":
        return this.#sizeOf(node, this.#scope.type(node.type));
      case "sizeof":
        return this.#sizeOf(node, this.value(node.operand).type);
    }
  }

  #immediate(type: CType, value: bigint): Value {
    return new Value(this.#scope.memory, type, { immediate: wrap(value, type) });
  }

  #error(node: Expression, what: string): UsageError {
    return errorAt(this.#text, node.at, what);
  }

  #name(name: string): Value {
    const found = this.#scope.variable(name);
    if (found !== undefined) return found;
    // An address pasted without 0x.
    if (/^[0-9a-f]{9,16}$/i.test(name)) return this.#immediate(UNSIGNED_LONG, BigInt(`0x${name}`));
    throw this.#scope.unknown(name);
  }

  #sizeOf(node: Expression, type: CType): Value {
    const plain = strip(type);
    if (plain.kind === "void" || plain.kind === "forward" || plain.kind === "function")
      throw this.#error(node, `the size of ${declare(type)} is not known`);
    return this.#immediate(UNSIGNED_LONG, BigInt(sizeOf(type)));
  }

  /** Reads an operand: arrays and functions become pointers, structures are refused. */
  #scalar(node: Expression): Scalar {
    const value = this.value(node);
    const plain = strip(value.type);
    switch (plain.kind) {
      case "int":
      case "enum":
      case "pointer":
        return { type: value.type, value: value.bigint() };
      case "array":
        return { type: pointerTo(plain.element), value: this.#addressOf(node, value) };
      case "function":
        return { type: pointerTo(value.type), value: this.#addressOf(node, value) };
      case "void":
        throw this.#error(node, "its type is not known without a vmlinux; say it with a cast: *(TYPE *)&NAME");
      default:
        throw this.#error(node, `${declare(value.type)} is no number or pointer`);
    }
  }

  #truth(node: Expression): boolean {
    return this.#scalar(node).value !== 0n;
  }

  #addressOf(node: Expression, value: Value): VirtualAddress {
    if (value.address === undefined) throw this.#error(node, "a value without an address (a constant, a bitfield, a result)");
    return value.address;
  }

  #unary(node: Expression & { kind: "unary" }): Value {
    const { operator, operand } = node;
    if (operator === "&") {
      const value = this.value(operand);
      return this.#immediate(pointerTo(value.type), this.#addressOf(operand, value));
    }
    if (operator === "!") return this.#immediate(INT, this.#truth(operand) ? 0n : 1n);
    const scalar = this.#scalar(operand);
    const pointer = asPointer(scalar.type);
    if (operator === "*") {
      // gdb takes a plain number for the address of a word.
      const target = pointer?.target ?? LONG;
      this.#refuseUndefined(target);
      if (strip(target).kind === "void") throw this.#error(node, "a void pointer cannot be dereferenced; cast it: *(TYPE *)");
      return new Value(this.#scope.memory, target, virtual(scalar.value));
    }
    if (pointer !== undefined) throw this.#error(node, `"${operator}" does not take a pointer`);
    const promoted = promote(scalar);
    const value = operator === "-" ? -promoted.value : operator === "~" ? ~promoted.value : promoted.value;
    return this.#immediate(promoted.type, value);
  }

  #member(node: Expression & { kind: "member" }): Value {
    const symbol = this.#dottedSymbol(node);
    if (symbol !== undefined) return symbol;
    const base = this.value(node.base);
    const pointer = asPointer(base.type);
    const type = strip(pointer?.target ?? base.type);
    this.#refuseUndefined(type);
    const address = pointer === undefined ? base.address : virtual(base.bigint());
    if ((type.kind !== "struct" && type.kind !== "union") || address === undefined) {
      const what = strip(base.type).kind === "void" ? "its type is not known without a vmlinux" : `${declare(base.type)} is no structure`;
      throw this.#error(node.base, `${what}: it has no member "${node.name}"`);
    }
    return this.#memberOf(type, address, node.name);
  }

  /** A structure that is only named: its definition may be in a module without type information, or nowhere. */
  #refuseUndefined(type: CType): void {
    const plain = strip(type);
    if (plain.kind === "forward") throw new LookupError(`${plain.of} ${plain.name} has no definition in this dump`);
  }

  #memberOf(type: StructType, address: VirtualAddress, name: string): Value {
    const found = findMember(type, name);
    if (found === undefined) throw missingMember(type, name);
    const at = add(address, Math.floor(found.bitOffset / 8));
    const size = found.member.bitSize;
    if (size === undefined) return new Value(this.#scope.memory, found.member.type, at);
    const bitfield = new Value(this.#scope.memory, found.member.type, at, { shift: found.bitOffset % 8, size });
    return this.#immediate(found.member.type, bitfield.bigint());
  }

  /** `__already_done.16`, `do_one.isra.0`: the compiler's names hold dots. */
  #dottedSymbol(node: Expression): Value | undefined {
    const path = dottedName(node);
    if (path === undefined || this.#scope.variable(path.slice(0, path.indexOf("."))) !== undefined) return undefined;
    return this.#scope.variable(path);
  }

  #cast(node: Expression & { kind: "cast" }, type: CType): Value {
    const plain = strip(type);
    if (plain.kind === "struct" || plain.kind === "union" || plain.kind === "array") {
      // gdb lets an object in memory be seen as another type.
      const value = this.value(node.operand);
      return new Value(this.#scope.memory, type, this.#addressOf(node.operand, value));
    }
    if (plain.kind !== "int" && plain.kind !== "enum" && plain.kind !== "pointer")
      throw this.#error(node, `a value cannot become ${declare(type)}`);
    return this.#immediate(type, this.#scalar(node.operand).value);
  }

  #binary(node: Expression & { kind: "binary" }): Value {
    switch (node.operator) {
      case ",":
        this.value(node.left);
        return this.value(node.right);
      case "&&":
        return this.#immediate(INT, this.#truth(node.left) && this.#truth(node.right) ? 1n : 0n);
      case "||":
        return this.#immediate(INT, this.#truth(node.left) || this.#truth(node.right) ? 1n : 0n);
      case "@":
        return this.#repeat(node);
      default:
    }
    const left = this.#scalar(node.left);
    const right = this.#scalar(node.right);
    if (node.operator === "+") return this.#sum(node, left, right, 1n, false);
    if (node.operator === "-") return this.#difference(node, left, right);
    return this.#arithmetic(node, left, right);
  }

  #repeat(node: Expression & { kind: "binary" }): Value {
    const first = this.value(node.left);
    const count = this.#scalar(node.right).value;
    if (count < 1n || count > MAX_ELEMENTS) throw this.#error(node.right, `${count} is no number of elements`);
    return new Value(this.#scope.memory, { kind: "array", element: first.type, length: Number(count) }, this.#addressOf(node.left, first));
  }

  /** Sum of two numbers, or of a pointer and a number; with `dereference` what lies there. */
  #sum(node: Expression, left: Scalar, right: Scalar, sign: bigint, dereference: boolean): Value {
    const [pointer, base, index] =
      asPointer(left.type) === undefined ? [asPointer(right.type), right, left] : [asPointer(left.type), left, right];
    if (pointer === undefined) {
      if (dereference) throw this.#error(node, "only arrays and pointers can be indexed");
      return this.#arithmetic(node, left, right, sign < 0n ? "-" : "+");
    }
    if (asPointer(index.type) !== undefined) throw this.#error(node, "two pointers cannot be added");
    const address = virtual(base.value + sign * promote(index).value * stride(pointer));
    return dereference ? new Value(this.#scope.memory, pointer.target, address) : this.#immediate(base.type, address);
  }

  #difference(node: Expression, left: Scalar, right: Scalar): Value {
    const pointer = asPointer(left.type);
    if (pointer === undefined || asPointer(right.type) === undefined) {
      if (asPointer(right.type) !== undefined) throw this.#error(node, "a pointer cannot be taken from a number");
      return this.#sum(node, left, right, -1n, false);
    }
    return this.#immediate(LONG, BigInt.asIntN(64, left.value - right.value) / stride(pointer));
  }

  #arithmetic(node: Expression, left: Scalar, right: Scalar, operator = node.kind === "binary" ? node.operator : "+"): Value {
    const pointers = asPointer(left.type) !== undefined || asPointer(right.type) !== undefined;
    const [a, b] = pointers
      ? [
          { type: UNSIGNED_LONG, value: wrap(left.value, UNSIGNED_LONG) },
          { type: UNSIGNED_LONG, value: wrap(right.value, UNSIGNED_LONG) },
        ]
      : [promote(left), promote(right)];
    if (operator === "<<" || operator === ">>") {
      if (b.value < 0n || b.value > 63n) throw this.#error(node, `shift by ${b.value}: a shift is by 0 to 63 bits`);
      return this.#immediate(a.type, operator === "<<" ? a.value << b.value : a.value >> b.value);
    }
    const type = commonType(a.type, b.type);
    const x = wrap(a.value, type);
    const y = wrap(b.value, type);
    const compared = compare(operator, x, y);
    if (compared !== undefined) return this.#immediate(INT, compared ? 1n : 0n);
    if (pointers) throw this.#error(node, `"${operator}" does not take a pointer`);
    if ((operator === "/" || operator === "%") && y === 0n) throw this.#error(node, "division by zero");
    return this.#immediate(type, combine(operator, x, y));
  }
}

function dottedName(node: Expression): string | undefined {
  if (node.kind === "name") return node.name;
  if (node.kind !== "member") return undefined;
  const base = dottedName(node.base);
  return base === undefined ? undefined : `${base}.${node.name}`;
}

function compare(operator: string, x: bigint, y: bigint): boolean | undefined {
  switch (operator) {
    case "==":
      return x === y;
    case "!=":
      return x !== y;
    case "<":
      return x < y;
    case ">":
      return x > y;
    case "<=":
      return x <= y;
    case ">=":
      return x >= y;
    default:
      return undefined;
  }
}

function combine(operator: string, x: bigint, y: bigint): bigint {
  switch (operator) {
    case "+":
      return x + y;
    case "-":
      return x - y;
    case "*":
      return x * y;
    case "/":
      return x / y;
    case "%":
      return x % y;
    case "&":
      return x & y;
    case "|":
      return x | y;
    case "^":
      return x ^ y;
    default:
      throw new UsageError(`"${operator}" is no operator`);
  }
}
