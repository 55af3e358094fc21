/** KDUMP and DISKDUMP files for tests: every version, compression, word size and byte order. */
import { PAGE_LZO, PAGE_RAW, PAGE_SNAPPY, PAGE_ZLIB, PAGE_ZSTD } from "../../bytes/page-codec.ts";
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";
import { deflate } from "../../bytes/testing/deflate-node.ts";
import { lzo1xEncode } from "../../bytes/testing/lzo1x-encode.ts";
import { snappyEncode } from "../../bytes/testing/snappy-encode.ts";
import { zstdEncode } from "../../bytes/testing/zstd-encode.ts";
import type { Note } from "../dump.ts";
import { encodeNotes } from "./build-notes.ts";
import { testPage } from "./test-pages.ts";

export type Compression = "raw" | "zlib" | "lzo" | "snappy" | "zstd";

export interface TestKdump {
  readonly signature?: "KDUMP   " | "DISKDUMP";
  readonly version?: number;
  readonly bits?: 32 | 64;
  readonly littleEndian?: boolean;
  readonly blockSize?: number;
  /** State of each page from 0 on: d dumped, x RAM but left out, - no RAM, z dumped but zero, 0 descriptor of size 0, u never written. */
  readonly pages?: string;
  readonly compression?: Compression | ((pfn: number) => Compression);
  readonly oneBitmap?: boolean;
  readonly status?: number;
  readonly machine?: string;
  readonly notes?: readonly Note[];
  readonly vmcoreinfo?: string;
  readonly eraseInfo?: string;
  readonly dumpLevel?: number;
  readonly physBase?: bigint;
  readonly seconds?: number;
  /** Makes it a member of a split set, with the pages [start, end). */
  readonly split?: readonly [start: number, end: number];
  /** Bytes after the page data. */
  readonly tail?: number;
}

const FLAGS: Record<Compression, number> = { raw: PAGE_RAW, zlib: PAGE_ZLIB, lzo: PAGE_LZO, snappy: PAGE_SNAPPY, zstd: PAGE_ZSTD };

/** Compresses a page. */
export function encodePage(compression: Compression, page: Uint8Array): Uint8Array {
  switch (compression) {
    case "raw":
      return page;
    case "zlib":
      return deflate(page);
    case "lzo":
      return lzo1xEncode(page);
    case "snappy":
      return snappyEncode(page);
    case "zstd":
      return zstdEncode(page);
  }
}

/** Composes the file. */
export function buildKdump(dump: TestKdump = {}): Uint8Array {
  const { version = 6, bits = 64, littleEndian = true, blockSize = 4096, pages = "d", oneBitmap = false, split } = dump;
  const writer = new ByteWriter(littleEndian);
  const utsname = ["Linux", "host", "6.1.0-test", "#1 SMP", dump.machine ?? "x86_64", "(none)"];
  const bitmapBytes = Math.ceil(pages.length / 8 / blockSize) * blockSize;
  const bitmapBlocks = (bitmapBytes / blockSize) * (oneBitmap ? 1 : 2);
  writer.text(0, dump.signature ?? "KDUMP   ").u32(8, version);
  utsname.forEach((field, index) => void writer.text(12 + 65 * index, field));
  const wide = bits === 64;
  if (wide) writer.u64(408, dump.seconds ?? 0);
  else writer.u32(404, dump.seconds ?? 0);
  // Version 6 keeps the number of pages in the sub header; the old field may hold anything.
  const fields = [dump.status ?? 0, blockSize, 1, bitmapBlocks, version >= 6 ? 0xffff_ffff : pages.length, 11, 12, 13, 1, 2];
  fields.forEach((value, index) => void writer.u32((wide ? 424 : 412) + 4 * index, value));
  const bitmaps = new Uint8Array(bitmapBlocks * blockSize);
  const set = (bitmap: number, pfn: number) => {
    const at = bitmap * bitmapBytes + (pfn >> 3);
    bitmaps[at] = (bitmaps[at] as number) | (1 << (pfn & 7));
  };
  const stored: number[] = [];
  [...pages].forEach((state, pfn) => {
    const dumped = state !== "-" && state !== "x";
    if (oneBitmap ? dumped : state !== "-") set(0, pfn);
    if (!oneBitmap && dumped) set(1, pfn);
    if (dumped && (split === undefined || (pfn >= split[0] && pfn < split[1]))) stored.push(pfn);
  });
  writer.bytes(2 * blockSize, bitmaps);
  const table = writer.length;
  writer.padTo(table + stored.length * 24);
  if (dump.signature !== "DISKDUMP") writeSubHeader(writer, dump, version, blockSize, pages.length);
  let zeroAt = 0;
  stored.forEach((pfn, index) => {
    const compression = typeof dump.compression === "function" ? dump.compression(pfn) : (dump.compression ?? "zlib");
    const at = table + 24 * index;
    const state = pages[pfn];
    if (state === "u") return;
    let data = encodePage(compression, state === "z" ? new Uint8Array(blockSize) : testPage(pfn, blockSize));
    // Like makedumpfile: what does not shrink is stored as it is.
    const flags = data.length >= blockSize ? PAGE_RAW : FLAGS[compression];
    if (flags === PAGE_RAW) data = state === "z" ? new Uint8Array(blockSize) : testPage(pfn, blockSize);
    if (state === "0") {
      writer.u64(at, writer.length).u32(at + 12, flags);
    } else {
      const place = state === "z" && zeroAt > 0 ? zeroAt : writer.append(data);
      if (state === "z") zeroAt = place;
      writer
        .u64(at, place)
        .u32(at + 8, data.length)
        .u32(at + 12, flags);
    }
    writer.u64(at + 16, 0xabcd);
  });
  if (dump.tail !== undefined) writer.append(new Uint8Array(dump.tail).fill(0xee));
  return writer.finish();
}

/** Only the fields that the version has; the rest is filled with noise that must not be read. */
function writeSubHeader(writer: ByteWriter, dump: TestKdump, version: number, blockSize: number, pages: number): void {
  const at = blockSize;
  writer.bytes(at, new Uint8Array(104).fill(0xee));
  writer.u64(at, dump.physBase ?? 0n);
  if (version >= 1) writer.u32(at + 8, dump.dumpLevel ?? 31);
  if (version >= 2) {
    writer.u32(at + 12, dump.split === undefined ? 0 : 1);
    // Obsolete since version 6.
    writer.words(at + 16, version >= 6 ? [0xeeee, 0xeeee] : (dump.split ?? [0, 0]));
  }
  const area = (field: number, bytes: Uint8Array) => {
    if (bytes.length > 0) writer.words(at + field, [writer.append(bytes), bytes.length]);
    else writer.words(at + field, [0, 0]);
  };
  const text = (value: string | undefined) => new TextEncoder().encode(value ?? "");
  if (version >= 3) area(32, text(dump.vmcoreinfo));
  if (version >= 4) area(48, encodeNotes(dump.notes ?? [], writer.littleEndian));
  if (version >= 5) area(64, text(dump.eraseInfo));
  if (version >= 6) writer.words(at + 80, [...(dump.split ?? [0, 0]), pages]);
}
