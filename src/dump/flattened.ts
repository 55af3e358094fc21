/**
 * makedumpfile's flattened stream (`makedumpfile -F`, QEMU's kdump-zlib/-lzo/-snappy): a file written front to back that says where
 * each piece belongs in the real dump. Layout: makedumpfile.h (makedumpfile_header, makedumpfile_data_header); all fields big-endian.
 *
 *   0     "makedumpfile", padded to 16 | type i64 = 1 | version i64 = 1 | zero to 4096
 *   4096  | offset i64 | size i64 | size bytes | offset | size | bytes | … | -1 | -1 |
 *
 * The same offset may be written again (the header is, at the end): the later record counts. Pieces never written are zero.
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { latin1 } from "../bytes/cursor.ts";
import { FormatError } from "../bytes/errors.ts";
import { type IntervalMap, IntervalMapBuilder } from "../bytes/interval-map.ts";

const SIGNATURE = "makedumpfile\0\0\0\0";
const FIRST_RECORD = 4096;
const RECORD_HEADER = 16;
/** Bytes read at each step of the scan: small records are found in one window, large ones cost one read each. */
const WINDOW = 4096;
/** 2^26 records of 16 KiB are 1 TiB; the table of a stream with more would not fit into memory. */
const MAX_RECORDS = 1 << 26;
/** What is never written is small change, so the real file cannot be much larger than the stream. */
const MAX_GAPS = 1 << 30;

/** True when the first bytes are the header of a flattened stream. */
export function probeFlattened(head: Uint8Array): boolean {
  return head.length >= 32 && latin1(head.subarray(0, 16)) === SIGNATURE;
}

/** The real dump file inside a flattened stream. */
export interface FlattenedSource extends ByteSource {
  /** Records in the stream. */
  readonly records: number;
  /** What is wrong with the stream's end, if it does not end as it should. */
  readonly truncated: string | undefined;
}

/** Scans the record headers and gives the file as it would be after `makedumpfile -R`. */
export function openFlattened(source: ByteSource): FlattenedSource {
  const builder = new IntervalMapBuilder();
  const window = new Uint8Array(WINDOW);
  const view = new DataView(window.buffer);
  let windowStart = 0;
  let windowLength = 0;
  let size = 0;
  let at = FIRST_RECORD;
  let records = 0;
  let truncated: string | undefined;
  for (;;) {
    if (at < windowStart || at + RECORD_HEADER > windowStart + windowLength) {
      windowStart = at;
      windowLength = source.readInto(window, at);
      if (windowLength < RECORD_HEADER) {
        truncated = `the flattened stream ends after ${records.toLocaleString("en")} records without its end mark`;
        break;
      }
    }
    const field = at - windowStart;
    const offsetHigh = view.getInt32(field);
    const offset = offsetHigh * 0x1_0000_0000 + view.getUint32(field + 4);
    const lengthHigh = view.getInt32(field + 8);
    const length = lengthHigh * 0x1_0000_0000 + view.getUint32(field + 12);
    if (offset === -1 && length === -1) break;
    if (offset < 0 || length < 0 || offset + length > source.size + MAX_GAPS || records >= MAX_RECORDS) {
      truncated = `the flattened stream is damaged at byte ${at}: record ${records} has offset ${offset} and size ${length}`;
      break;
    }
    const place = at + RECORD_HEADER;
    const there = Math.min(length, source.size - place);
    builder.add(offset, offset + there, place);
    size = Math.max(size, offset + there);
    records++;
    if (there < length) {
      truncated = `the flattened stream ends ${(length - there).toLocaleString("en")} bytes before the end of its record ${records - 1}`;
      break;
    }
    at = place + length;
  }
  if (records === 0) throw new FormatError(source.name, truncated ?? "the flattened stream holds nothing", at);
  return new Rearranged(source, builder.build(), size, records, truncated);
}

class Rearranged implements FlattenedSource {
  readonly name: string;
  readonly size: number;
  readonly records: number;
  readonly truncated: string | undefined;
  readonly #source: ByteSource;
  readonly #map: IntervalMap;

  constructor(source: ByteSource, map: IntervalMap, size: number, records: number, truncated: string | undefined) {
    this.name = source.name;
    this.size = size;
    this.records = records;
    this.truncated = truncated;
    this.#source = source;
    this.#map = map;
  }

  /**
   * Gaps of a whole stream read as zero, as in the sparse file it stands for. In a stream that was cut off a gap is where bytes are
   * missing, so reading stops there and the caller sees a short read.
   */
  readInto(target: Uint8Array, offset: number): number {
    const map = this.#map;
    const end = Math.min(offset + target.length, this.size);
    let at = offset;
    for (let index = map.seek(offset); at < end; index++) {
      const start = index < map.count ? Math.min(end, map.starts[index] as number) : end;
      if (at < start) {
        if (this.truncated !== undefined) break;
        target.fill(0, at - offset, start - offset);
        at = start;
        if (at === end) break;
      }
      const stop = Math.min(end, map.ends[index] as number);
      const place = (map.places[index] as number) + (at - (map.starts[index] as number));
      const count = this.#source.readInto(target.subarray(at - offset, stop - offset), place);
      at += count;
      if (at < stop) break;
    }
    return Math.max(0, at - offset);
  }

  close(): void {
    this.#source.close();
  }
}
