/**
 * A typed value of the dead kernel: an address and a type (read on demand), or an immediate. For interactive use and for code that
 * runs once; hot loops use Field.
 *
 *   kernel.variable("init_task").member("mm").member("pgd")     pointers are followed by member()
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { LookupError, UnsupportedError } from "../bytes/errors.ts";
import { type CType, findMember, sizeOf, strip } from "../debug-info/c-type.ts";
import type { Memory } from "./address-space.ts";
import { Field } from "./field.ts";

export class Value {
  readonly memory: Memory;
  readonly type: CType;
  /** Where it lives; undefined for immediates. */
  readonly address: VirtualAddress | undefined;
  readonly #immediate: bigint | undefined;
  readonly #field: Field;

  /** @param at address of the value, or `{ immediate }` for a value that has none */
  constructor(
    memory: Memory,
    type: CType,
    at: VirtualAddress | { readonly immediate: bigint },
    bits?: { readonly shift: number; readonly size: number },
  ) {
    this.memory = memory;
    this.type = type;
    this.address = typeof at === "bigint" ? at : undefined;
    this.#immediate = typeof at === "bigint" ? undefined : at.immediate;
    this.#field = new Field(memory, "value", bits?.shift ?? 0, bits?.size, type);
  }

  /** The value's bits as an integer (sign-extended when its type is signed). */
  bigint(): bigint {
    return this.address === undefined ? (this.#immediate as bigint) : this.#field.bigint(this.address);
  }

  number(): number {
    return this.address === undefined ? Number(this.#immediate) : this.#field.number(this.address);
  }

  /** A pointer's value. */
  pointer(): VirtualAddress {
    return BigInt.asUintN(64, this.bigint()) as VirtualAddress;
  }

  /** Text of a char array or of what a char pointer points to. */
  string(max = 4096): string {
    const plain = strip(this.type);
    if (plain.kind === "pointer") return this.memory.cString(this.pointer(), max);
    if (this.address === undefined) throw new UnsupportedError("an immediate value is no string");
    return this.memory.cString(this.address, plain.kind === "array" && plain.length > 0 ? sizeOf(plain) : max);
  }

  /** What the pointer points to. */
  dereference(): Value {
    const plain = strip(this.type);
    if (plain.kind !== "pointer") throw new UnsupportedError("only a pointer can be dereferenced");
    return new Value(this.memory, plain.target, this.pointer());
  }

  /** A member by name (also within anonymous members); pointers to structures are followed. */
  member(name: string): Value {
    const plain = strip(this.type);
    if (plain.kind === "pointer") return this.dereference().member(name);
    if ((plain.kind !== "struct" && plain.kind !== "union") || this.address === undefined)
      throw new UnsupportedError(`"${name}": not a structure`);
    const found = findMember(plain, name);
    if (found === undefined) throw new LookupError(`${plain.kind} ${plain.name ?? "(anonymous)"} has no member "${name}"`);
    const bits = found.member.bitSize === undefined ? undefined : { shift: found.bitOffset % 8, size: found.member.bitSize };
    return new Value(this.memory, found.member.type, add(this.address, Math.floor(found.bitOffset / 8)), bits);
  }

  /** Element of an array, or of what a pointer points to. */
  index(i: number): Value {
    const plain = strip(this.type);
    if (plain.kind === "pointer") return new Value(this.memory, plain.target, add(this.pointer(), i * sizeOf(plain.target)));
    if (plain.kind !== "array" || this.address === undefined) throw new UnsupportedError("only arrays and pointers can be indexed");
    return new Value(this.memory, plain.element, add(this.address, i * sizeOf(plain.element)));
  }
}
