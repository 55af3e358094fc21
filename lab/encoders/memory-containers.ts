/**
 * One RAM image written the way memory acquisition tools write it.
 *
 *   raw     physical memory from the bank's first byte to its last, holes as zeroes: opened as `file@address`
 *   LiME    per range {u32 0x4c694d45, u32 version 1, u64 first, u64 last (inclusive), u64 0} + bytes; AVML's version 1 is the same
 *   AVML 2  per range of at most 16 MiB {u32 0x4c4d5641, u32 version 2, u64 first, u64 last, u64 0} + framed Snappy + u64 length of it
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { type RamImage, SparseWriter } from "./ram-image.ts";
import { snappyFrames } from "./snappy.ts";

const LIME_MAGIC = 0x4c694d45;
const AVML_MAGIC = 0x4c4d5641;
const PIECE = 16 * 1024 * 1024;

/** The 32-byte header of a LiME or AVML range. */
export function rangeHeader(version: 1 | 2, start: number, size: number): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt32LE(version === 1 ? LIME_MAGIC : AVML_MAGIC, 0);
  header.writeUInt32LE(version, 4);
  header.writeBigUInt64LE(BigInt(start), 8);
  header.writeBigUInt64LE(BigInt(start + size - 1), 16);
  return header;
}

function* pieces(image: RamImage): Generator<{ start: number; size: number; bytes: Buffer }> {
  for (const range of image.ranges) {
    for (let at = 0; at < range.size; at += PIECE) {
      const size = Math.min(PIECE, range.size - at);
      yield { start: range.start + at, size, bytes: image.read(range.start + at, size) };
    }
  }
}

/** Physical memory as it is; returns the address of the file's first byte. */
export function writeRaw(image: RamImage, path: string): number {
  const base = image.ranges[0]?.start ?? 0;
  const writer = new SparseWriter(path);
  let next = base;
  for (const piece of pieces(image)) {
    writer.skip(piece.start - next);
    writer.write(piece.bytes);
    next = piece.start + piece.size;
  }
  writer.close();
  return base;
}

/** LiME, one header per range. */
export function writeLime(image: RamImage, path: string): void {
  const writer = new SparseWriter(path);
  for (const range of image.ranges) {
    writer.write(rangeHeader(1, range.start, range.size));
    for (let at = 0; at < range.size; at += PIECE) writer.write(image.read(range.start + at, Math.min(PIECE, range.size - at)));
  }
  writer.close();
}

/** AVML version 1 cuts ranges into pieces but is LiME otherwise. */
export function writeAvml1(image: RamImage, path: string): void {
  const writer = new SparseWriter(path);
  for (const piece of pieces(image)) {
    writer.write(rangeHeader(1, piece.start, piece.size));
    writer.write(piece.bytes);
  }
  writer.close();
}

/** AVML version 2: compressed pieces. */
export function writeAvml2(image: RamImage, path: string): void {
  const fd = openSync(path, "w");
  for (const piece of pieces(image)) {
    const stream = snappyFrames(piece.bytes);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(stream.length));
    for (const part of [rangeHeader(2, piece.start, piece.size), stream, length]) writeSync(fd, part);
  }
  closeSync(fd);
}
