/** Writes fields at offsets into a growing byte array, in either byte order: what the builders of test files are made with. */
export class ByteWriter {
  readonly littleEndian: boolean;
  #bytes = new Uint8Array(4096);
  #length = 0;

  constructor(littleEndian = true) {
    this.littleEndian = littleEndian;
  }

  get length(): number {
    return this.#length;
  }

  u16(at: number, value: number): this {
    this.#view(at, 2).setUint16(at, value, this.littleEndian);
    return this;
  }

  u32(at: number, value: number): this {
    this.#view(at, 4).setUint32(at, value, this.littleEndian);
    return this;
  }

  u64(at: number, value: number | bigint): this {
    this.#view(at, 8).setBigUint64(at, BigInt.asUintN(64, BigInt(value)), this.littleEndian);
    return this;
  }

  /** Consecutive 64-bit words. */
  words(at: number, values: readonly (number | bigint)[]): this {
    values.forEach((value, index) => {
      this.u64(at + 8 * index, value);
    });
    return this;
  }

  text(at: number, value: string): this {
    return this.bytes(
      at,
      Uint8Array.from(value, (character) => character.charCodeAt(0)),
    );
  }

  bytes(at: number, value: Uint8Array): this {
    this.#view(at, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Appends and returns where. */
  append(value: Uint8Array): number {
    const at = this.#length;
    this.bytes(at, value);
    return at;
  }

  /** Makes the array at least `length` long. */
  padTo(length: number): this {
    this.#view(0, Math.max(0, length));
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #view(at: number, size: number): DataView {
    const end = at + size;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#length = Math.max(this.#length, end);
    return new DataView(this.#bytes.buffer);
  }
}
