/**
 * Finds the tables of kallsyms in the kernel image when nothing says where they are. Source: scripts/kallsyms.c.
 *
 *   to 6.3:  offsets relative_base num_syms names markers [seqs_of_names] token_table token_index       or: addresses num_syms …
 *   6.4 on:                        num_syms names markers token_table token_index offsets [relative_base] seqs_of_names
 *
 * 1. Every digit occurs in symbol names, and a byte that occurs stands for itself among the tokens: so the token table always holds
 *    "0\0" "1\0" … "9\0" in a row. token_index follows the table and proves it: 256 offsets that must be those of the strings.
 * 2. Before it lie the markers: from 0, ascending by the length of 256 compressed names each.
 * 3. Before these the names; num_syms stands in front of them, and walking them must hit every marker.
 * 4. The addresses are before num_syms or after token_index: where they ascend.
 */
import { add, alignDown, alignUp, distance, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { KallsymsLocation } from "./kallsyms.ts";
import { type AddressEncoding, decodeOffsets } from "./kallsyms-addresses.ts";
import { readTokens } from "./kallsyms-names.ts";
import { type MemoryReader, readSparse } from "./memory-reader.ts";

/** A piece of the image; `bytes` may be reused for the next piece. */
export interface ScanChunk {
  readonly address: VirtualAddress;
  readonly bytes: Uint8Array;
}

/** "0\0" … "8\0" "9": the tokens of the digits. */
const DIGITS = Uint8Array.from({ length: 19 }, (_, i) => (i % 2 === 0 ? 0x30 + i / 2 : 0));
const FIRST_DIGIT = 0x30;
const INDEX_SIZE = 512;
/** Token strings from the digits on: u16 offsets bound the table. */
const MAX_TOKENS = 65536;
/** Bytes before the token table to search: names, markers and seqs_of_names of 200,000 symbols, or of a million. */
const WINDOWS = [4 << 20, 16 << 20];
/** Fewer markers than this (4,096 symbols) are not told from chance. */
const MIN_MARKERS = 16;
/** Compressed length of 256 names: from two bytes each to the longest. */
const MIN_BLOCK = 256 * 2;
const MAX_BLOCK = 256 * 128;

/** Finds the tables; undefined when the image does not hold them completely. */
export function scanForKallsyms(memory: MemoryReader, image: Iterable<ScanChunk>): KallsymsLocation | undefined {
  for (const place of digitPlaces(image)) {
    const tokens = tokensAround(memory, place);
    if (tokens === undefined) continue;
    const names = namesBefore(memory, tokens.table);
    if (names === undefined) continue;
    const addresses = addressesAround(memory, names, add(tokens.index, INDEX_SIZE));
    if (addresses === undefined) continue;
    return {
      numSyms: names.numSyms,
      names: names.names,
      tokenTable: tokens.table,
      tokenIndex: tokens.index,
      // Markers were u64 before 4.20 (80ffbaa5b1bd): not worth a second reader, they only help past unreadable pages.
      markers: names.markerSize === 4 ? names.markers : undefined,
      ...addresses,
    };
  }
  return undefined;
}

/** Addresses of the digits' tokens (and of whatever else looks so). */
function* digitPlaces(image: Iterable<ScanChunk>): Iterable<VirtualAddress> {
  // Horspool: a byte that is in the pattern moves on to its last place there, any other by the whole length.
  const length = DIGITS.length;
  const skip = new Uint8Array(256).fill(length);
  for (let i = 0; i < length - 1; i++) skip[DIGITS[i] as number] = length - 1 - i;
  const seam = new Uint8Array(2 * (length - 1));
  let seamEnd: bigint | undefined;
  for (const { address, bytes } of image) {
    if (seamEnd === address) {
      seam.set(bytes.subarray(0, length - 1), length - 1);
      for (const at of search(seam, skip)) yield add(address, at - (length - 1));
    }
    for (const at of search(bytes, skip)) yield add(address, at);
    seamEnd = undefined;
    if (bytes.length >= length - 1) {
      seam.fill(0);
      seam.set(bytes.subarray(bytes.length - (length - 1)));
      seamEnd = add(address, bytes.length);
    }
  }
}

function* search(bytes: Uint8Array, skip: Uint8Array): Iterable<number> {
  const last = DIGITS.length - 1;
  const final = DIGITS[last] as number;
  let at = last;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    if (byte === final) {
      let i = 0;
      while (i < last && bytes[at - last + i] === DIGITS[i]) i++;
      if (i === last) yield at - last;
    }
    at += skip[byte] as number;
  }
}

/** Walks the tokens after the digits to the index and takes the start of the table from it. */
function tokensAround(memory: MemoryReader, digits: VirtualAddress): { table: VirtualAddress; index: VirtualAddress } | undefined {
  const { bytes } = readSparse(memory, digits, MAX_TOKENS);
  let end = 0;
  for (let token = FIRST_DIGIT; token < 256; token++) {
    const stop = bytes.indexOf(0, end);
    if (stop < 0) return undefined;
    end = stop + 1;
  }
  for (const alignment of [8n, 4n, 2n]) {
    const index = alignUp(add(digits, end), alignment);
    try {
      const table = add(digits, -memory.u16(add(index, FIRST_DIGIT * 2)));
      readTokens(memory, table, index);
      return { table, index };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
  return undefined;
}

interface NamesPlace {
  readonly numSyms: VirtualAddress;
  readonly count: number;
  readonly names: VirtualAddress;
  readonly markers: VirtualAddress;
  readonly markerSize: 4 | 8;
}

/** Looks for names before the token table, in a larger window if need be. */
function namesBefore(memory: MemoryReader, table: VirtualAddress): NamesPlace | undefined {
  for (const window of WINDOWS) {
    const found = namesWithin(memory, alignDown(table, 4n), window);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Looks for markers, nearest first, and for the names before them. */
function namesWithin(memory: MemoryReader, end: VirtualAddress, window: number): NamesPlace | undefined {
  const start = add(end, -window);
  const { bytes } = readSparse(memory, start, window);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  for (let at = words.length - MIN_MARKERS; at >= 0; at--) {
    if (words[at] !== 0) continue;
    for (const size of [4, 8] as const) {
      const run = markerRun(words, at, size / 4);
      if (run < MIN_MARKERS) continue;
      const found = namesForMarkers(bytes, words, at, run, size / 4);
      if (found === undefined) continue;
      return {
        numSyms: add(start, found.numSyms),
        count: found.count,
        names: add(start, found.names),
        markers: add(start, at * 4),
        markerSize: size,
      };
    }
  }
  return undefined;
}

/** Number of plausible markers from `at` on. */
function markerRun(words: Uint32Array, at: number, stride: number): number {
  let run = 1;
  let last = 0;
  for (let i = at + stride; i < words.length; i += stride) {
    const step = (words[i] as number) - last;
    if (step < MIN_BLOCK || step > MAX_BLOCK || (stride === 2 && words[i + 1] !== 0)) break;
    last = words[i] as number;
    run++;
  }
  return run;
}

/** Finds where names start whose walk hits all these markers; offsets into the window. */
function namesForMarkers(
  bytes: Uint8Array,
  words: Uint32Array,
  at: number,
  run: number,
  stride: number,
): { numSyms: number; names: number; count: number } | undefined {
  // What follows the markers may look like one more of them.
  for (let markers = run; markers >= Math.max(MIN_MARKERS, run - 1); markers--) {
    const last = words[at + (markers - 1) * stride] as number;
    const latest = at - (last >> 2);
    for (let names = latest; names > latest - (MAX_BLOCK >> 2) && names >= 2; names--) {
      for (const gap of [1, 2]) {
        const count = words[names - gap] as number;
        if ((count + 255) >>> 8 !== markers) continue;
        if (gap === 2 && words[names - 1] !== 0) continue;
        if (walkHits(bytes, names * 4, at * 4, count, (block) => words[at + block * stride] as number)) {
          return { numSyms: (names - gap) * 4, names: names * 4, count };
        }
      }
    }
  }
  return undefined;
}

/** Walks `count` names and compares with the markers; they must end just before `end`. */
function walkHits(bytes: Uint8Array, start: number, end: number, count: number, marker: (block: number) => number): boolean {
  let at = start;
  for (let i = 0; i < count; i++) {
    if ((i & 255) === 0 && at - start !== marker(i >>> 8)) return false;
    let length = bytes[at] as number;
    if (length >= 0x80) length = ((length & 0x7f) | ((bytes[at + 1] as number) << 7)) + 1;
    at += length + 1;
    if (length === 0 || at > end) return false;
  }
  return end - at < 8;
}

type AddressPlaces = Pick<KallsymsLocation, "offsets" | "relativeBase" | "addresses">;

/** Tries the places of the address column in both orders. */
function addressesAround(memory: MemoryReader, names: NamesPlace, afterTokens: VirtualAddress): AddressPlaces | undefined {
  const { count, numSyms } = names;
  const before = add(numSyms, -8);
  // token_index has a multiple of any alignment, so what follows it follows at once.
  const offsets = afterTokens;
  const candidates: AddressPlaces[] = [
    { offsets, relativeBase: alignUp(add(offsets, count * 4), 8n) },
    { offsets },
    { offsets: add(before, -alignUp(BigInt(count * 4), 8n)), relativeBase: before },
    { addresses: add(numSyms, -count * 8) },
  ];
  return candidates.find((candidate) => ascends(memory, count, candidate, names.names));
}

/** True when the column ascends in some encoding and most of it lies near the table itself. */
function ascends(memory: MemoryReader, count: number, places: AddressPlaces, near: VirtualAddress): boolean {
  const place = places.offsets ?? places.addresses;
  if (place === undefined) return false;
  const size = places.offsets === undefined ? 8 : 4;
  // A sample is enough to tell; Kallsyms.open checks the whole.
  const sample = Math.min(count, 4096);
  let raw: Uint8Array;
  let base = 0n;
  try {
    raw = memory.bytes(add(place, ((count - sample) >>> 1) * size), sample * size);
    if (places.relativeBase !== undefined) base = memory.u64(places.relativeBase);
  } catch (error) {
    if (error instanceof InquestError) return false;
    throw error;
  }
  const here = add(place, ((count - sample) >>> 1) * size);
  const encodings: AddressEncoding[] =
    places.addresses !== undefined
      ? ["absolute"]
      : places.relativeBase === undefined
        ? ["place-relative"]
        : ["base-relative", "percpu-absolute"];
  return encodings.some((encoding) => {
    const addresses = decodeOffsets(encoding, raw, sample, here, base);
    let bad = 0;
    for (let i = 0; i < sample; i++) {
      const address = addresses[i] as bigint;
      const far = Math.abs(distance(address, near)) > 2 ** 31;
      if (far || (i > 0 && address < (addresses[i - 1] as bigint))) bad++;
    }
    return bad * 64 < sample;
  });
}
