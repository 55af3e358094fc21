/** Bytes in memory as a ByteSource: tests, parts of a file that were read once, dumps fetched whole. */
import type { ByteSource } from "./byte-source.ts";

/** Wraps bytes without copying them. */
export class MemorySource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.size = bytes.length;
    this.#bytes = bytes;
  }

  readInto(target: Uint8Array, offset: number): number {
    const count = Math.max(0, Math.min(target.length, this.size - offset));
    if (count > 0) target.set(this.#bytes.subarray(offset, offset + count));
    return count;
  }

  close(): void {}
}
