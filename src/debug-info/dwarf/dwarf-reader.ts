/**
 * Reads DWARF's fields one after another out of bytes, for loops that run over millions of them: little-endian, plain numbers except
 * where a field has 64 bits, and never past the end. DWARF 5, 7.6 (LEB128) and 7.4 (32-bit and 64-bit format).
 *
 *   LEB128:   1xxxxxxx 1xxxxxxx 0xxxxxxx     seven bits a byte, the lowest first; the sign is bit 6 of the last
 *
 * A read of a typed array past its end gives undefined, which compares false with everything: the fast paths below check nothing more.
 */
import { FormatError } from "../../bytes/errors.ts";

/** Ten bytes hold 64 bits; assemblers pad a few more. */
const MAX_LEB = 24;

const utf8 = new TextDecoder("utf-8", { fatal: false });

export class DwarfReader {
  /** Where the next field is read, relative to the start of the bytes. */
  position: number;
  readonly bytes: Uint8Array;
  /** Where reading ends: bytes.length, or before. */
  readonly end: number;
  readonly #view: DataView;
  /** File and section, for messages. */
  readonly where: string;
  readonly #base: number;

  /** @param where file and section, for messages; @param base offset of the bytes in that section, for messages only */
  constructor(bytes: Uint8Array, where: string, base = 0, position = 0) {
    this.bytes = bytes;
    this.end = bytes.length;
    this.position = position;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.where = where;
    this.#base = base;
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  seek(position: number): this {
    if (!(position >= 0 && position <= this.end)) this.fail(`a position 0x${position.toString(16)} beyond the data`);
    this.position = position;
    return this;
  }

  skip(count: number): this {
    return this.seek(this.position + count);
  }

  u8(): number {
    const value = this.bytes[this.position];
    if (value === undefined) this.#ends();
    this.position++;
    return value;
  }

  i8(): number {
    return (this.u8() << 24) >> 24;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  i16(): number {
    return this.#view.getInt16(this.#take(2), true);
  }

  u24(): number {
    const at = this.#take(3);
    return this.#view.getUint16(at, true) | (this.bytes[at + 2]! << 16);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /** A 64-bit field as a double: exact below 2^53. */
  u64AsNumber(): number {
    const at = this.#take(8);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000;
  }

  /** An offset or a length of 32-bit or 64-bit DWARF. */
  offset(size: 4 | 8): number {
    return size === 4 ? this.u32() : this.u64AsNumber();
  }

  /** An address of 1, 2, 4 or 8 bytes. */
  address(size: number): bigint {
    switch (size) {
      case 8:
        return this.u64();
      case 4:
        return BigInt(this.u32());
      case 2:
        return BigInt(this.u16());
      case 1:
        return BigInt(this.u8());
      default:
        return this.fail(`an address of ${size} bytes`);
    }
  }

  /** unsigned LEB128 as a double: exact below 2^53. */
  uleb(): number {
    const first = this.bytes[this.position]!;
    if (first < 0x80) {
      this.position++;
      return first;
    }
    const second = this.bytes[this.position + 1]!;
    if (second < 0x80) {
      this.position += 2;
      return (first & 0x7f) | (second << 7);
    }
    return this.#longUleb();
  }

  /** signed LEB128 as a double: exact within ±2^53. */
  sleb(): number {
    const first = this.bytes[this.position]!;
    if (first < 0x80) {
      this.position++;
      return (first << 25) >> 25;
    }
    const start = this.position;
    const value = this.#longUleb();
    if ((this.bytes[this.position - 1]! & 0x40) === 0) return value;
    // Of a negative one the complement is small, and so exact, however many bytes it was padded to.
    let complement = 0;
    for (let at = start, scale = 1; at < this.position; at++, scale *= 128) complement += (~this.bytes[at]! & 0x7f) * scale;
    return -1 - complement;
  }

  /** unsigned LEB128, its low 64 bits. */
  uleb64(): bigint {
    return BigInt.asUintN(64, this.#bigLeb(false));
  }

  /** signed LEB128 of 64 bits. */
  sleb64(): bigint {
    return BigInt.asIntN(64, this.#bigLeb(true));
  }

  skipLeb(): void {
    const { bytes } = this;
    let at = this.position;
    while (bytes[at]! >= 0x80) at++;
    if (at >= this.end) this.#ends();
    this.position = at + 1;
  }

  /** A view, no copy. */
  take(count: number): Uint8Array {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }

  /** A NUL-terminated string. */
  string(): string {
    const from = this.position;
    this.skipString();
    return decodeText(this.bytes, from, this.position - 1);
  }

  skipString(): void {
    const end = this.bytes.indexOf(0, this.position);
    if (end < 0) this.#ends();
    this.position = end + 1;
  }

  /** unit_length and its like: the value, and whether it announces 64-bit DWARF. Values kept for extensions are refused. */
  initialLength(): { readonly length: number; readonly offsetSize: 4 | 8 } {
    const length = this.u32();
    if (length < 0xfffffff0) return { length, offsetSize: 4 };
    if (length !== 0xffffffff) this.fail(`a length 0x${length.toString(16)}, which DWARF reserves`);
    return { length: this.u64AsNumber(), offsetSize: 8 };
  }

  /** Throws FormatError at the current place. */
  fail(what: string): never {
    throw new FormatError(this.where, what, this.#base + this.position);
  }

  #longUleb(): number {
    const { bytes } = this;
    let at = this.position;
    const limit = Math.min(this.end, at + MAX_LEB);
    let value = 0;
    for (let scale = 1; at < limit; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.position = at;
        return value;
      }
    }
    return at >= this.end ? this.#ends() : this.fail(`a LEB128 number of more than ${MAX_LEB} bytes`);
  }

  #bigLeb(signed: boolean): bigint {
    const start = this.position;
    const value = signed ? this.sleb() : this.uleb();
    if (Number.isSafeInteger(value)) return BigInt(value);
    let exact = 0n;
    for (let at = start; at < this.position; at++) exact |= BigInt(this.bytes[at]! & 0x7f) << BigInt(7 * (at - start));
    return signed && value < 0 ? exact - (1n << BigInt(7 * (this.position - start))) : exact;
  }

  #take(count: number): number {
    const at = this.position;
    if (!(count >= 0 && at + count <= this.end)) this.#ends();
    this.position = at + count;
    return at;
  }

  #ends(): never {
    return this.fail(`the data ends (${this.end} bytes)`);
  }
}

/** Bytes from … to as text. Most names are short and ASCII, and a call of TextDecoder costs more than they do. */
export function decodeText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from > 64) return utf8.decode(bytes.subarray(from, to));
  let text = "";
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) return utf8.decode(bytes.subarray(from, to));
    text += String.fromCharCode(byte);
  }
  return text;
}
