/** Appends DWARF's fields, little-endian, to a growing array: what the builders of debug sections write with. */
export class FieldWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    return this.#number(value, 1);
  }

  u16(value: number): this {
    return this.#number(value, 2);
  }

  u32(value: number): this {
    return this.#number(value, 4);
  }

  /** `size` bytes of a number of any size and sign. */
  fixed(value: number | bigint, size: number): this {
    let rest = BigInt.asUintN(8 * size, BigInt(value));
    for (let index = 0; index < size; index++, rest >>= 8n) this.u8(Number(rest & 0xffn));
    return this;
  }

  /** LEB128, padded to at least `size` bytes. */
  uleb(value: number | bigint, size = 1): this {
    let rest = BigInt(value);
    for (let count = 1; ; count++, rest >>= 7n) {
      const more = rest > 0x7fn || count < size;
      this.u8(Number(rest & 0x7fn) | (more ? 0x80 : 0));
      if (!more) return this;
    }
  }

  sleb(value: number | bigint): this {
    for (let rest = BigInt(value); ; rest >>= 7n) {
      const done = rest >= -0x40n && rest < 0x40n;
      this.u8(Number(rest & 0x7fn) | (done ? 0 : 0x80));
      if (done) return this;
    }
  }

  /** NUL-terminated UTF-8. */
  string(text: string): this {
    return this.bytes(new TextEncoder().encode(text)).u8(0);
  }

  bytes(value: Uint8Array | readonly number[]): this {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** unit_length of 32-bit or 64-bit DWARF, then the body. */
  counted(body: Uint8Array, offsetSize: 4 | 8): this {
    if (offsetSize === 8) this.u32(0xffffffff);
    return this.fixed(body.length, offsetSize).bytes(body);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #number(value: number, size: number): this {
    this.#room(size);
    for (let index = 0; index < size; index++) this.#bytes[this.#length++] = value >>> (8 * index);
    return this;
  }

  #room(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#length + size, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
