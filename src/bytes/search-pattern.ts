/**
 * What is searched for in memory, compiled once: words of 64, 32 or 16 bits, some bits of which may be ignored, or texts. Several are
 * looked for in one pass.
 *
 *   words   the low half of each word meets one comparison (one value) or a bitmap of 65,536 bits (several); few come further
 *   texts   the engine's own search, one pass a text; texts that run over the end of a block are found with the block behind it
 *
 * Blocks begin at multiples of eight bytes. Only words at multiples of their size are found.
 */
import { findBytes } from "./find-bytes-node.ts";

export interface WordPattern {
  readonly kind: "words";
  /** Bits of a word. */
  readonly bits: 16 | 32 | 64;
  readonly values: readonly bigint[];
  /** Bits that are ignored. */
  readonly mask: bigint;
}

export interface TextPattern {
  readonly kind: "texts";
  readonly texts: readonly Uint8Array[];
}

export type SearchPattern = WordPattern | TextPattern;

/** Finds the pattern in a block of bytes. */
export interface BlockScanner {
  /** Alignment of hits in bytes. */
  readonly step: number;
  /** Bytes of the longest text less one: what must be seen again with the block behind; 0 for words. */
  readonly overlap: number;
  /**
   * Adds the offset of each hit in the first `length` bytes, ascending. For texts the last `overlap` bytes of the block before, when it
   * was the memory right in front, lie before `start`: a hit may begin in them.
   */
  scan(bytes: Uint8Array, start: number, length: number, hits: number[]): void;
}

/** Number of the first value or text that stands at a place; −1 when none does. */
export function matchAt(pattern: SearchPattern, view: DataView, offset: number): number {
  if (pattern.kind === "texts")
    return pattern.texts.findIndex((text) => text.every((byte, i) => offset + i < view.byteLength && view.getUint8(offset + i) === byte));
  const word = readWord(view, offset, pattern.bits);
  return pattern.values.findIndex((value) => ((word ^ value) & ~pattern.mask) === 0n);
}

/** A little-endian word. */
export function readWord(view: DataView, offset: number, bits: 16 | 32 | 64): bigint {
  if (bits === 64) return view.getBigUint64(offset, true);
  return BigInt(bits === 32 ? view.getUint32(offset, true) : view.getUint16(offset, true));
}

/** Compiles a pattern. */
export function blockScanner(pattern: SearchPattern): BlockScanner {
  if (pattern.kind === "texts") return textScanner(pattern.texts);
  switch (pattern.bits) {
    case 16:
      return shortScanner(pattern);
    case 32:
      return { step: 4, overlap: 0, scan: halfScanner(pattern) };
    default:
      return { step: 8, overlap: 0, scan: wordScanner(pattern) };
  }
}

const LOW = 0xffff_ffffn;

/** Set of the 16 bits that halves fold to; with ignored bits only what they leave. */
function foldBitmap(lows: readonly number[]): Uint8Array {
  const bitmap = new Uint8Array(1 << 16);
  for (const low of lows) bitmap[fold(low)] = 1;
  return bitmap;
}

function fold(low: number): number {
  return (low ^ (low >>> 16)) & 0xffff;
}

function words32(bytes: Uint8Array, start: number, length: number): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset + start, length >>> 2);
}

function wordScanner({ values, mask }: WordPattern): BlockScanner["scan"] {
  const keepLow = Number(~mask & LOW);
  const keepHigh = Number((~mask >> 32n) & LOW);
  const pairs = values.map((value) => ({
    low: (Number(value & LOW) & keepLow) >>> 0,
    high: (Number((value >> 32n) & LOW) & keepHigh) >>> 0,
  }));
  const [only] = pairs;
  if (pairs.length === 1 && only !== undefined && mask === 0n) {
    const { low, high } = only;
    return (bytes, start, length, hits) => {
      const words = words32(bytes, start, length & ~7);
      const count = words.length;
      for (let i = 0; i < count; i += 2) if (words[i] === low && words[i + 1] === high) hits.push(start + i * 4);
    };
  }
  const bitmap = foldBitmap(pairs.map(({ low }) => low));
  return (bytes, start, length, hits) => {
    const words = words32(bytes, start, length & ~7);
    const count = words.length;
    for (let i = 0; i < count; i += 2) {
      const low = ((words[i] as number) & keepLow) >>> 0;
      if (bitmap[(low ^ (low >>> 16)) & 0xffff] === 0) continue;
      const high = ((words[i + 1] as number) & keepHigh) >>> 0;
      for (const pair of pairs) {
        if (pair.low === low && pair.high === high) {
          hits.push(start + i * 4);
          break;
        }
      }
    }
  };
}

function halfScanner({ values, mask }: WordPattern): BlockScanner["scan"] {
  const keep = Number(~mask & LOW);
  const wanted = values.map((value) => (Number(value & LOW) & keep) >>> 0);
  const [only] = wanted;
  if (wanted.length === 1 && only !== undefined) {
    return (bytes, start, length, hits) => {
      const words = words32(bytes, start, length);
      const count = words.length;
      for (let i = 0; i < count; i++) if (((words[i] as number) & keep) >>> 0 === only) hits.push(start + i * 4);
    };
  }
  const bitmap = foldBitmap(wanted);
  return (bytes, start, length, hits) => {
    const words = words32(bytes, start, length);
    const count = words.length;
    for (let i = 0; i < count; i++) {
      const word = ((words[i] as number) & keep) >>> 0;
      if (bitmap[(word ^ (word >>> 16)) & 0xffff] !== 0 && wanted.includes(word)) hits.push(start + i * 4);
    }
  };
}

function shortScanner({ values, mask }: WordPattern): BlockScanner {
  const keep = Number(~mask & 0xffffn);
  // Sixteen bits: the bitmap is the answer.
  const bitmap = new Uint8Array(1 << 16);
  for (const value of values) bitmap[Number(value & 0xffffn) & keep] = 1;
  return {
    step: 2,
    overlap: 0,
    scan(bytes, start, length, hits) {
      const words = new Uint16Array(bytes.buffer, bytes.byteOffset + start, length >>> 1);
      const count = words.length;
      for (let i = 0; i < count; i++) if (bitmap[(words[i] as number) & keep] !== 0) hits.push(start + i * 2);
    },
  };
}

function textScanner(texts: readonly Uint8Array[]): BlockScanner {
  const overlap = Math.max(0, ...texts.map(({ length }) => length - 1));
  return {
    step: 1,
    overlap,
    scan(bytes, start, length, hits) {
      const first = hits.length;
      const block = bytes.subarray(0, start + length);
      for (const text of texts) {
        // In front of the block only what did not fit there counts: it was seen with that block otherwise.
        let at = findBytes(block, text, Math.max(0, start - (text.length - 1)));
        for (; at >= 0; at = findBytes(block, text, at + 1)) hits.push(at);
      }
      if (texts.length > 1) {
        const sorted = [...new Set(hits.splice(first))].sort((a, b) => a - b);
        for (const hit of sorted) hits.push(hit);
      }
    },
  };
}
