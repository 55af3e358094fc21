/**
 * LiME images (format "lime"), also what AVML writes when told not to compress. Layout: LiME's src/lime.h (lime_mem_range_header).
 *
 *   | 'EMiL' u32 = 0x4c694d45 | version u32 = 1 | start u64 | end u64, inclusive | 8 zero bytes | end - start + 1 bytes |  and again …
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { Cursor } from "../bytes/cursor.ts";
import { FormatError } from "../bytes/errors.ts";
import { IntervalMapBuilder } from "../bytes/interval-map.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import type { Dump, HeaderFact, PageFault } from "./dump.ts";
import { maxPfnOf, memoryRanges, PHYSICAL_LIMIT, readRangePage } from "./page-reader.ts";
import { HEADERLESS } from "./raw.ts";

const LIME_MAGIC = 0x4c694d45;
export const AVML_MAGIC = 0x4c4d5641;
/** Both formats have the same header. */
export const RANGE_HEADER = 32;
/** System RAM is a few hundred ranges; AVML leaves out empty 16 MiB blocks, which may cut it into many. */
export const MAX_LIME_RANGES = 1 << 20;

/** Ranges come in order of address: what lies above the last one of a cut file may have been cut off with it. */
export const BEYOND_CUT: PageFault = {
  reason: "truncated",
  detail: "beyond the last range of a file that was cut off; there may be no memory",
};

/** One range header. */
export interface RangeHeader {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Reads the header at `offset`; undefined when there is none of that magic and version, or when it makes no sense. */
export function readRangeHeader(source: ByteSource, offset: number, magic: number, version: number): RangeHeader | undefined {
  const bytes = readUpTo(source, offset, RANGE_HEADER);
  if (bytes.length < RANGE_HEADER) return undefined;
  const cursor = new Cursor(bytes, source.name, true, offset);
  if (cursor.u32() !== magic || cursor.u32() !== version) return undefined;
  const start = cursor.u64AsNumber();
  const end = cursor.u64AsNumber() + 1;
  return end > start && end <= PHYSICAL_LIMIT ? { start, end } : undefined;
}

/** True when the first bytes are a LiME range header. */
export function probeLime(head: Uint8Array): boolean {
  return head.length >= RANGE_HEADER && new DataView(head.buffer, head.byteOffset).getUint32(0, true) === LIME_MAGIC;
}

/** Opens a LiME image; ranges after damage or the end of the file are missing, with a warning. */
export function openLime(source: ByteSource): Dump {
  const builder = new IntervalMapBuilder();
  const warnings: string[] = [];
  const facts: HeaderFact[] = [["format", "LiME"]];
  let at = 0;
  while (at < source.size && builder.count < MAX_LIME_RANGES) {
    const range = readRangeHeader(source, at, LIME_MAGIC, 1);
    if (range === undefined) {
      if (builder.count === 0) throw new FormatError(source.name, "expected a LiME range header of version 1 with a sane range", at);
      warnings.push(
        `no LiME range header at byte ${at.toLocaleString("en")}; the ${(source.size - at).toLocaleString("en")} bytes after it are left aside`,
      );
      break;
    }
    builder.add(range.start, range.end, at + RANGE_HEADER);
    if (facts.length < 64)
      facts.push(["range", `0x${range.start.toString(16)} … 0x${(range.end - 1).toString(16)} at byte ${at + RANGE_HEADER}`]);
    at += RANGE_HEADER + (range.end - range.start);
  }
  if (at > source.size) warnings.push(`the file ends ${(at - source.size).toLocaleString("en")} bytes before the end of its last range`);
  const map = builder.build();
  const cut = warnings.length > 0;
  const maxPfn = maxPfnOf(map, HEADERLESS.pageSize);
  return {
    ...HEADERLESS,
    format: "LiME",
    files: [source.name],
    maxPfn,
    readPage: (pfn, target) => (cut && pfn >= maxPfn ? BEYOND_CUT : readRangePage(source, map, pfn * HEADERLESS.pageSize, target)),
    ranges: memoryRanges(map),
    incomplete: cut,
    warnings,
    facts,
    close: () => source.close(),
  };
}
