/**
 * Evaluates a C expression over the dead kernel. The result is a typed value: an address with a type, read when it is shown, or an
 * immediate. Nothing is read before it is needed, so `&init_task.comm` works where the page of init_task is missing.
 *
 *   text ──lexer──► tokens ──parser──► tree ──evaluate──► Value
 */
import { virtual } from "../../bytes/address.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import { type CType, findMember, sizeOf, strip } from "../../debug-info/c-type.ts";
import { Value } from "../value.ts";
import { truth } from "./arithmetic.ts";
import { errorAt } from "./lexer.ts";
import { missingMember } from "./missing-member.ts";
import { Operands } from "./operands.ts";
import { parseExpression } from "./parser.ts";
import type { Scope } from "./scope.ts";
import type { Expression, PathStep, TypeName } from "./syntax-tree.ts";
import {
  asFloat,
  asPointer,
  CHAR,
  constantType,
  convert,
  LONG,
  pointerTo,
  promote,
  type Scalar,
  toNumber,
  UNSIGNED_LONG,
  VOID,
} from "./values.ts";

/** Value of an expression. Throws UsageError (with the column), LookupError or FaultError. */
export function evaluateExpression(text: string, scope: Scope): Value {
  const tree = parseExpression(text, scope);
  return new Evaluator(text, scope).value(tree);
}

class Evaluator extends Operands {
  /** @param template only type and place of the value matter: a per-CPU name may stand for its template */
  value(node: Expression, template = false): Value {
    switch (node.kind) {
      case "number":
        return this.immediate(constantType(node.value, node), node.value);
      case "float":
        return this.double(node.value, node.single);
      case "character":
        return this.immediate(CHAR, node.value);
      case "string":
        return this.string(node.content);
      case "name":
        return node.name.startsWith("$") ? this.#dollar(node.name) : this.#name(node.name, template);
      case "static":
        return this.scope.staticVariable(node.within, node.name);
      case "history": {
        const found = this.scope.history(node.text);
        if (found === undefined) throw errorAt(this.text, node.at, `there is no value ${node.text} yet`);
        return found;
      }
      case "assign": {
        const value = this.value(node.value);
        this.scope.assign(node.name, value);
        return value;
      }
      case "unary":
        return this.#unary(node);
      case "binary":
        return this.#binary(node);
      case "conditional":
        return this.value(this.#truth(node.test) ? node.yes : node.no);
      case "member":
        return this.#member(node, template);
      case "index":
        return this.#index(node, template);
      case "slice":
        return this.#slice(node);
      case "cast":
        return this.#cast(node, this.#type(node.type));
      case "sizeofType":
        return this.sizeOf(node, this.#type(node.type));
      case "sizeof":
        return this.sizeOf(node, this.#typeOf(node.operand));
      case "offsetof":
        return this.immediate(UNSIGNED_LONG, this.#offset(node.type, node.path));
      case "containerOf": {
        const pointer = this.#scalar(node.pointer);
        const type = this.#type(node.type);
        return this.immediate(pointerTo(type), pointer.value - this.#offset(node.type, node.path));
      }
      case "perCpu":
        return this.#perCpu(node);
    }
  }

  #name(name: string, template: boolean): Value {
    const found = this.scope.variable(name, template);
    if (found !== undefined) return found;
    // An address pasted without 0x.
    if (/^[0-9a-f]{9,16}$/i.test(name)) return this.immediate(UNSIGNED_LONG, BigInt(`0x${name}`));
    throw this.scope.unknown(name);
  }

  /** gdb's convenience variables are void until they are set. */
  #dollar(name: string): Value {
    return this.scope.dollar(name) ?? new Value(this.scope.memory, VOID, { immediate: 0n });
  }

  #type(name: TypeName): CType {
    if (name.of === undefined) return this.scope.type(name.text);
    const type = this.#typeOf(name.of);
    return [...name.text.replace(/\s|const|volatile/g, "")].reduce<CType>((target, mark) => {
      if (mark !== "*") throw this.error(name, `only "*" may follow typeof, not "${name.text}"`);
      return pointerTo(target);
    }, type);
  }

  /** Type of an expression of which nothing is read. */
  #typeOf(node: Expression): CType {
    this.typesOnly++;
    try {
      return this.value(node, true).type;
    } finally {
      this.typesOnly--;
    }
  }

  #scalar(node: Expression, template = false): Scalar {
    return this.scalarOf(node, this.value(node, template));
  }

  #truth(node: Expression): boolean {
    const scalar = this.#scalar(node);
    return asFloat(scalar.type) === undefined ? scalar.value !== 0n : toNumber(scalar) !== 0;
  }

  #unary(node: Expression & { kind: "unary" }): Value {
    const { operator, operand } = node;
    if (operator === "&") {
      const value = this.value(operand, true);
      return this.immediate(pointerTo(value.type), this.addressOf(operand, value));
    }
    if (operator === "!") return this.scalarValue(truth(!this.#truth(operand)));
    if (operator === "*") return this.#pointedTo(node);
    const scalar = this.#scalar(operand);
    const pointer = asPointer(scalar.type);
    if (pointer !== undefined) throw this.error(node, `"${operator}" does not take a pointer`);
    const float = asFloat(scalar.type);
    if (float !== undefined) {
      if (operator === "~") throw this.error(node, '"~" takes an integer');
      return this.double(operator === "-" ? -toNumber(scalar) : toNumber(scalar), float.size === 4);
    }
    const promoted = promote(scalar);
    const value = operator === "-" ? -promoted.value : operator === "~" ? ~promoted.value : promoted.value;
    return this.immediate(promoted.type, value);
  }

  #pointedTo(node: Expression & { kind: "unary" }): Value {
    const value = this.value(node.operand);
    if (value.pointee !== undefined) return value.pointee;
    const scalar = this.scalarOf(node.operand, value);
    // gdb takes a plain number for the address of a word.
    const target = asPointer(scalar.type)?.target ?? LONG;
    this.refuseUndefined(target);
    if (strip(target).kind === "void") throw this.error(node, "a void pointer cannot be dereferenced; cast it: *(TYPE *)");
    return new Value(this.scope.memory, target, virtual(scalar.value));
  }

  #index(node: Expression & { kind: "index" }, template: boolean): Value {
    const base = this.value(node.base, template);
    const plain = strip(base.type);
    const index = this.#scalar(node.index);
    // An array in registers, a string: its elements have no addresses.
    if (plain.kind === "array" && base.address === undefined && base.place !== undefined) {
      const at = promote(index).value;
      if (at < 0n || at >= BigInt(plain.length)) throw this.error(node.index, `it has ${plain.length} elements, 0 to ${plain.length - 1}`);
      return base.index(Number(at));
    }
    return this.sum(node, this.scalarOf(node.base, base), index, 1n, true);
  }

  #member(node: Expression & { kind: "member" }, template: boolean): Value {
    const symbol = this.#dottedSymbol(node);
    if (symbol !== undefined) return symbol;
    const base = this.value(node.base, template);
    const pointer = asPointer(base.type);
    const object = pointer === undefined ? base : this.dereference(base, pointer.target);
    const type = strip(object.type);
    this.refuseUndefined(type);
    if ((type.kind !== "struct" && type.kind !== "union") || object.place === undefined) {
      const untyped = strip(base.type).kind === "void" && base.address !== undefined;
      const what = untyped ? "its type is not known without a vmlinux" : `${declare(base.type)} is no structure`;
      throw this.error(node.base, `${what}: it has no member "${node.name}"`);
    }
    if (findMember(type, node.name) === undefined) throw missingMember(type, node.name);
    return object.member(node.name);
  }

  /** `__already_done.16`, `do_one.isra.0`: the compiler's names hold dots. */
  #dottedSymbol(node: Expression): Value | undefined {
    const path = dottedName(node);
    if (path === undefined || path.startsWith("$")) return undefined;
    if (this.scope.variable(path.slice(0, path.indexOf(".")), true) !== undefined) return undefined;
    return this.scope.variable(path);
  }

  /** Bytes from the start of a structure to a member along a path; an index must be a number that is known here. */
  #offset(name: TypeName, path: readonly PathStep[]): bigint {
    let here = this.#type(name);
    let offset = 0n;
    for (const step of path) {
      const plain = strip(here);
      this.refuseUndefined(plain);
      if ("member" in step) {
        if (plain.kind !== "struct" && plain.kind !== "union") throw this.error(step, `${declare(here)} has no members`);
        const found = findMember(plain, step.member);
        if (found === undefined) throw missingMember(plain, step.member);
        if (found.member.bitSize !== undefined) throw this.error(step, `${step.member} is a bitfield: it has no offset in bytes`);
        offset += BigInt(found.bitOffset / 8);
        here = found.member.type;
      } else {
        if (plain.kind !== "array") throw this.error(step, `${declare(here)} is no array`);
        offset += promote(this.#scalar(step.index)).value * BigInt(sizeOf(plain.element));
        here = plain.element;
      }
    }
    return offset;
  }

  #perCpu(node: Expression & { kind: "perCpu" }): Value {
    const cpu = promote(this.#scalar(node.cpu)).value;
    if (node.accessor === "per_cpu_ptr") {
      const pointer = this.#scalar(node.variable, true);
      return this.immediate(pointer.type, this.scope.perCpu(virtual(pointer.value), cpu));
    }
    // The same sum over any other address would end somewhere in memory.
    const name = node.variable.kind === "name" ? node.variable.name : undefined;
    if (name !== undefined && this.scope.isPerCpu(name) === false)
      throw this.error(node.variable, `${name} is no per-CPU variable; per_cpu_ptr(pointer, cpu) takes a pointer`);
    const variable = this.value(node.variable, true);
    return new Value(variable.memory, variable.type, this.scope.perCpu(this.addressOf(node.variable, variable), cpu));
  }

  #cast(node: Expression & { kind: "cast" }, type: CType): Value {
    const plain = strip(type);
    if (plain.kind === "struct" || plain.kind === "union" || plain.kind === "array") {
      // gdb lets an object in memory be seen as another type.
      const value = this.value(node.operand);
      return new Value(value.memory, type, this.addressOf(node.operand, value));
    }
    if (plain.kind === "void") return new Value(this.scope.memory, type, { immediate: 0n });
    if (plain.kind !== "int" && plain.kind !== "enum" && plain.kind !== "pointer" && plain.kind !== "float")
      throw this.error(node, `a value cannot become ${declare(type)}`);
    return new Value(this.scope.memory, type, { immediate: convert(this.#scalar(node.operand), type) });
  }

  #binary(node: Expression & { kind: "binary" }): Value {
    switch (node.operator) {
      case ",":
        this.value(node.left);
        return this.value(node.right);
      case "&&":
        return this.scalarValue(truth(this.#truth(node.left) && this.#truth(node.right)));
      case "||":
        return this.scalarValue(truth(this.#truth(node.left) || this.#truth(node.right)));
      case "@":
        return this.repeat(node.left, this.value(node.left), this.#scalar(node.right).value, node.right);
      default:
    }
    const left = this.#scalar(node.left);
    const right = this.#scalar(node.right);
    if (node.operator === "+") return this.sum(node, left, right, 1n, false);
    if (node.operator === "-") return this.difference(node, left, right);
    return this.combined(node, node.operator, left, right);
  }

  /** `a[2..5]`: the elements 2 to 5. */
  #slice(node: Expression & { kind: "slice" }): Value {
    const first = promote(this.#scalar(node.first)).value;
    const last = promote(this.#scalar(node.last)).value;
    if (last < first) throw this.error(node.last, `${last} is below ${first}: a slice is [first..last]`);
    const element = this.sum(node, this.#scalar(node.base), { type: LONG, value: first }, 1n, true);
    return this.repeat(node, element, last - first + 1n, node.last);
  }
}

function dottedName(node: Expression): string | undefined {
  if (node.kind === "name") return node.name;
  if (node.kind !== "member") return undefined;
  const base = dottedName(node.base);
  return base === undefined ? undefined : `${base}.${node.name}`;
}
