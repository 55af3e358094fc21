import { describe, expect, it } from "vitest";
import { blockScanner, matchAt, type SearchPattern } from "./search-pattern.ts";

const words = (bits: 16 | 32 | 64, values: bigint[], mask = 0n): SearchPattern => ({ kind: "words", bits, values, mask });
const texts = (...all: string[]): SearchPattern => ({ kind: "texts", texts: all.map((text) => new TextEncoder().encode(text)) });

function scan(pattern: SearchPattern, bytes: Uint8Array, start = 0): number[] {
  const hits: number[] = [];
  blockScanner(pattern).scan(bytes, start, bytes.length - start, hits);
  return hits;
}

/** Every word at its alignment, compared as the definition has it. */
function slow(pattern: SearchPattern, bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer);
  const size = pattern.kind === "words" ? pattern.bits / 8 : 1;
  const hits: number[] = [];
  for (let at = 0; at + size <= bytes.length; at += size) if (matchAt(pattern, view, at) >= 0) hits.push(at);
  return hits;
}

describe("blockScanner", () => {
  const bytes = new Uint8Array(4096);
  let state = 12345;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    // Few different bytes, so that masks and short words hit.
    bytes[i] = (state >>> 16) % 3 === 0 ? 0xff : (state >>> 20) & 3;
  }
  const view = new DataView(bytes.buffer);
  const at = (offset: number, bits: 16 | 32 | 64) =>
    bits === 64 ? view.getBigUint64(offset, true) : BigInt(bits === 32 ? view.getUint32(offset, true) : view.getUint16(offset, true));

  it.each([
    ["one word", words(64, [at(800, 64)])],
    ["one word, half of it ignored", words(64, [at(800, 64)], 0xffff_ffffn)],
    ["one word, its high bits ignored", words(64, [at(16, 64)], 0xffff_ffff_ffff_0000n)],
    ["several words", words(64, [at(0, 64), at(4088, 64), 0n, 0xffff_ffff_ffff_ffffn])],
    ["a half", words(32, [at(4, 32)])],
    ["a masked half", words(32, [at(4, 32)], 0xff00_ff00n)],
    ["several halves", words(32, [at(4, 32), at(96, 32), 0xffff_ffffn])],
    ["a short", words(16, [at(2, 16)])],
    ["shorts, masked", words(16, [at(2, 16), 0xffffn], 0xff00n)],
  ])("%s", (_name, pattern) => {
    const found = scan(pattern, bytes);
    expect(found).toEqual(slow(pattern, bytes));
    expect(found.length).toBeGreaterThan(0);
  });

  it("finds texts, several at one place once, ascending, and those that begin in front of the block", () => {
    const block = new TextEncoder().encode("xxpanic: kernel panic, panicking");
    expect(scan(texts("panic", "kernel"), block)).toEqual([2, 9, 16, 23]);
    expect(scan(texts("panic", "pan"), block)).toEqual([2, 16, 23]);
    // Of the 8 bytes in front only a text that runs into the block is new.
    expect(scan(texts("pa", "ic: "), block, 8)).toEqual([5, 16, 23]);
  });
});
