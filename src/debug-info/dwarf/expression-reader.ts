/** Reads the operations of an expression and their operands: little-endian, LEB128 bounded to the 64 bits that it can mean. */
import { Cursor } from "../../bytes/cursor.ts";
import { FormatError } from "../../bytes/errors.ts";

const FILE = "DWARF expression";
/** A LEB128 number of 64 bits has ten bytes; producers pad it to a few more at most. */
const MAX_LEB = 16;

export class ExpressionReader {
  readonly #cursor: Cursor;

  constructor(expression: Uint8Array) {
    this.#cursor = new Cursor(expression, FILE);
  }

  get atEnd(): boolean {
    return this.#cursor.remaining === 0;
  }

  u8(): number {
    return this.#cursor.u8();
  }

  /** Unsigned integer of 1, 2, 4 or 8 bytes. */
  unsigned(size: number): bigint {
    switch (size) {
      case 1:
        return BigInt(this.#cursor.u8());
      case 2:
        return BigInt(this.#cursor.u16());
      case 4:
        return BigInt(this.#cursor.u32());
      case 8:
        return this.#cursor.u64();
      default:
        throw new FormatError(FILE, `an operand of ${size} bytes`, this.#cursor.position);
    }
  }

  signed(size: number): bigint {
    return BigInt.asIntN(size * 8, this.unsigned(size));
  }

  uleb(): bigint {
    return BigInt.asUintN(64, this.#leb(false));
  }

  sleb(): bigint {
    return BigInt.asIntN(64, this.#leb(true));
  }

  /** A LEB128 number that counts or names something. */
  count(): number {
    return Number(this.uleb());
  }

  bytes(length: number): Uint8Array {
    return this.#cursor.bytes(length);
  }

  /** Moves by a signed distance from here; the end itself is allowed. */
  jump(distance: bigint): void {
    this.#cursor.seek(this.#cursor.position + Number(distance));
  }

  #leb(signed: boolean): bigint {
    let value = 0n;
    for (let i = 0; i < MAX_LEB; i++) {
      const byte = this.#cursor.u8();
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return signed && (byte & 0x40) !== 0 ? value - (1n << BigInt(7 * (i + 1))) : value;
    }
    throw new FormatError(FILE, `a LEB128 number of more than ${MAX_LEB} bytes`, this.#cursor.position);
  }
}
