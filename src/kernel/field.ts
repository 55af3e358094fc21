/**
 * A structure member resolved once and read many times: offset, width and sign are fixed when the field is made, so a read is an
 * address sum and one DataView access.
 *
 *   const pid = kernel.types.struct("task_struct").field("pid");
 *   for (const task of tasks) pid.number(task);
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import { type CType, sizeOf, strip } from "../debug-info/c-type.ts";
import type { Memory } from "./address-space.ts";

/** A member of a structure, ready to be read at many addresses: for walks over much memory. */
export class Field {
  /** Dotted path as it was asked for. */
  readonly path: string;
  /** Bytes from the start of the structure (for bitfields: of the byte that holds the lowest bit). */
  readonly offset: number;
  /** Bit within that byte, 0 … 7; 0 for ordinary members. */
  readonly bitShift: number;
  /** Width of a bitfield in bits; undefined for ordinary members. */
  readonly bitSize: number | undefined;
  readonly type: CType;
  /** Bytes of the member's type. */
  readonly size: number;
  readonly isSigned: boolean;
  readonly #memory: Memory;
  readonly #offset: bigint;

  constructor(memory: Memory, path: string, bitOffset: number, bitSize: number | undefined, type: CType) {
    this.#memory = memory;
    this.path = path;
    this.offset = Math.floor(bitOffset / 8);
    this.bitShift = bitOffset % 8;
    this.bitSize = bitSize;
    this.type = type;
    this.size = sizeOf(type);
    const plain = strip(type);
    this.isSigned = (plain.kind === "int" || plain.kind === "enum") && plain.signed;
    this.#offset = BigInt(this.offset);
  }

  /** Address of the member in the structure at `base`. */
  address(base: VirtualAddress): VirtualAddress {
    return BigInt.asUintN(64, base + this.#offset) as VirtualAddress;
  }

  /** Integer, enum, pointer or bitfield value; sign-extended when the type is signed. Throws FaultError. */
  bigint(base: VirtualAddress): bigint {
    const at = this.address(base);
    if (this.bitSize !== undefined) return this.#bits(at, this.bitSize);
    switch (this.size) {
      case 1:
        return BigInt(this.isSigned ? this.#memory.s8(at) : this.#memory.u8(at));
      case 2:
        return BigInt(this.isSigned ? this.#memory.s16(at) : this.#memory.u16(at));
      case 4:
        return BigInt(this.isSigned ? this.#memory.s32(at) : this.#memory.u32(at));
      case 8:
        return this.isSigned ? this.#memory.s64(at) : this.#memory.u64(at);
      default:
        throw new UnsupportedError(`member ${this.path} has ${this.size} bytes and is not a scalar`);
    }
  }

  /** The same as a double; values beyond 2^53 lose their low bits. */
  number(base: VirtualAddress): number {
    if (this.bitSize === undefined) {
      const at = this.address(base);
      switch (this.size) {
        case 1:
          return this.isSigned ? this.#memory.s8(at) : this.#memory.u8(at);
        case 2:
          return this.isSigned ? this.#memory.s16(at) : this.#memory.u16(at);
        case 4:
          return this.isSigned ? this.#memory.s32(at) : this.#memory.u32(at);
        default:
      }
    }
    return Number(this.bigint(base));
  }

  /** The member read as a pointer (any 8-byte member). */
  pointer(base: VirtualAddress): VirtualAddress {
    return this.#memory.u64(this.address(base)) as VirtualAddress;
  }

  /** A char array member as text up to its NUL. */
  string(base: VirtualAddress): string {
    return this.#memory.cString(this.address(base), this.size > 0 ? this.size : 4096);
  }

  #bits(at: VirtualAddress, width: number): bigint {
    const bytes = this.#memory.bytes(at, Math.ceil((this.bitShift + width) / 8));
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
    value = BigInt.asUintN(width, value >> BigInt(this.bitShift));
    return this.isSigned ? BigInt.asIntN(width, value) : value;
  }
}

/** Address of the structure that holds `member` at this address: C's container_of. */
export function containerOf(member: VirtualAddress, field: Field): VirtualAddress {
  return virtual(add(member, -field.offset));
}
