/**
 * Rewrites a plain kdump file with its pages compressed by Snappy, for machines whose makedumpfile and QEMU are built without it. Headers and
 * bitmaps are kept; page descriptors {u64 offset, u32 size, u32 flags, u64 page flags} and data are written anew.
 *
 *   block 0 header (status at +424, block size +428, sub-header blocks +432, bitmap blocks +436) | sub header | two bitmaps | descriptors | data
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { snappyCompress } from "./snappy.ts";

const STATUS = 424;
const BLOCK_SIZE = 428;
const SUB_HEADER_BLOCKS = 432;
const BITMAP_BLOCKS = 436;
const DESCRIPTOR = 24;
const SNAPPY = 4;

function countBits(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Write `source` (64-bit little-endian, uncompressed pages) as `target` with Snappy pages. */
export function recompressKdump(source: string, target: string): void {
  const file = readFileSync(source);
  if (file.toString("latin1", 0, 8) !== "KDUMP   ") throw new Error(`${source} is not a plain kdump file`);
  const block = file.readInt32LE(BLOCK_SIZE);
  const bitmaps = block * (1 + file.readInt32LE(SUB_HEADER_BLOCKS));
  const table = bitmaps + block * file.readInt32LE(BITMAP_BLOCKS);
  const pages = countBits(file.subarray(bitmaps + (table - bitmaps) / 2, table));
  const head = Buffer.from(file.subarray(0, table + pages * DESCRIPTOR));
  head.writeInt32LE(head.readInt32LE(STATUS) | SNAPPY, STATUS);
  const moved = new Map<bigint, { readonly offset: bigint; readonly size: number; readonly flags: number }>();
  const fd = openSync(target, "w");
  let end = head.length;
  for (let at = table; at < head.length; at += DESCRIPTOR) {
    const from = head.readBigUInt64LE(at);
    let page = moved.get(from);
    if (page === undefined) {
      const size = head.readUInt32LE(at + 8);
      if (head.readUInt32LE(at + 12) !== 0 || size !== block) throw new Error(`${source} has compressed pages`);
      const plain = file.subarray(Number(from), Number(from) + size);
      const compressed = snappyCompress(plain);
      const stored = compressed.length < plain.length ? compressed : plain;
      writeSync(fd, stored, 0, stored.length, end);
      page = { offset: BigInt(end), size: stored.length, flags: stored === plain ? 0 : SNAPPY };
      moved.set(from, page);
      end += stored.length;
    }
    head.writeBigUInt64LE(page.offset, at);
    head.writeUInt32LE(page.size, at + 8);
    head.writeUInt32LE(page.flags, at + 12);
  }
  writeSync(fd, head, 0, head.length, 0);
  closeSync(fd);
}
