/**
 * AVML images of version 2 (microsoft/avml, src/image.rs): LiME's header with another magic, then the range as a Snappy frame stream.
 * Version 1 is LiME's own format and is read there.
 *
 *   | 'AVML' u32 = 0x4c4d5641 | version u32 = 2 | start u64 | end u64, inclusive | 0 | Snappy frames | length of the frames u64 |  again …
 *
 * Ranges are at most 16 MiB in newer files, which leave out those that are all zero. The length after the frames lets the list of ranges
 * be read backwards from the end of the file, two small reads each; a file that was cut off is walked forwards, frame by frame.
 */
import { BlockCache } from "../bytes/block-cache.ts";
import type { ByteSource } from "../bytes/byte-source.ts";
import { Cursor } from "../bytes/cursor.ts";
import { FormatError, InquestError } from "../bytes/errors.ts";
import { IntervalMap } from "../bytes/interval-map.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import { MAX_FRAME, SnappyFrames } from "../bytes/snappy-frames.ts";
import type { Dump, HeaderFact, PageFault } from "./dump.ts";
import { AVML_MAGIC, BEYOND_CUT, MAX_LIME_RANGES, RANGE_HEADER, readRangeHeader } from "./lime.ts";
import { maxPfnOf, memoryRanges } from "./page-reader.ts";
import { HEADERLESS } from "./raw.ts";

const VERSION = 2;
const TRAILER = 8;
const PAGE_SIZE = HEADERLESS.pageSize;
/** Decoded frames that are kept. */
const KEPT_FRAMES = 16;
/** Ranges whose frame index is kept. */
const KEPT_RANGES = 64;

/** True when the first bytes are an AVML header. */
export function probeAvml(head: Uint8Array): boolean {
  return head.length >= RANGE_HEADER && new DataView(head.buffer, head.byteOffset).getUint32(0, true) === AVML_MAGIC;
}

/** Ranges in file order; `places` are those of the frame streams. */
interface RangeList {
  readonly starts: number[];
  readonly ends: number[];
  readonly places: number[];
}

/** Opens an AVML image of version 2. */
export function openAvml(source: ByteSource): Dump {
  const warnings: string[] = [];
  let list = listBackwards(source);
  if (list === undefined) {
    list = listForwards(source);
    if (list.starts.length === 0) throw new FormatError(source.name, "expected an AVML header of version 2 with a sane range", 0);
    warnings.push(`the file is cut off or damaged after the range that starts at ${(list.starts.at(-1) as number).toString(16)}`);
  }
  const cut = warnings.length > 0;
  return new Avml(source, sorted(source, list, warnings), cut, warnings);
}

class Avml implements Dump {
  readonly machine = HEADERLESS.machine;
  readonly littleEndian = true;
  readonly pageSize = PAGE_SIZE;
  readonly virtualRanges = HEADERLESS.virtualRanges;
  readonly notes = HEADERLESS.notes;
  readonly vmcoreinfo = undefined;
  readonly utsname = undefined;
  readonly timestamp = undefined;
  readonly dumpLevel = undefined;
  readonly physBase = undefined;
  readonly partial = false;
  readonly eraseInfo = undefined;
  readonly live = false;
  readonly format = "AVML, version 2";
  readonly files: readonly string[];
  readonly maxPfn: number;
  readonly incomplete: boolean;
  readonly warnings: readonly string[];
  readonly #source: ByteSource;
  readonly #map: IntervalMap;
  /** Frame index of the ranges that were read last, oldest first. */
  readonly #indexes = new Map<number, SnappyFrames>();
  /** Decoded frames: physical start and end, and a slab. */
  readonly #frameStarts = new Float64Array(KEPT_FRAMES).fill(-1);
  readonly #frameEnds = new Float64Array(KEPT_FRAMES);
  readonly #slab = new Uint8Array(KEPT_FRAMES * MAX_FRAME);
  #victim = 0;
  readonly #cut: boolean;

  constructor(source: ByteSource, map: IntervalMap, cut: boolean, warnings: readonly string[]) {
    this.#cut = cut;
    this.#source = source;
    this.#map = map;
    this.files = [source.name];
    this.maxPfn = maxPfnOf(map, PAGE_SIZE);
    this.warnings = warnings;
    this.incomplete = warnings.length > 0;
  }

  readPage(pfn: number, target: Uint8Array): PageFault | undefined {
    try {
      return this.#readPage(pfn * PAGE_SIZE, target);
    } catch (error) {
      if (error instanceof InquestError) return { reason: "corrupt", detail: error.message };
      throw error;
    }
  }

  get ranges() {
    return memoryRanges(this.#map);
  }

  get facts(): readonly HeaderFact[] {
    const facts: HeaderFact[] = [
      ["format", this.format],
      ["ranges", String(this.#map.count)],
    ];
    for (const { start, end } of this.ranges.slice(0, 64)) facts.push(["memory", `0x${start.toString(16)} … 0x${(end - 1n).toString(16)}`]);
    return facts;
  }

  close(): void {
    this.#source.close();
  }

  #readPage(start: number, target: Uint8Array): PageFault | undefined {
    const map = this.#map;
    const end = start + PAGE_SIZE;
    let filled = start;
    for (let index = map.seek(start); index < map.count && (map.starts[index] as number) < end; index++) {
      const from = Math.max(start, map.starts[index] as number);
      const to = Math.min(end, map.ends[index] as number);
      target.fill(0, filled - start, from - start);
      for (let at = from; at < to; ) {
        const slot = this.#frame(index, at);
        if (typeof slot !== "number") return slot;
        const stop = Math.min(to, this.#frameEnds[slot] as number);
        const offset = slot * MAX_FRAME + (at - (this.#frameStarts[slot] as number));
        target.set(this.#slab.subarray(offset, offset + (stop - at)), at - start);
        at = stop;
      }
      filled = to;
    }
    if (filled === start && this.#cut && start >= this.maxPfn * PAGE_SIZE) return BEYOND_CUT;
    if (filled === start) return { reason: "absent", detail: "AVML leaves out blocks that are all zero" };
    target.fill(0, filled - start);
    return undefined;
  }

  /** Slot of the decoded frame that holds the byte at `address`, which lies in range `index`. */
  #frame(index: number, address: number): number | PageFault {
    for (let slot = 0; slot < KEPT_FRAMES; slot++) {
      if (
        (this.#frameStarts[slot] as number) >= 0 &&
        address >= (this.#frameStarts[slot] as number) &&
        address < (this.#frameEnds[slot] as number)
      )
        return slot;
    }
    const base = this.#map.starts[index] as number;
    const frames = this.#framesOf(index);
    const frame = frames.find(address - base);
    if (typeof frame === "string") return frame === "" ? { reason: "truncated" } : { reason: "corrupt", detail: frame };
    const slot = this.#victim;
    this.#victim = (slot + 1) % KEPT_FRAMES;
    this.#frameStarts[slot] = -1;
    const broken = frames.decode(frame, this.#slab.subarray(slot * MAX_FRAME, slot * MAX_FRAME + (frame.end - frame.start)));
    if (broken !== undefined) return broken === "" ? { reason: "truncated" } : { reason: "corrupt", detail: broken };
    this.#frameStarts[slot] = base + frame.start;
    this.#frameEnds[slot] = base + frame.end;
    return slot;
  }

  #framesOf(index: number): SnappyFrames {
    const map = this.#map;
    let frames = this.#indexes.get(index);
    if (frames === undefined) {
      frames = new SnappyFrames(this.#source, map.places[index] as number, (map.ends[index] as number) - (map.starts[index] as number));
      this.#indexes.set(index, frames);
      if (this.#indexes.size > KEPT_RANGES) this.#indexes.delete(this.#indexes.keys().next().value as number);
    }
    return frames;
  }
}

/** Follows the lengths from the end of the file to its start; undefined when they do not lead there. */
function listBackwards(source: ByteSource): RangeList | undefined {
  const starts: number[] = [];
  const ends: number[] = [];
  const places: number[] = [];
  let end = source.size;
  while (end > 0) {
    const trailer = readUpTo(source, Math.max(0, end - TRAILER), TRAILER);
    if (trailer.length < TRAILER || starts.length >= MAX_LIME_RANGES) return undefined;
    const at = end - TRAILER - new Cursor(trailer, source.name).u64AsNumber() - RANGE_HEADER;
    if (at < 0) return undefined;
    const range = readRangeHeader(source, at, AVML_MAGIC, VERSION);
    if (range === undefined) return undefined;
    starts.push(range.start);
    ends.push(range.end);
    places.push(at + RANGE_HEADER);
    end = at;
  }
  return { starts: starts.reverse(), ends: ends.reverse(), places: places.reverse() };
}

/** Walks over every frame header from the start; ends where the file does or where a frame is broken. */
function listForwards(file: ByteSource): RangeList {
  // A damaged file may hold millions of tiny frames.
  const source = new BlockCache(file);
  const list: RangeList = { starts: [], ends: [], places: [] };
  let at = 0;
  while (list.starts.length < MAX_LIME_RANGES) {
    const range = readRangeHeader(source, at, AVML_MAGIC, VERSION);
    if (range === undefined) break;
    list.starts.push(range.start);
    list.ends.push(range.end);
    list.places.push(at + RANGE_HEADER);
    const size = range.end - range.start;
    const last = new SnappyFrames(source, at + RANGE_HEADER, size).find(size - 1);
    if (typeof last === "string") break;
    at = last.next + TRAILER;
  }
  return list;
}

/** Ranges by address. One that overlaps an earlier one is left aside: compressed data cannot be cut. */
function sorted(source: ByteSource, list: RangeList, warnings: string[]): IntervalMap {
  const order = list.starts.map((_, index) => index).sort((a, b) => (list.starts[a] as number) - (list.starts[b] as number));
  const starts = new Float64Array(order.length);
  const ends = new Float64Array(order.length);
  const places = new Float64Array(order.length);
  let count = 0;
  for (const index of order) {
    const start = list.starts[index] as number;
    if (count > 0 && start < (ends[count - 1] as number)) {
      if (warnings.length < 8) warnings.push(`${source.name}: the range at ${start.toString(16)} overlaps another and is left aside`);
      continue;
    }
    starts[count] = start;
    ends[count] = list.ends[index] as number;
    places[count++] = list.places[index] as number;
  }
  return new IntervalMap(count, starts, ends, places);
}
