/**
 * A KDUMP file of any size that is nowhere stored: each byte is computed when it is read. For tests of time and memory at the size
 * of real servers.
 *
 *   pages 0, 3, 6 … are dumped, 1, 4, 7 … left out, 2, 5, 8 … no RAM; the data of page n is its number in every word
 */
import type { ByteSource } from "../../bytes/byte-source.ts";
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";

const BLOCK = 4096;

/** A dump of a machine with `pages` pages of 4 KiB, uncompressed; `reads` counts the bytes that were asked for. */
export function syntheticKdump(pages: number): ByteSource & { readonly reads: { bytes: number } } {
  const bitmapBytes = Math.ceil(pages / 8 / BLOCK) * BLOCK;
  const header = new ByteWriter()
    .text(0, "KDUMP   ")
    .u32(8, 6)
    .text(12 + 65 * 4, "x86_64");
  [0, BLOCK, 1, (2 * bitmapBytes) / BLOCK, 0].forEach((value, index) => void header.u32(424 + 4 * index, value));
  header.padTo(2 * BLOCK).u64(BLOCK + 96, pages);
  const head = header.finish();
  const first = 2 * BLOCK;
  const second = first + bitmapBytes;
  const table = second + bitmapBytes;
  const count = Math.ceil(pages / 3);
  const data = Math.ceil((table + count * 24) / BLOCK) * BLOCK;
  // Three bytes hold 24 pages: the pattern of the bitmaps repeats.
  const ram = [0b11011011, 0b10110110, 0b01101101];
  const dumped = [0b01001001, 0b10010010, 0b00100100];
  const reads = { bytes: 0 };
  const byteAt = (at: number): number => {
    if (at < first) return head[at] as number;
    if (at < table) {
      const index = at < second ? at - first : at - second;
      const bits = (at < second ? ram : dumped)[index % 3] as number;
      return index * 8 + 8 <= pages ? bits : bits & ((1 << Math.max(0, pages - index * 8)) - 1);
    }
    if (at < data) {
      const index = Math.floor((at - table) / 24);
      const field = (at - table) % 24;
      if (field < 8) return Math.floor((data + index * BLOCK) / 256 ** field) & 0xff;
      return field < 12 ? Math.floor(BLOCK / 256 ** (field - 8)) & 0xff : 0;
    }
    return Math.floor((3 * Math.floor((at - data) / BLOCK)) / 256 ** ((at - data) & 7)) & 0xff;
  };
  return {
    name: "synthetic",
    size: data + count * BLOCK,
    reads,
    readInto(target, offset) {
      const length = Math.max(0, Math.min(target.length, this.size - offset));
      for (let i = 0; i < length; i++) target[i] = byteAt(offset + i);
      reads.bytes += length;
      return length;
    },
    close() {},
  };
}
