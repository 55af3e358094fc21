/**
 * Snappy's framing format (google/snappy, framing_format.txt): a stream of chunks, each of which holds at most 64 KiB of data.
 *
 *   | type u8 | length u24 | body |
 *   ff  stream identifier, body "sNaPpY"             00  masked CRC-32C u32, compressed block
 *   01  masked CRC-32C u32, plain bytes              fe  padding, skipped         others: reserved
 *
 * Reserved chunks from 80 on should be skipped as well; no writer has any, and one flipped bit would turn data into such a chunk and
 * move all that follows, so they are errors here.
 *
 * The reader finds the chunk that holds an offset of the uncompressed data without decoding those before it: each step reads a
 * chunk's header only. Every 64th chunk is remembered, so memory grows by 16 bytes per 4 MiB of data. Writers fill their chunks, so a
 * shorter one with more after it may be a damaged length; it is decoded before anything behind it is believed to be in its place.
 */
import type { ByteSource } from "./byte-source.ts";
import { crc32c } from "./crc32c.ts";
import { snappyInto } from "./snappy.ts";

/** Most bytes that one chunk may hold uncompressed. */
export const MAX_FRAME = 65536;

const PADDING = 0xfe;
const IDENTIFIER = 0xff;
const HEADER = 4;
const CHECKSUM = 4;
/** A compressed body begins by the uncompressed length, at most five bytes of varint. */
const PEEK = HEADER + CHECKSUM + 5;
const REMEMBER_EVERY = 64;
/** Skippable and identifier chunks in a row that are put up with. */
const MAX_EMPTY = 1024;

/** A data chunk: where its header is in the file, and which part of the uncompressed data it holds. */
export interface Frame {
  /** How many data chunks come before it. */
  readonly ordinal: number;
  readonly at: number;
  readonly next: number;
  readonly compressed: boolean;
  readonly start: number;
  readonly end: number;
}

/** Chunks of one stream in a file. */
export class SnappyFrames {
  readonly #source: ByteSource;
  readonly #limit: number;
  readonly #header = new Uint8Array(PEEK);
  /** Made when a short chunk has to be decoded on the way. */
  #scratch: Uint8Array | undefined;
  /** File offset and uncompressed offset of every 64th data chunk, as far as the stream has been walked. */
  readonly #places: number[];
  readonly #starts: number[] = [0];
  /** The last chunk that was found or passed: reading on is the common case. */
  #last: Frame | undefined;

  /** @param at file offset of the stream; @param limit uncompressed bytes that the stream holds: chunks beyond are not its own */
  constructor(source: ByteSource, at: number, limit: number) {
    this.#source = source;
    this.#limit = limit;
    this.#places = [at];
  }

  /** The chunk that holds byte `offset` of the uncompressed data; a string says what is wrong with the stream before it, "" that it ends. */
  find(offset: number): Frame | string {
    const last = this.#last;
    if (last !== undefined && offset >= last.start && offset < last.end) return last;
    const known = this.#search(offset);
    let ordinal = known * REMEMBER_EVERY;
    let at = this.#places[known] as number;
    let start = this.#starts[known] as number;
    if (last !== undefined && last.end <= offset && last.ordinal >= ordinal) {
      ordinal = last.ordinal + 1;
      at = last.next;
      start = last.end;
    }
    for (;;) {
      if (ordinal === this.#starts.length * REMEMBER_EVERY) {
        // The list that is searched grows last.
        this.#places[this.#starts.length] = at;
        this.#starts.push(start);
      }
      const frame = this.#frameAt(at, start, ordinal);
      if (typeof frame === "string") return frame;
      if (offset < frame.end) {
        this.#last = frame;
        return frame;
      }
      if (frame.end - frame.start < MAX_FRAME) {
        this.#scratch ??= new Uint8Array(MAX_FRAME);
        const broken = this.decode(frame, this.#scratch.subarray(0, frame.end - frame.start));
        if (broken !== undefined) return broken;
      }
      this.#last = frame;
      at = frame.next;
      start = frame.end;
      ordinal++;
    }
  }

  /** Decodes a chunk into `target`, which is `end - start` bytes long. Returns undefined, "" when the file is too short, or what is wrong. */
  decode(frame: Frame, target: Uint8Array): string | undefined {
    const body = new Uint8Array(frame.next - frame.at - HEADER);
    if (this.#source.readInto(body, frame.at + HEADER) < body.length) return "";
    const stored = new DataView(body.buffer).getUint32(0, true);
    const data = body.subarray(CHECKSUM);
    if (frame.compressed) {
      const broken = snappyInto(data, target);
      if (broken !== undefined) return broken;
    } else {
      target.set(data);
    }
    const sum = crc32c(target);
    const masked = (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
    return masked === stored ? undefined : "snappy: the checksum does not match";
  }

  /** The last remembered chunk that starts at or before `offset`. */
  #search(offset: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The next data chunk at or after file offset `at`; "" when the file ends before it. */
  #frameAt(at: number, start: number, ordinal: number): Frame | string {
    const header = this.#header;
    let place = at;
    for (let empty = 0; empty < MAX_EMPTY; empty++) {
      const count = this.#source.readInto(header, place);
      if (count < HEADER) return "";
      const type = header[0] as number;
      const length = (header[1] as number) | ((header[2] as number) << 8) | ((header[3] as number) << 16);
      if (type === PADDING || (type === IDENTIFIER && length === 6)) {
        place += HEADER + length;
        continue;
      }
      if (type > 1) return `snappy: reserved chunk type ${type} at byte ${place}`;
      if (count < HEADER + CHECKSUM) return "";
      const size = type === 1 ? length - CHECKSUM : varint(header, HEADER + CHECKSUM, count);
      if (size <= 0 || size > MAX_FRAME || length <= CHECKSUM || length > MAX_FRAME * 2 || start + size > this.#limit) {
        return `snappy: a chunk of ${length} bytes at byte ${place} claims to hold ${size}`;
      }
      return { ordinal, at: place, next: place + HEADER + length, compressed: type === 0, start, end: start + size };
    }
    return `snappy: no data chunk in the ${MAX_EMPTY} after byte ${at}`;
  }
}

function varint(bytes: Uint8Array, from: number, end: number): number {
  let value = 0;
  let scale = 1;
  for (let i = from; i < end; i++) {
    const byte = bytes[i] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  return -1;
}
