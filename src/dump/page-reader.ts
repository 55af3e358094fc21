/**
 * Pages out of a list of physical ranges that lie uncompressed in a file: ELF PT_LOADs, LiME, raw images.
 *
 *   page          |<------------ pageSize ------------>|
 *   ranges    ====data====|   hole    |====data=========     holes within a page read as zero
 *
 * A range without a place (negative) is RAM whose contents were left out.
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError } from "../bytes/errors.ts";
import type { IntervalMap } from "../bytes/interval-map.ts";
import type { MemoryRange, PageFault } from "./dump.ts";

/** Highest physical address (2^52) that any of our machines has; larger claims are not RAM. */
export const PHYSICAL_LIMIT = 2 ** 52;

const ABSENT: PageFault = { reason: "absent" };
const LEFT_OUT: PageFault = { reason: "excluded", detail: "the file has no bytes for it: left out, or all zero" };

/** Reads the page that starts at byte `start` of physical memory into `target`; undefined on success. */
export function readRangePage(source: ByteSource, ranges: IntervalMap, start: number, target: Uint8Array): PageFault | undefined {
  const end = start + target.length;
  let filled = 0;
  let present = false;
  let fault: PageFault = ABSENT;
  for (let index = ranges.seek(start); index < ranges.count; index++) {
    const from = Math.max(start, ranges.starts[index] as number);
    const to = Math.min(end, ranges.ends[index] as number);
    if (from >= end) break;
    const place = ranges.places[index] as number;
    if (place < 0) {
      fault = LEFT_OUT;
      continue;
    }
    const piece = target.subarray(from - start, to - start);
    const broken = readPiece(source, piece, place + (from - (ranges.starts[index] as number)));
    if (broken !== undefined) return broken;
    if (from - start > filled) target.fill(0, filled, from - start);
    filled = to - start;
    present = true;
  }
  if (!present) return fault;
  if (filled < target.length) target.fill(0, filled);
  return undefined;
}

/** Fills `piece` from the file, or says why not: the file ends before, or the disk refuses. */
export function readPiece(source: ByteSource, piece: Uint8Array, offset: number): PageFault | undefined {
  try {
    const count = source.readInto(piece, offset);
    return count === piece.length ? undefined : { reason: "truncated" };
  } catch (error) {
    if (error instanceof FormatError) return { reason: "corrupt", detail: error.message };
    throw error;
  }
}

/** The ranges as the dump interface gives them, neighbours joined. */
export function memoryRanges(map: IntervalMap): MemoryRange[] {
  const ranges: MemoryRange[] = [];
  for (let index = 0; index < map.count; ) {
    const start = map.starts[index] as number;
    let end = map.ends[index++] as number;
    while (index < map.count && map.starts[index] === end) end = map.ends[index++] as number;
    ranges.push({ start: BigInt(start), end: BigInt(end) });
  }
  return ranges;
}

/** One above the highest page that the ranges touch. */
export function maxPfnOf(map: IntervalMap, pageSize: number): number {
  return map.count === 0 ? 0 : Math.ceil((map.ends[map.count - 1] as number) / pageSize);
}
