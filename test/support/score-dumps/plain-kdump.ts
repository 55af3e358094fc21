/**
 * A compressed kdump file read by a reader of its own: pages that are stored plain or with zlib.
 *
 *   │ header │ sub header │ bitmap 1 │ bitmap 2 │ descriptors { offset u64, size u32, flags u32, page flags u64 } │ pages …
 *              pages of block_size                 one for each bit set in bitmap 2
 */
import { closeSync, openSync, readSync } from "node:fs";
import { inflateSync } from "node:zlib";

const DESCRIPTOR = 24;
const ZLIB = 1;
const OTHER_CODECS = ~1;

export class PlainKdump {
  readonly #descriptor: number;
  readonly #blockSize: number;
  readonly #bitmap: Uint8Array;
  readonly #pages: number;
  /** Bits set before each 64 bytes of the bitmap. */
  readonly #ranks: Uint32Array;
  #held = -1;
  #page: Uint8Array | undefined;

  private constructor(descriptor: number, blockSize: number, bitmap: Uint8Array, pages: number) {
    this.#descriptor = descriptor;
    this.#blockSize = blockSize;
    this.#bitmap = bitmap;
    this.#pages = pages;
    this.#ranks = new Uint32Array(Math.ceil(bitmap.length / 64) + 1);
    for (let i = 0, sum = 0; i < bitmap.length; i++) {
      if (i % 64 === 0) this.#ranks[i / 64] = sum;
      sum += ones(bitmap[i] as number);
    }
  }

  /** undefined when the file is none. */
  static open(path: string): PlainKdump | undefined {
    const descriptor = openSync(path, "r");
    const head = readAt(descriptor, 0, 464);
    if (new TextDecoder().decode(head.subarray(0, 8)) !== "KDUMP   ") {
      closeSync(descriptor);
      return undefined;
    }
    const view = new DataView(head.buffer);
    const [blockSize, subHeader, bitmaps] = [428, 432, 436].map((at) => view.getUint32(at, true)) as [number, number, number];
    const half = (bitmaps * blockSize) / 2;
    const bitmap = readAt(descriptor, (1 + subHeader) * blockSize + half, half);
    return new PlainKdump(descriptor, blockSize, bitmap, (1 + subHeader + bitmaps) * blockSize);
  }

  /** Bytes of physical memory within one page; undefined where the file has none, or packs them in another way. */
  physical(address: bigint, length: number): Uint8Array | undefined {
    const page = this.#pageOf(Math.floor(Number(address) / this.#blockSize));
    const offset = Number(address) % this.#blockSize;
    return page === undefined || offset + length > page.length ? undefined : page.subarray(offset, offset + length);
  }

  #pageOf(pfn: number): Uint8Array | undefined {
    if (pfn === this.#held) return this.#page;
    this.#held = pfn;
    this.#page = undefined;
    const byte = this.#bitmap[pfn >> 3] ?? 0;
    if (((byte >> (pfn & 7)) & 1) === 0) return undefined;
    let rank = this.#ranks[pfn >> 9] as number;
    for (let i = (pfn >> 9) * 64; i < pfn >> 3; i++) rank += ones(this.#bitmap[i] as number);
    rank += ones(byte & ((1 << (pfn & 7)) - 1));
    const view = new DataView(readAt(this.#descriptor, this.#pages + rank * DESCRIPTOR, DESCRIPTOR).buffer);
    const flags = view.getUint32(12, true);
    if ((flags & OTHER_CODECS) !== 0) return undefined;
    const stored = readAt(this.#descriptor, Number(view.getBigUint64(0, true)), view.getUint32(8, true));
    this.#page = (flags & ZLIB) === 0 ? stored : new Uint8Array(inflateSync(stored));
    return this.#page;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function ones(byte: number): number {
  let count = 0;
  for (let left = byte; left !== 0; left &= left - 1) count++;
  return count;
}

function readAt(descriptor: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  readSync(descriptor, bytes, 0, length, offset);
  return bytes;
}
