/**
 * What the expressions of a print_fmt give for one record: fields by their offsets, dynamic data behind the entry, the kernel's helpers
 * (include/trace/stages/stage3_trace_output.h).
 *
 *   __data_loc  u32 in the entry: low half the offset from the entry's start, high half the length
 *   __rel_loc   the same from the end of that u32 itself (5.17, 55de2c0b5610)
 */
import { virtual } from "../../bytes/address.ts";
import { FaultError, UnsupportedError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { FormatNode } from "./format-expression.ts";
import { bitmask, hexBytes, integer, textOf } from "./trace-bytes.ts";
import type { TraceField } from "./trace-events.ts";

/** Bytes within the record, or a pointer into the kernel's memory; a number; text. */
export type TraceValue = bigint | string | Uint8Array;

const MAX_STRING = 4096;

export class TraceRecord {
  readonly #kernel: Kernel;
  readonly #data: DataView;
  readonly #fields: ReadonlyMap<string, TraceField>;

  constructor(kernel: Kernel, data: DataView, fields: ReadonlyMap<string, TraceField>) {
    this.#kernel = kernel;
    this.#data = data;
    this.#fields = fields;
  }

  /** Value of a field: a number, text of a char array, or the bytes of another one. Throws UnsupportedError. */
  field(name: string): TraceValue {
    const field = this.#fields.get(name);
    if (field === undefined) {
      // Constants of enums that the kernel did not replace by their numbers (TRACE_DEFINE_ENUM).
      const constant = this.#kernel.types.constant(name);
      if (constant === undefined) throw new UnsupportedError(`the event has no field ${name}`);
      return constant;
    }
    if (/__(data|rel)_loc/.test(field.type)) {
      const bytes = this.#dynamic(field);
      return /\bchar\b/.test(field.type) ? textOf(bytes) : bytes;
    }
    const array = /\[\d*\w*\]/.test(field.type) || field.size > 8;
    if (array) {
      const bytes = this.#bytes(field.offset, field.size);
      return /\bchar\b/.test(field.type) ? textOf(bytes) : bytes;
    }
    return this.#integer(field.offset, field.size, field.signed);
  }

  /** Value of an expression. Throws UnsupportedError where a helper is not known. */
  value(node: FormatNode): TraceValue {
    switch (node.kind) {
      case "number":
      case "string":
        return node.value;
      case "field":
        return this.field(node.name);
      case "cast": {
        const value = this.value(node.operand);
        if (typeof value !== "bigint" || node.bits === 0) return value;
        return node.signed ? BigInt.asIntN(node.bits, value) : BigInt.asUintN(node.bits, value);
      }
      case "unary":
        return this.#unary(node.operator, node.operand);
      case "binary":
        return this.#binary(node.operator, node.left, node.right);
      case "choice":
        return this.value(this.#isTrue(node.test) ? node.yes : node.no);
      case "index":
        return this.#element(node.base, Number(this.#number(node.index)));
      case "call":
        return this.#call(node.name, node.args);
      case "pair":
        throw new UnsupportedError("a table stands where a value is wanted");
    }
  }

  /** Text behind a pointer of the record, as %s shows it. */
  text(value: TraceValue): string {
    if (typeof value === "string") return value;
    if (typeof value !== "bigint") return textOf(value);
    if (value === 0n) return "(null)";
    try {
      return this.#kernel.memory.cString(virtual(BigInt.asUintN(64, value)), MAX_STRING);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      return `(unreadable ${value.toString(16)})`;
    }
  }

  #number(node: FormatNode): bigint {
    const value = this.value(node);
    if (typeof value === "bigint") return value;
    throw new UnsupportedError("a number is wanted");
  }

  #isTrue(node: FormatNode): boolean {
    const value = this.value(node);
    return typeof value === "bigint" ? value !== 0n : true;
  }

  #unary(operator: string, operand: FormatNode): TraceValue {
    // &REC->array and *array are the array.
    if (operator === "&") return this.value(operand);
    if (operator === "!") return this.#isTrue(operand) ? 0n : 1n;
    if (operator === "*") return this.#element(operand, 0);
    const value = this.#number(operand);
    return operator === "~" ? ~value : operator === "-" ? -value : value;
  }

  #binary(operator: string, first: FormatNode, second: FormatNode): TraceValue {
    if (operator === "&&") return this.#isTrue(first) && this.#isTrue(second) ? 1n : 0n;
    if (operator === "||") return this.#isTrue(first) || this.#isTrue(second) ? 1n : 0n;
    const left = this.#number(first);
    const right = this.#number(second);
    switch (operator) {
      case "+":
        return left + right;
      case "-":
        return left - right;
      case "*":
        return left * right;
      case "/":
        return right === 0n ? 0n : left / right;
      case "%":
        return right === 0n ? 0n : left % right;
      case "<<":
        return BigInt.asUintN(64, left << (right & 63n));
      case ">>":
        return left >> (right & 63n);
      case "&":
        return left & right;
      case "|":
        return left | right;
      case "^":
        return left ^ right;
      case "==":
        return left === right ? 1n : 0n;
      case "!=":
        return left !== right ? 1n : 0n;
      case "<":
        return left < right ? 1n : 0n;
      case "<=":
        return left <= right ? 1n : 0n;
      case ">":
        return left > right ? 1n : 0n;
      default:
        return left >= right ? 1n : 0n;
    }
  }

  /** Element of an array field; its width is told by the field's type. */
  #element(base: FormatNode, index: number): bigint {
    const name = base.kind === "field" ? base.name : base.kind === "call" ? argumentName(base.args[0]) : undefined;
    const field = name === undefined ? undefined : this.#fields.get(name);
    if (field === undefined) throw new UnsupportedError("an element of something that is no field");
    const dynamic = /__(data|rel)_loc/.test(field.type);
    const bytes = dynamic ? this.#dynamic(field) : this.#bytes(field.offset, field.size);
    const size = elementSize(field.type);
    if (index < 0 || (index + 1) * size > bytes.length) throw new UnsupportedError(`element ${index} of ${field.name}`);
    return integer(bytes, index * size, size, field.signed);
  }

  #call(name: string, args: readonly FormatNode[]): TraceValue {
    const [first, second, third] = args;
    const table = (from: number) => args.slice(from).flatMap((node) => (node.kind === "pair" ? [node.items] : []));
    switch (name) {
      case "__get_str":
      case "__get_rel_str":
        return textOf(this.#dynamicNamed(first));
      case "__get_dynamic_array":
      case "__get_rel_dynamic_array":
      case "__get_sockaddr":
      case "__get_rel_sockaddr":
        return this.#dynamicNamed(first);
      case "__get_dynamic_array_len":
      case "__get_rel_dynamic_array_len":
        return BigInt(this.#dynamicNamed(first).length);
      case "__get_bitmask":
      case "__get_cpumask":
      case "__get_rel_bitmask":
      case "__get_rel_cpumask":
        return bitmask(this.#dynamicNamed(first));
      case "__builtin_expect":
        if (first !== undefined) return this.value(first);
        break;
      case "__builtin_constant_p":
        return 0n;
      case "__print_flags":
      case "__print_flags_u64":
        if (first !== undefined && second !== undefined) return this.#flags(this.#number(first), this.text(this.value(second)), table(2));
        break;
      case "__print_symbolic":
      case "__print_symbolic_u64":
        if (first !== undefined) return this.#symbolic(this.#number(first), table(1));
        break;
      case "__print_hex":
      case "__print_hex_str": {
        const bytes = first === undefined ? "" : this.value(first);
        if (bytes instanceof Uint8Array && second !== undefined)
          return hexBytes(bytes.subarray(0, Number(this.#number(second))), name === "__print_hex" ? " " : "");
        break;
      }
      case "__print_array": {
        const bytes = first === undefined ? "" : this.value(first);
        if (bytes instanceof Uint8Array && second !== undefined && third !== undefined) {
          const size = Number(this.#number(third));
          const count = Math.min(Number(this.#number(second)), Math.floor(bytes.length / Math.max(1, size)));
          return `{${Array.from({ length: count }, (_, i) => `0x${integer(bytes, i * size, size, false).toString(16)}`).join(",")}}`;
        }
        break;
      }
    }
    throw new UnsupportedError(`print_fmt: ${name}() is not known`);
  }

  /** trace_print_flags_seq(): the names of the set bits, then what is left. */
  #flags(value: bigint, delimiter: string, table: readonly (readonly FormatNode[])[]): string {
    let left = BigInt.asUintN(64, value);
    const names: string[] = [];
    for (const [mask, text] of table) {
      if (mask === undefined || text === undefined) continue;
      const bits = BigInt.asUintN(64, this.#number(mask));
      if ((left & bits) !== bits || (bits === 0n && left !== 0n)) continue;
      names.push(this.text(this.value(text)));
      left &= ~bits;
      if (bits === 0n) break;
    }
    if (left !== 0n) names.push(`0x${left.toString(16)}`);
    return names.join(delimiter);
  }

  #symbolic(value: bigint, table: readonly (readonly FormatNode[])[]): string {
    for (const [number, text] of table) {
      if (number !== undefined && text !== undefined && BigInt.asUintN(64, this.#number(number)) === BigInt.asUintN(64, value))
        return this.text(this.value(text));
    }
    return `0x${BigInt.asUintN(64, value).toString(16)}`;
  }

  #dynamicNamed(node: FormatNode | undefined): Uint8Array {
    const field = this.#fields.get(argumentName(node) ?? "");
    if (field === undefined) throw new UnsupportedError("dynamic data of no field");
    return this.#dynamic(field);
  }

  #dynamic(field: TraceField): Uint8Array {
    const place = Number(this.#integer(field.offset, 4, false));
    const start = (place & 0xffff) + (field.type.includes("__rel_loc") ? field.offset + 4 : 0);
    return this.#bytes(start, place >>> 16);
  }

  #bytes(offset: number, length: number): Uint8Array {
    if (offset + length > this.#data.byteLength) throw new UnsupportedError("the event is shorter than its fields");
    return new Uint8Array(this.#data.buffer, this.#data.byteOffset + offset, length);
  }

  #integer(offset: number, size: number, signed: boolean): bigint {
    return integer(this.#bytes(offset, size), 0, size, signed);
  }
}

function argumentName(node: FormatNode | undefined): string | undefined {
  return node?.kind === "field" ? node.name : undefined;
}

function elementSize(type: string): number {
  if (/\b(char|u8|s8|__u8|bool|uint8_t)\b/.test(type)) return 1;
  if (/\b(short|u16|__u16|s16|__be16|__le16)\b/.test(type)) return 2;
  if (/\b(long|u64|__u64|s64|size_t)\b|\*/.test(type)) return 8;
  return 4;
}
