/**
 * The name column of the kernel's symbol table: names compressed with 256 tokens. Sources: scripts/kallsyms.c and
 * kallsyms_expand_symbol() in kernel/kallsyms.c.
 *
 *   names        │len│tok│tok│…│len│tok│…          len counts tokens; from 6.1 bit 7 set: two bytes, 7 low bits first ("big symbols")
 *   markers      u32 offset into names of every 256th symbol
 *   token_index  u16[256] ──► token_table: NUL-terminated strings
 *
 * The first character of an expanded name is the type letter. Names stay compressed; hashing goes over tokens.
 * (kallsyms_seqs_of_names, 6.2+, sorts symbols by name. It is not used: hashing all names costs less than finding out whether the
 * kernel was sorted with or without its LTO suffixes.)
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { FormatError } from "../bytes/errors.ts";
import { type MemoryReader, readSparse } from "./memory-reader.ts";

/** Marks a symbol whose name could not be read. */
const UNREADABLE = 0xffffffff;
const STEP = 256 * 1024;
/** Length in two bytes, then below 2^14 tokens. */
const MAX_RECORD = 2 + (1 << 14);
/** Longest token string: KSYM_NAME_LEN since 6.1. */
const MAX_TOKEN = 512;
/** The column of a kernel with 250,000 symbols has 3 MB; a marker beyond this is a lie. */
const MAX_COLUMN = 64 * 1024 * 1024;
const MULTIPLIER = 0x01000193;

/** Reads and checks the token tables; 256 strings (latin1: names are ASCII). */
export function readTokens(memory: MemoryReader, tokenTable: VirtualAddress, tokenIndex: VirtualAddress): readonly string[] {
  const indexBytes = memory.bytes(tokenIndex, 512);
  const index = new DataView(indexBytes.buffer, indexBytes.byteOffset, 512);
  const last = index.getUint16(510, true);
  const { bytes } = readSparse(memory, tokenTable, last + MAX_TOKEN);
  const tokens: string[] = [];
  let at = 0;
  for (let i = 0; i < 256; i++) {
    if (index.getUint16(i * 2, true) !== at) {
      throw new FormatError(
        "kallsyms_token_index",
        `token ${i} starts at ${index.getUint16(i * 2, true)} and not where the one before ends`,
        i * 2,
      );
    }
    const end = bytes.indexOf(0, at);
    if (end < 0 || end - at >= MAX_TOKEN) throw new FormatError("kallsyms_token_table", `token ${i} has no end`, at);
    tokens.push(String.fromCharCode(...bytes.subarray(at, end)));
    at = end + 1;
  }
  return tokens;
}

/** The names of all symbols, in table order. */
export class KallsymsNames {
  readonly tokens: readonly string[];
  readonly #bytes: Uint8Array;
  /** Offset of each symbol's first token in #bytes, and its number of tokens. */
  readonly #starts: Uint32Array;
  readonly #lengths: Uint16Array;
  /** Bytes of the whole column, as far as it could be walked. */
  readonly byteLength: number;
  /** Names that cannot be read. */
  readonly missing: number;

  /** @param markers of every 256th symbol, to go on after an unreadable page; without them the names after it are lost */
  constructor(memory: MemoryReader, names: VirtualAddress, count: number, tokens: readonly string[], markers?: Uint32Array) {
    this.tokens = tokens;
    const source = new NameBytes(memory, names, count);
    const starts = new Uint32Array(count).fill(UNREADABLE);
    const lengths = new Uint16Array(count);
    let at = 0;
    let i = 0;
    while (i < count) {
      // Nearly all records lie whole in bytes that are already there: no calls, no objects.
      const bytes = source.bytes;
      const safe = source.contiguous - MAX_RECORD;
      while (i < count && at < safe) {
        let length = bytes[at] as number;
        let start = at + 1;
        if (length >= 0x80) {
          length = (length & 0x7f) | ((bytes[at + 1] as number) << 7);
          start++;
        }
        if (length === 0) break;
        starts[i] = start;
        lengths[i++] = length;
        at = start + length;
      }
      if (i >= count) break;
      const here = source.record(at);
      if (here !== undefined) {
        starts[i] = here.start;
        lengths[i++] = here.length;
        at = here.start + here.length;
        continue;
      }
      const block = nextReadableMarker(markers, i, at, source);
      if (block === undefined) break;
      i = block.index;
      at = block.offset;
    }
    this.#bytes = source.bytes;
    this.#starts = starts;
    this.#lengths = lengths;
    this.byteLength = at;
    this.missing = starts.reduce((count, start) => (start === UNREADABLE ? count + 1 : count), 0);
  }

  /** Type letter; "?" when the name could not be read. */
  type(index: number): string {
    const start = this.#starts[index] as number;
    if (start === UNREADABLE) return "?";
    return (this.tokens[this.#bytes[start] as number] as string).charAt(0);
  }

  /** Name without the type letter; empty when it could not be read. */
  name(index: number): string {
    const start = this.#starts[index] as number;
    if (start === UNREADABLE) return "";
    const end = start + (this.#lengths[index] as number);
    let name = "";
    for (let at = start; at < end; at++) name += this.tokens[this.#bytes[at] as number];
    return name.slice(1);
  }

  /** Hashes of all names; an unreadable or empty one hashes to that of "". */
  hashes(): Uint32Array {
    // The hash is a polynomial, so that of a concatenation follows from those of its tokens.
    const whole = this.tokens.map((token) => hashName(token));
    const tail = this.tokens.map((token) => hashName(token.slice(1)));
    const power = Uint32Array.from(this.tokens, (token) => powerOf(token.length));
    const wholeHash = Uint32Array.from(whole);
    const tailHash = Uint32Array.from(tail);
    const out = new Uint32Array(this.#starts.length);
    for (let i = 0; i < out.length; i++) {
      const start = this.#starts[i] as number;
      if (start === UNREADABLE) continue;
      const end = start + (this.#lengths[i] as number);
      let hash = tailHash[this.#bytes[start] as number] as number;
      for (let at = start + 1; at < end; at++) {
        const token = this.#bytes[at] as number;
        hash = (Math.imul(hash, power[token] as number) + (wholeHash[token] as number)) | 0;
      }
      out[i] = hash;
    }
    return out;
  }

  /** 1 for every first token that a name with this prefix may have. */
  possibleFirstTokens(prefix: string): Uint8Array {
    return Uint8Array.from(this.tokens, (token) => {
      const text = token.slice(1);
      return text.startsWith(prefix) || prefix.startsWith(text) ? 1 : 0;
    });
  }

  /** The first token of a name; -1 when it could not be read. */
  firstToken(index: number): number {
    const start = this.#starts[index] as number;
    return start === UNREADABLE ? -1 : (this.#bytes[start] as number);
  }
}

/** The hash that `KallsymsNames.hashes` gives this name. */
export function hashName(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, MULTIPLIER) + name.charCodeAt(i)) | 0;
  return hash >>> 0;
}

function powerOf(length: number): number {
  let power = 1;
  for (let i = 0; i < length; i++) power = Math.imul(power, MULTIPLIER);
  return power >>> 0;
}

function nextReadableMarker(
  markers: Uint32Array | undefined,
  index: number,
  at: number,
  source: NameBytes,
): { index: number; offset: number } | undefined {
  if (markers === undefined) return undefined;
  for (let block = (index >>> 8) + 1; block < markers.length; block++) {
    const offset = markers[block] as number;
    if (offset > at && source.record(offset) !== undefined) return { index: block * 256, offset };
  }
  return undefined;
}

/** Bytes of the column, read in steps as the walk goes on, since its length is written nowhere. */
class NameBytes {
  bytes: Uint8Array;
  readonly #memory: MemoryReader;
  readonly #start: VirtualAddress;
  #length = 0;
  readonly #holes: (readonly [number, number])[] = [];

  constructor(memory: MemoryReader, start: VirtualAddress, count: number) {
    // Compressed names have 13 bytes on average.
    this.bytes = new Uint8Array(STEP * Math.ceil((count * 16) / STEP + 1));
    this.#memory = memory;
    this.#start = start;
  }

  /** Bytes from the start that are there without a hole. */
  get contiguous(): number {
    return this.#holes[0]?.[0] ?? this.#length;
  }

  /** The record at an offset: where its tokens start and how many there are; undefined in or across an unreadable range. */
  record(at: number): { start: number; length: number } | undefined {
    if (at > MAX_COLUMN) return undefined;
    this.#ensure(at + 2);
    let length = this.bytes[at] as number;
    let start = at + 1;
    if (length >= 0x80) {
      length = (length & 0x7f) | ((this.bytes[at + 1] as number) << 7);
      start = at + 2;
    }
    if (length === 0) return undefined;
    this.#ensure(start + length);
    for (const [from, to] of this.#holes) if (at < to && start + length > from) return undefined;
    return { start, length };
  }

  #ensure(end: number): void {
    while (this.#length < end) {
      if (this.#length + STEP > this.bytes.length) {
        const larger = new Uint8Array(this.bytes.length * 2);
        larger.set(this.bytes);
        this.bytes = larger;
      }
      const piece = readSparse(this.#memory, add(this.#start, this.#length), STEP);
      this.bytes.set(piece.bytes, this.#length);
      for (const [from, to] of piece.holes) this.#holes.push([from + this.#length, to + this.#length]);
      this.#length += STEP;
    }
  }
}
