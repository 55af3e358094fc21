/**
 * Reads typed memory into value nodes. What cannot be read becomes an "unreadable" node with the reason, and its neighbours are still
 * read. Bounded: `printMax` elements an array, `printMax` bytes a string, twenty levels of nesting (gdb's `print max-depth`).
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { FaultError, InquestError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import { type ArrayType, type CType, type PointerType, type StructType, sizeOf, strip } from "../../debug-info/c-type.ts";
import type { Memory } from "../../kernel/address-space.ts";
import { Field } from "../../kernel/field.ts";
import type { Value } from "../../kernel/value.ts";
import { enumNode, exactNumber } from "./enum-node.ts";
import { latin1, readPrefix, readString, textOf } from "./read-characters.ts";
import { type FormatLetter, floatOf, formatScalar } from "./value-format.ts";
import type { MemberNode, PointerNode, SymbolLabel, UnreadableNode, ValueNode } from "./value-node.ts";

const MAX_DEPTH = 20;
/** Steps in which an unreadable range is probed; every page size is a multiple of it. */
const PROBE_STEP = 4096;
const MAX_PROBES = 64;
/** Nodes of one value: types from a damaged dump may nest arrays in arrays without end. */
const MAX_NODES = 1 << 20;

export type Labeller = (address: bigint, text: boolean) => SymbolLabel | undefined;

export interface ValueReaderOptions {
  readonly memory: Memory;
  /** Names an address that lies in a symbol; `text` tells that characters are expected there. */
  readonly label?: Labeller;
  /** `set print_max`. */
  readonly printMax?: number;
  /** `set null-stop`: strings end at their first NUL. */
  readonly nullStop?: boolean;
  /** p/x and the like: every scalar is shown in this format, and arrays of characters are taken apart (but by "s"). */
  readonly format?: FormatLetter;
}

/** A bitfield's place: bits from the byte at the address. */
export interface BitPlace {
  readonly shift: number;
  readonly size: number;
}

export class ValueReader {
  readonly memory: Memory;
  readonly #label: Labeller;
  readonly #printMax: number;
  readonly #nullStop: boolean;
  readonly #format: FormatLetter | undefined;
  readonly #options: ValueReaderOptions;
  readonly #names = new WeakMap<CType, string>();
  #budget = MAX_NODES;

  constructor(options: ValueReaderOptions) {
    this.memory = options.memory;
    this.#options = options;
    this.#label = options.label ?? (() => undefined);
    this.#printMax = options.printMax ?? 256;
    this.#nullStop = options.nullStop ?? false;
    this.#format = options.format === "s" ? undefined : options.format;
  }

  /** The value of this type at the address. */
  read(type: CType, address: VirtualAddress, bits?: BitPlace): ValueNode {
    this.#budget = MAX_NODES;
    return this.#read(type, address, bits, 0);
  }

  /** The value at an address that is itself read; what that fails with is shown in the value's place. */
  at(type: CType, address: () => VirtualAddress, bits?: BitPlace): ValueNode {
    let found: VirtualAddress;
    try {
      found = address();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      return this.#unreadable(type, (error instanceof FaultError ? error.address : 0n) as VirtualAddress, error);
    }
    return this.read(type, found, bits);
  }

  /** A value that has no address (the result of arithmetic, a bitfield already read). */
  immediate(type: CType, value: bigint): ValueNode {
    return this.#scalar(type, value, undefined);
  }

  /** A typed value of the kernel object, wherever it lives. */
  value(value: Value): ValueNode {
    if (value.place === undefined) return this.immediate(value.type, value.bigint());
    if (value.address !== undefined) return this.read(value.type, value.address, value.bits);
    // Bytes of its own: the memory that holds them leads on into the kernel's.
    const { memory, address } = value.place;
    return new ValueReader({ ...this.#options, memory }).read(value.type, address, value.bits);
  }

  #name(type: CType): string {
    let name = this.#names.get(type);
    if (name === undefined) {
      name = declare(type);
      this.#names.set(type, name);
    }
    return name;
  }

  #read(type: CType, address: VirtualAddress, bits: BitPlace | undefined, depth: number): ValueNode {
    const plain = strip(type);
    if (this.#budget-- <= 0) return { kind: "elided", type: this.#name(type) };
    switch (plain.kind) {
      case "struct":
      case "union":
        return this.#struct(type, plain, address, depth);
      case "array":
        return this.#array(type, plain, address, depth);
      case "function":
        return { kind: "function", type: this.#name(type), value: address, ...this.#symbol(address) };
      case "void":
      case "forward":
        return this.#unreadable(type, address, new Error("its type has no definition in this dump"));
      default:
    }
    try {
      return this.#scalar(type, this.#bits(type, address, bits), bits?.size);
    } catch (error) {
      return this.#unreadable(type, address, error);
    }
  }

  #bits(type: CType, address: VirtualAddress, bits: BitPlace | undefined): bigint {
    const size = sizeOf(type);
    if (bits === undefined && size > 8) {
      // __int128: the highest word carries the sign.
      let value = 0n;
      for (let at = size - 8; at >= 0; at -= 8) value = (value << 64n) | this.memory.u64(add(address, at));
      return value;
    }
    return new Field(this.memory, "value", bits?.shift ?? 0, bits?.size, type).bigint(address);
  }

  #scalar(type: CType, value: bigint, bits: number | undefined): ValueNode {
    const plain = strip(type);
    const name = this.#name(type);
    const formatted = this.#formatted(name, plain, value);
    if (formatted !== undefined) return formatted;
    switch (plain.kind) {
      case "void":
        return { kind: "void", type: name };
      case "pointer":
        return this.#pointer(name, plain, BigInt.asUintN(64, value) as VirtualAddress);
      case "enum":
        return enumNode(name, plain, value);
      case "float":
        return { kind: "float", type: name, value: floatOf(value, plain.size), size: plain.size };
      case "int":
        if (plain.encoding === "bool") return { kind: "boolean", type: name, value: value !== 0n };
        return {
          kind: "integer",
          type: name,
          value: exactNumber(value, plain.size),
          size: plain.size,
          signed: plain.signed,
          ...(bits === undefined ? {} : { bits }),
        };
      default:
        return { kind: "elided", type: name };
    }
  }

  #formatted(name: string, plain: CType, value: bigint): ValueNode | undefined {
    if (this.#format === undefined) return undefined;
    if (plain.kind !== "int" && plain.kind !== "enum" && plain.kind !== "pointer" && plain.kind !== "float") return undefined;
    const signed = (plain.kind === "int" || plain.kind === "enum") && plain.signed;
    const label = (address: bigint) => this.#label(address, false);
    const scalar = { value, size: plain.size, signed, isFloat: plain.kind === "float", label };
    const text = formatScalar(this.#format, scalar);
    return text === undefined ? undefined : { kind: "formatted", type: name, value: exactNumber(value, plain.size), text };
  }

  #struct(type: CType, plain: StructType, address: VirtualAddress, depth: number): ValueNode {
    if (depth >= MAX_DEPTH) return { kind: "elided", type: this.#name(type) };
    const fault = this.#wholeFault(address, plain.size);
    if (fault !== undefined) return this.#unreadable(type, address, fault);
    const members = plain.members.map((member): MemberNode => {
      const offset = Math.floor(member.bitOffset / 8);
      const bits = member.bitSize === undefined ? undefined : { shift: member.bitOffset % 8, size: member.bitSize };
      const value = this.#read(member.type, add(address, offset), bits, depth + 1);
      return member.name === undefined ? { offset, value } : { name: member.name, offset, value };
    });
    return { kind: plain.kind, type: this.#name(type), members };
  }

  #array(type: CType, plain: ArrayType, address: VirtualAddress, depth: number): ValueNode {
    const element = sizeOf(plain.element);
    // Without a length gdb shows where it starts, and a string when it holds characters.
    if (plain.length === 0 || element === 0) return { ...this.#pointee(this.#name(type), plain.element, address), kind: "flexible" };
    const fault = this.#wholeFault(address, plain.length * element);
    if (fault !== undefined) return this.#unreadable(type, address, fault);
    if (isCharacter(plain.element) && this.#format === undefined) return this.#text(type, address, plain.length);
    if (depth >= MAX_DEPTH) return { kind: "elided", type: this.#name(type) };
    const count = Math.min(plain.length, this.#printMax);
    const elements: ValueNode[] = [];
    for (let i = 0; i < count; i++) elements.push(this.#read(plain.element, add(address, i * element), undefined, depth + 1));
    return { kind: "array", type: this.#name(type), length: plain.length, elements };
  }

  #text(type: CType, address: VirtualAddress, length: number): ValueNode {
    // One byte more than is shown: the last NUL of an array is left out.
    const bytes = readPrefix(this.memory, address, Math.min(length, this.#printMax + 1));
    if (bytes instanceof FaultError) return this.#unreadable(type, address, bytes);
    const terminator = bytes.length === length && bytes.at(-1) === 0 ? 1 : 0;
    const end = this.#nullStop ? bytes.indexOf(0) : -1;
    const wanted = end >= 0 ? end : bytes.length - terminator;
    const shown = Math.min(wanted, this.#printMax);
    const cut = shown < wanted || (end < 0 && bytes.length < length);
    return {
      kind: "text",
      type: this.#name(type),
      length,
      text: textOf(bytes),
      raw: latin1(bytes.subarray(0, shown)),
      ...(cut ? { truncated: true } : {}),
    };
  }

  #pointer(name: string, plain: PointerType, value: VirtualAddress): PointerNode {
    return this.#pointee(name, plain.target, value);
  }

  #pointee(name: string, target: CType, value: VirtualAddress): PointerNode {
    const character = isCharacter(target);
    const node: PointerNode = { kind: "pointer", type: name, value, ...this.#symbol(value, character) };
    if (value === 0n || !character) return node;
    const bytes = readString(this.memory, value, this.#printMax);
    if (bytes instanceof FaultError) return { ...node, unreadable: reasonOf(bytes) };
    return { ...node, text: textOf(bytes.bytes), raw: latin1(bytes.bytes), ...(bytes.ended ? {} : { truncated: true }) };
  }

  #symbol(address: bigint, text = false): { readonly symbol?: SymbolLabel } {
    const symbol = this.#label(address, text);
    return symbol === undefined ? {} : { symbol };
  }

  /** The fault when nothing of a range can be read; a range with a readable part is shown in pieces. */
  #wholeFault(address: VirtualAddress, size: number): FaultError | undefined {
    let fault: FaultError | undefined;
    const probes = Math.min(MAX_PROBES, Math.ceil(size / PROBE_STEP) + 1);
    for (let i = 0; i < probes && size > 0; i++) {
      try {
        this.memory.u8(add(address, Math.min(i * PROBE_STEP, size - 1)));
        return undefined;
      } catch (error) {
        if (!(error instanceof FaultError)) throw error;
        fault ??= error;
      }
    }
    return fault;
  }

  #unreadable(type: CType, address: VirtualAddress, error: unknown): UnreadableNode {
    if (error instanceof FaultError) {
      return { kind: "unreadable", type: this.#name(type), address, reason: error.reason, message: reasonOf(error) };
    }
    if (error instanceof InquestError || error instanceof Error) {
      return { kind: "unreadable", type: this.#name(type), address, reason: "unsupported", message: error.message };
    }
    throw error;
  }
}

/** True for one-byte integers, which gdb shows as characters whether they are signed or not. */
export function isCharacter(type: CType): boolean {
  const plain = strip(type);
  return plain.kind === "int" && plain.size === 1 && plain.encoding !== "bool";
}

/** The reason of a fault without the address that stands beside it. */
export function reasonOf(error: FaultError): string {
  const colon = error.message.indexOf(": ");
  return colon < 0 ? error.message : error.message.slice(colon + 2);
}
