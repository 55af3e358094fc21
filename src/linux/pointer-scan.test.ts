import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { pointersInto } from "./pointer-scan.ts";

/** Two pages of memory from 0x10000 on, and one that was left out. */
function kernelOf(words: Readonly<Record<number, bigint>>): Kernel {
  const pages = new Map([16, 17].map((pfn) => [pfn, new Uint8Array(4096)]));
  for (const [address, word] of Object.entries(words)) {
    const at = Number(address);
    new DataView((pages.get(at >> 12) as Uint8Array).buffer).setBigUint64(at & 4095, word, true);
  }
  return {
    dump: {
      pageSize: 4096,
      ranges: [{ start: 0x10000n, end: 0x13000n }],
      readPage(pfn: number, target: Uint8Array) {
        const page = pages.get(pfn);
        if (page === undefined) return { reason: "excluded" };
        target.set(page);
        return undefined;
      },
    },
  } as unknown as Kernel;
}

const OBJECT = virtual(0xff11_0000_0123_4fc0n);

describe("words that lead into ranges", () => {
  it("are found from the first byte to the last, over the end of a page", () => {
    const kernel = kernelOf({ 65544: OBJECT, 69624: OBJECT + 0x7fn, 69648: OBJECT + 0x80n, 69656: OBJECT - 1n, 69664: 0x1234fc0n });
    const { hits, looked, unread } = pointersInto(kernel, [{ start: OBJECT, size: 0x80 }]);
    expect(hits).toEqual([
      { target: 0, physical: 0x10008 },
      { target: 0, physical: 0x10ff8 },
    ]);
    expect([looked, unread]).toEqual([0x2000, 0x1000]);
  });

  it("are told apart by range, and no more than enough of each", () => {
    const words: Record<number, bigint> = { 73720: 0xffff_8000_0000_1000n };
    for (let i = 0; i < 100; i++) words[0x10000 + i * 8] = OBJECT;
    const { hits } = pointersInto(kernelOf(words), [
      { start: virtual(0xffff_8000_0000_1000n), size: 8 },
      { start: OBJECT, size: 8 },
    ]);
    expect(hits.filter(({ target }) => target === 0)).toEqual([{ target: 0, physical: 0x11ff8 }]);
    expect(hits.filter(({ target }) => target === 1)).toHaveLength(64);
  });
});
