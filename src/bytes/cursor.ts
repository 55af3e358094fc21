/**
 * Reads fields one after another out of a byte array, little- or big-endian, never past its end.
 *
 *   bytes  |....|u32 |u64     |.....
 *                ^ position moves on with each field
 */
import { FormatError } from "./errors.ts";

/** Bounds-checked reader; each step beyond the end is a FormatError that names the file and the offset in it. */
export class Cursor {
  /** Where the next field is read, relative to the start of the bytes. */
  position = 0;
  readonly length: number;
  readonly littleEndian: boolean;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #base: number;

  /** @param file name for error messages; @param base offset of `bytes` in that file, for error messages */
  constructor(bytes: Uint8Array, file: string, littleEndian = true, base = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
    this.#base = base;
    this.length = bytes.length;
    this.littleEndian = littleEndian;
  }

  get remaining(): number {
    return this.length - this.position;
  }

  /** Moves to an absolute position; throws when it lies outside. */
  seek(position: number): this {
    if (!(position >= 0 && position <= this.length)) this.#fail(position, "a position");
    this.position = position;
    return this;
  }

  skip(count: number): this {
    return this.seek(this.position + count);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), this.littleEndian);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), this.littleEndian);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), this.littleEndian);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), this.littleEndian);
  }

  /** A 64-bit field as a double: exact below 2^53, which holds for every file offset, size and page number that can be true. */
  u64AsNumber(): number {
    const at = this.#take(8);
    const first = this.#view.getUint32(at, this.littleEndian);
    const second = this.#view.getUint32(at + 4, this.littleEndian);
    return this.littleEndian ? second * 0x1_0000_0000 + first : first * 0x1_0000_0000 + second;
  }

  /** A view (no copy) of the next `count` bytes. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** A NUL-padded string field of `size` bytes; bytes above 0x7f become Latin-1 characters. */
  text(size: number): string {
    const field = this.bytes(size);
    const end = field.indexOf(0);
    return latin1(end < 0 ? field : field.subarray(0, end));
  }

  #take(count: number): number {
    const at = this.position;
    if (!(count >= 0 && at + count <= this.length)) this.#fail(at, `${count} bytes`);
    this.position = at + count;
    return at;
  }

  #fail(at: number, what: string): never {
    throw new FormatError(this.#file, `expected ${what}, found the end of the data (${this.length} bytes)`, this.#base + at);
  }
}

const decoder = new TextDecoder("latin1");

/** Bytes as a string, one character a byte (Windows-1252 for 0x80…0x9f, as every TextDecoder does). */
export function latin1(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
