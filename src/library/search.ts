/**
 * Search through memory for a word, bytes or text.
 *
 *   space "memory"    all memory of the dump, by the addresses of the linear mapping (or physical ones)      the default
 *   from … to         a range of kernel addresses, page by page
 *
 *   page │ page │ (left out) │ page       what cannot be read is counted by its reason and ends no search;
 *      └─hit┘                             bytes and text are also found across the border of two pages that follow each other
 */
import { add, physical, virtual } from "../bytes/address.ts";
import { FaultError, type FaultReason, UsageError } from "../bytes/errors.ts";
import { physicalSpace } from "../commands/support/spaces.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import type { ScriptMemory } from "./memory.ts";

/** Where and how `search` looks. */
export interface SearchOptions {
  /** First address of a range of kernel addresses; with `to`. All memory when left out. */
  readonly from?: bigint;
  /** End of the range, exclusive. */
  readonly to?: bigint;
  /** Hits are physical addresses; `from` and `to` too. */
  readonly physical?: boolean;
  /** Size in bytes of a number that is searched: 8 unless told. */
  readonly size?: 1 | 2 | 4 | 8;
  /** Bits of a number that may differ, set to 1: crash's `search -m`. */
  readonly ignore?: bigint;
  /** Hits lie at multiples of this: the size for numbers, 1 for bytes and text. A power of two. */
  readonly align?: number;
  /** Hits after which the search ends; no bound when left out. */
  readonly limit?: number;
}

/** Where it was found. */
export interface SearchHit {
  readonly address: bigint;
  /** The symbol that the address lies in, as "name+offset"; undefined outside symbols and for physical addresses. */
  readonly symbol: string | undefined;
}

/** Larger ranges of addresses are mostly holes, and each page of a hole costs a walk. */
const MAX_RANGE = 1n << 36n;
const PAGE = 4096;

/** The hits, found while they are walked; what was not searched is known afterwards. */
export class Search implements Iterable<SearchHit> {
  readonly #engine: Engine;
  readonly #pattern: Pattern;
  readonly #options: SearchOptions;
  readonly #unread = new Map<FaultReason, number>();

  /** Scripts get it from `kernel.search()`. */
  constructor(engine: Engine, pattern: bigint | number | string | Uint8Array, options: SearchOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#pattern = patternOf(pattern, options);
    const { from, to } = options;
    if ((from === undefined) !== (to === undefined)) throw new UsageError("search: a range wants both from and to");
    if (from !== undefined && to !== undefined && (to <= from || to - from > MAX_RANGE))
      throw new UsageError(`search: the range ${from.toString(16)} to ${to.toString(16)} is empty, or larger than 64 GiB`);
  }

  /** Pages of 4 KiB that the last walk could not read, by reason ("excluded": left out of the dump). Empty when all was searched. */
  get unread(): ReadonlyMap<FaultReason, number> {
    return this.#unread;
  }

  /** The hits, in the order of their addresses; a new walk each time. */
  *[Symbol.iterator](): Generator<SearchHit, void, undefined> {
    this.#unread.clear();
    let left = this.#options.limit ?? Number.POSITIVE_INFINITY;
    for (const { memory, start, end, shown } of this.#ranges()) {
      for (const address of this.#hits(memory, start, end)) {
        if (left-- <= 0) return;
        const at = shown(address);
        yield { address: at, symbol: this.#options.physical === true ? undefined : this.#engine.symbolize(virtual(at)) };
      }
    }
  }

  *#ranges(): Iterable<Range> {
    const { from, to, physical: raw } = this.#options;
    const same = (address: bigint) => address;
    const whole = physicalSpace(this.#engine);
    if (from !== undefined && to !== undefined) {
      yield { memory: raw === true ? whole : this.#engine.memory, start: from, end: to, shown: same };
      return;
    }
    const linear = (address: bigint) => this.#engine.arch.toLinear(physical(address)) ?? address;
    for (const { start, end } of this.#engine.dump.ranges) yield { memory: whole, start, end, shown: raw === true ? same : linear };
  }

  /** Addresses in one range, page by page; the end of the page before is kept, as a hit may begin in it. */
  *#hits(memory: ScriptMemory, start: bigint, end: bigint): Iterable<bigint> {
    const { length, find } = this.#pattern;
    let kept: Uint8Array = new Uint8Array(0);
    for (let at = start; at < end; ) {
      const count = Math.min(PAGE - Number(at & BigInt(PAGE - 1)), Number(end - at));
      const page = this.#read(memory, at, count);
      if (page === undefined) {
        kept = new Uint8Array(0);
      } else {
        const text = kept.length === 0 ? page : joined(kept, page);
        const base = at - BigInt(kept.length);
        for (const offset of find(text, base)) yield base + BigInt(offset);
        kept = text.slice(Math.max(0, text.length - (length - 1)));
      }
      at += BigInt(count);
    }
  }

  #read(memory: ScriptMemory, at: bigint, count: number): Uint8Array | undefined {
    try {
      return memory.bytes(add(virtual(at), 0), count);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      this.#unread.set(error.reason, (this.#unread.get(error.reason) ?? 0) + 1);
      return undefined;
    }
  }
}

interface Range {
  readonly memory: ScriptMemory;
  readonly start: bigint;
  readonly end: bigint;
  readonly shown: (address: bigint) => bigint;
}

interface Pattern {
  /** Bytes. */
  readonly length: number;
  /** Offsets of the hits in a text that begins at this address. */
  readonly find: (text: Uint8Array, base: bigint) => Iterable<number>;
}

function patternOf(pattern: bigint | number | string | Uint8Array, { size = 8, ignore = 0n, align }: SearchOptions): Pattern {
  const number = typeof pattern === "bigint" || typeof pattern === "number";
  const step = align ?? (number ? size : 1);
  if (step < 1 || step > PAGE || (step & (step - 1)) !== 0)
    throw new UsageError(`search: ${step} is no alignment: a power of two up to 4096`);
  const bytes = number ? littleEndian(BigInt(pattern), size) : typeof pattern === "string" ? new TextEncoder().encode(pattern) : pattern;
  if (bytes.length === 0 || bytes.length > PAGE) throw new UsageError(`search: a pattern has 1 to ${PAGE} bytes, not ${bytes.length}`);
  const mask = number ? littleEndian(~ignore, size) : new Uint8Array(bytes.length).fill(0xff);
  return { length: bytes.length, find: (text, base) => occurrences(text, bytes, mask, step, Number(base % BigInt(step))) };
}

/** @param phase the text's first byte modulo the step */
function* occurrences(text: Uint8Array, bytes: Uint8Array, mask: Uint8Array, step: number, phase: number): Iterable<number> {
  const last = text.length - bytes.length;
  const first = bytes[0] as number;
  // The engine looks for one byte many times faster than a loop does.
  const skips = step === 1 && mask[0] === 0xff;
  for (let at = (step - phase) % step; at <= last; at += step) {
    if (skips) {
      at = text.indexOf(first, at);
      if (at < 0 || at > last) return;
    }
    let same = 0;
    while (same < bytes.length && (((text[at + same] as number) ^ (bytes[same] as number)) & (mask[same] as number)) === 0) same++;
    if (same === bytes.length) yield at;
  }
}

function littleEndian(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(i * 8)) & 0xffn));
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
