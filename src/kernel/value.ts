/**
 * A typed value of the dead kernel, for interactive use and for code that runs once; hot loops use Field. What it is made of:
 *
 *   an address            read on demand                              kernel.variable("init_task").member("mm").member("pgd")
 *   an immediate          the result of arithmetic, a register
 *   bytes of its own      a structure in registers or in pieces       member() and index() work, pointers in it lead into the kernel
 *   a pointer to a value  the target was optimised out of memory      dereference() gives it; there is no number to show
 *
 * Pointers are followed by member().
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { LookupError, UnsupportedError } from "../bytes/errors.ts";
import { type CType, findMember, sizeOf, strip } from "../debug-info/c-type.ts";
import type { Memory } from "./address-space.ts";
import { DETACHED, DetachedMemory, type Hole } from "./detached-memory.ts";
import { Field } from "./field.ts";

/** Bits of a bitfield from the byte at the value's place. */
export interface ValueBits {
  readonly shift: number;
  readonly size: number;
}

/** Where a value without an address comes from. */
export type ValueSource =
  | { readonly immediate: bigint }
  | { readonly bytes: Uint8Array; readonly holes?: readonly Hole[] }
  | { readonly pointee: Value };

/** Memory that holds a value's bytes, and where in it. */
export interface ValuePlace {
  readonly memory: Memory;
  readonly address: VirtualAddress;
}

/** A typed value of the dead kernel: the engine's, below the library's Value. */
export class Value {
  readonly memory: Memory;
  readonly type: CType;
  /** Where it lives in the kernel; undefined for all others. */
  readonly address: VirtualAddress | undefined;
  /** A bitfield's bits. */
  readonly bits: ValueBits | undefined;
  /** Where its bytes can be read, the value's own bytes included; undefined for immediates and pointers to a value without an address. */
  readonly place: ValuePlace | undefined;
  /** What the pointer points to when that has no address. */
  readonly pointee: Value | undefined;
  readonly #immediate: bigint;
  readonly #field: Field | undefined;

  /** @param at address of the value, or what it is made of when it has none */
  constructor(memory: Memory, type: CType, at: VirtualAddress | ValueSource | { readonly place: ValuePlace }, bits?: ValueBits) {
    this.memory = memory;
    this.type = type;
    this.bits = bits;
    this.address = typeof at === "bigint" ? at : undefined;
    this.place = typeof at === "bigint" ? { memory, address: at } : placeOf(memory, at);
    this.pointee = typeof at !== "bigint" && "pointee" in at ? at.pointee : undefined;
    this.#immediate = typeof at !== "bigint" && "immediate" in at ? at.immediate : 0n;
    this.#field = this.place === undefined ? undefined : new Field(this.place.memory, "value", bits?.shift ?? 0, bits?.size, type);
  }

  /** The value's bits as an integer (sign-extended when its type is signed). */
  bigint(): bigint {
    if (this.pointee !== undefined) throw new UnsupportedError("it points to a variable that was optimized out of memory: it is no number");
    return this.place === undefined ? this.#immediate : (this.#field as Field).bigint(this.place.address);
  }

  /** The same as a number; beyond 2^53 the low bits are lost. */
  number(): number {
    return this.place === undefined ? Number(this.bigint()) : (this.#field as Field).number(this.place.address);
  }

  /** A pointer's value. */
  pointer(): VirtualAddress {
    return BigInt.asUintN(64, this.bigint()) as VirtualAddress;
  }

  /** Text of a char array or of what a char pointer points to. */
  string(max = 4096): string {
    const plain = strip(this.type);
    if (plain.kind === "pointer") return this.pointee?.string(max) ?? this.memory.cString(this.pointer(), max);
    if (this.place === undefined) throw new UnsupportedError("an immediate value is no string");
    return this.place.memory.cString(this.place.address, plain.kind === "array" && plain.length > 0 ? sizeOf(plain) : max);
  }

  /** What the pointer points to. */
  dereference(): Value {
    const plain = strip(this.type);
    if (plain.kind !== "pointer") throw new UnsupportedError("only a pointer can be dereferenced");
    return this.pointee ?? new Value(this.memory, plain.target, this.pointer());
  }

  /** A member by name (also within anonymous members); pointers to structures are followed. */
  member(name: string): Value {
    const plain = strip(this.type);
    if (plain.kind === "pointer") return this.dereference().member(name);
    if ((plain.kind !== "struct" && plain.kind !== "union") || this.place === undefined)
      throw new UnsupportedError(`"${name}": not a structure`);
    const found = findMember(plain, name);
    if (found === undefined) throw new LookupError(`${plain.kind} ${plain.name ?? "(anonymous)"} has no member "${name}"`);
    const bits = found.member.bitSize === undefined ? undefined : { shift: found.bitOffset % 8, size: found.member.bitSize };
    return this.#part(found.member.type, Math.floor(found.bitOffset / 8), bits);
  }

  /** Element of an array, or of what a pointer points to. */
  index(i: number): Value {
    const plain = strip(this.type);
    if (plain.kind === "pointer") {
      if (i === 0) return this.dereference();
      return new Value(this.memory, plain.target, add(this.pointer(), i * sizeOf(plain.target)));
    }
    if (plain.kind !== "array" || this.place === undefined) throw new UnsupportedError("only arrays and pointers can be indexed");
    return this.#part(plain.element, i * sizeOf(plain.element));
  }

  /** A part of it, from its first byte. */
  #part(type: CType, offset: number, bits?: ValueBits): Value {
    if (this.address !== undefined) return new Value(this.memory, type, add(this.address, offset), bits);
    const { memory, address } = this.place as ValuePlace;
    return new Value(this.memory, type, { place: { memory, address: add(address, offset) } }, bits);
  }
}

function placeOf(memory: Memory, source: ValueSource | { readonly place: ValuePlace }): ValuePlace | undefined {
  if ("place" in source) return source.place;
  return "bytes" in source ? { memory: new DetachedMemory(memory, source.bytes, source.holes), address: DETACHED } : undefined;
}
