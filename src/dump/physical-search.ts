/**
 * A search through much physical memory, on this thread and, for large dumps, others: each opens the dump for itself.
 *
 *   ranges ─► chunks of 4 MiB ─┬─ this thread claims the next, scans it
 *                              └─ helpers claim the next, write hits to shared memory        claimed by a shared counter
 *
 * Hits come in the order of the chunks, while the rest is still searched. Helpers stay a bounded way ahead of what was handed out: one
 * whose user went away ends by itself. A helper that fails leaves its chunks to this thread.
 */
import { blockScanner, type SearchPattern } from "../bytes/search-pattern.ts";
import { type Helper, parallelism, startHelper } from "../bytes/worker-pool.ts";
import type { Dump } from "./dump.ts";
import { PhysicalScan, type UnreadPages } from "./physical-scan.ts";

const CHUNK = 4 << 20;
/** Smaller searches end before another thread has opened the dump. */
const PARALLEL_BYTES = 192 << 20;
/** Chunks that helpers may be ahead of the one that is handed out. */
const AHEAD = 64;
/** Hits that one helper can hand over: 8 MiB. */
const CAPACITY = 1 << 20;
/** How long a thread waits for another one before it looks around. */
const WAIT_MS = 50;
/** Waits without any progress after which the other side is given up: a pager may sit for long, a dead helper for ever. */
const MAX_WAITS = 600;

/** A range of physical memory; shown addresses lie `base` above. */
export interface PhysicalRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** What a helper is told. */
export interface SearchJob {
  readonly kind: "search";
  readonly files: readonly string[];
  readonly pattern: SearchPattern;
  readonly chunks: Float64Array;
  readonly shared: SharedArrayBuffer;
  readonly number: number;
  readonly helpers: number;
}

/** Words at the head of the shared memory, then per chunk its owner and state, then per helper and chunk its share of hits. */
const NEXT = 0;
const GIVEN = 1;
const STOP = 2;
const HEAD = 4;
/** States of a chunk: nobody is done with it, a helper had no room for its hits, helper n is done with it (HELPER + n). */
const FREE = 0;
const LEFT = 1;
const HELPER = 2;

/** The shared memory by parts. */
class Board {
  readonly words: Int32Array;
  readonly counts: Int32Array;
  readonly unread: Int32Array;
  readonly #hits: Float64Array[];

  constructor(shared: SharedArrayBuffer, chunks: number, helpers: number) {
    this.words = new Int32Array(shared, 0, HEAD + chunks);
    this.counts = new Int32Array(shared, (HEAD + chunks) * 4, chunks * 2);
    this.unread = new Int32Array(shared, (HEAD + chunks * 3) * 4, helpers * REASONS.length);
    const first = Math.ceil(((HEAD + chunks * 3 + helpers * REASONS.length) * 4) / 8) * 8;
    this.#hits = Array.from({ length: helpers }, (_, i) => new Float64Array(shared, first + i * CAPACITY * 8, CAPACITY));
  }

  static size(chunks: number, helpers: number): number {
    return Math.ceil(((HEAD + chunks * 3 + helpers * REASONS.length) * 4) / 8) * 8 + helpers * CAPACITY * 8;
  }

  hitsOf(helper: number): Float64Array {
    return this.#hits[helper] as Float64Array;
  }

  /** The next chunk that nobody has. */
  claim(): number {
    return Atomics.add(this.words, NEXT, 1);
  }
}

const REASONS = ["excluded", "truncated", "unmapped", "absent", "corrupt"] as const;

/** Hits as physical addresses, with the number of the range they lie in. */
export interface PhysicalHit {
  readonly range: number;
  readonly address: number;
}

export interface PhysicalSearchOptions {
  /** Names that the dump can be opened with again; absent: no other threads. */
  readonly files?: readonly string[];
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /** Other threads to start; else as many as the machine has idle cores, and none for a small search. */
  readonly threads?: number;
}

/** Searches the ranges in their order. `unread` is filled on the way. */
export function* physicalSearch(
  dump: Dump,
  ranges: readonly PhysicalRange[],
  pattern: SearchPattern,
  unread: UnreadPages,
  { files, progress, threads }: PhysicalSearchOptions = {},
): Generator<PhysicalHit, void, undefined> {
  const { table, rangeOf } = chunksOf(ranges);
  const count = table.length / 2;
  const total = ranges.reduce((sum, { start, end }) => sum + (end - start), 0);
  const worthwhile = total < PARALLEL_BYTES ? 0 : parallelism() - 1;
  const helpers = files === undefined || dump.live ? 0 : Math.max(0, Math.min(threads ?? worthwhile, count - 1));
  const board = new Board(new SharedArrayBuffer(Board.size(count, helpers)), count, helpers);
  const shared = board.words.buffer as SharedArrayBuffer;
  const started: Helper[] = [];
  for (let number = 0; number < helpers && files !== undefined; number++) {
    const helper = startHelper({ kind: "search", files, pattern, chunks: table, shared, number, helpers } satisfies SearchJob);
    if (helper !== undefined) started.push(helper);
  }
  const scan = new PhysicalScan(dump, blockScanner(pattern));
  const own = new Map<number, number[]>();
  const scanned = (chunk: number): number[] => {
    const hits: number[] = [];
    scan.scan(table[chunk * 2] as number, table[chunk * 2 + 1] as number, hits, unread);
    return hits;
  };
  let done = 0;
  let next = started.length === 0 ? count : 0;
  try {
    for (let chunk = 0; chunk < count; chunk++) {
      let hits: ArrayLike<number> | undefined;
      if (started.length === 0) hits = scanned(chunk);
      // Claims until this very chunk is done by one or the other.
      while (hits === undefined) {
        hits = own.get(chunk) ?? taken(board, chunk);
        if (hits !== undefined) break;
        next = own.size < AHEAD ? board.claim() : count;
        if (next < count) own.set(next, scanned(next));
        else hits = waitFor(board, chunk, progress === undefined ? undefined : () => progress(done, total)) ?? scanned(chunk);
      }
      own.delete(chunk);
      Atomics.store(board.words, GIVEN, chunk);
      Atomics.notify(board.words, GIVEN);
      const range = rangeOf[chunk] as number;
      for (let i = 0; i < hits.length; i++) yield { range, address: hits[i] as number };
      done += (table[chunk * 2 + 1] as number) - (table[chunk * 2] as number);
      progress?.(done, total);
    }
  } finally {
    Atomics.store(board.words, STOP, 1);
    Atomics.notify(board.words, GIVEN);
    for (const helper of started) helper.end();
  }
  for (let i = 0; i < helpers; i++) {
    for (const [j, reason] of REASONS.entries()) {
      const pages = board.unread[i * REASONS.length + j] as number;
      if (pages > 0) unread.set(reason, (unread.get(reason) ?? 0) + pages);
    }
  }
}

/** A helper's hits of a chunk; undefined while it is not done. A chunk that was left for want of room is not done by anybody. */
function taken(board: Board, chunk: number): ArrayLike<number> | undefined {
  const state = Atomics.load(board.words, HEAD + chunk);
  if (state < HELPER) return undefined;
  const first = board.counts[chunk * 2] as number;
  return board.hitsOf(state - HELPER).subarray(first, first + (board.counts[chunk * 2 + 1] as number));
}

/** Waits for the helper that has the chunk; undefined when it left the chunk, or seems dead. */
function waitFor(board: Board, chunk: number, look: (() => void) | undefined): ArrayLike<number> | undefined {
  for (let waits = 0; waits < MAX_WAITS; waits++) {
    const state = Atomics.load(board.words, HEAD + chunk);
    if (state === LEFT) return undefined;
    if (state !== FREE) return taken(board, chunk);
    Atomics.wait(board.words, HEAD + chunk, FREE, WAIT_MS);
    look?.();
  }
  return undefined;
}

/** What a helper does. */
export function runSearchJob(dump: Dump, { pattern, chunks, shared, number, helpers }: SearchJob): void {
  const count = chunks.length / 2;
  const board = new Board(shared, count, helpers);
  const target = board.hitsOf(number);
  const scan = new PhysicalScan(dump, blockScanner(pattern));
  const unread: UnreadPages = new Map();
  let used = 0;
  for (;;) {
    if (!mayGoOn(board)) return;
    const chunk = board.claim();
    if (chunk >= count) return;
    const hits: number[] = [];
    scan.scan(chunks[chunk * 2] as number, chunks[chunk * 2 + 1] as number, hits, unread);
    const fits = used + hits.length <= CAPACITY;
    if (fits) {
      target.set(hits, used);
      board.counts[chunk * 2] = used;
      board.counts[chunk * 2 + 1] = hits.length;
      used += hits.length;
      for (const [j, reason] of REASONS.entries()) board.unread[number * REASONS.length + j] = unread.get(reason) ?? 0;
    }
    Atomics.store(board.words, HEAD + chunk, fits ? HELPER + number : LEFT);
    Atomics.notify(board.words, HEAD + chunk);
    if (!fits) return;
  }
}

/** Waits until the helper is not too far ahead; false when the search is over. */
function mayGoOn(board: Board): boolean {
  for (let waits = 0; waits < MAX_WAITS; waits++) {
    if (Atomics.load(board.words, STOP) !== 0) return false;
    const given = Atomics.load(board.words, GIVEN);
    if (Atomics.load(board.words, NEXT) <= given + AHEAD) return true;
    Atomics.wait(board.words, GIVEN, given, WAIT_MS);
  }
  return false;
}

/** Start and end of each chunk, and the range it belongs to. */
function chunksOf(ranges: readonly PhysicalRange[]): { readonly table: Float64Array; readonly rangeOf: readonly number[] } {
  const bounds: number[] = [];
  const rangeOf: number[] = [];
  for (const [number, { start, end }] of ranges.entries()) {
    for (let at = start; at < end; ) {
      const to = Math.min(end, at - (at % CHUNK) + CHUNK);
      bounds.push(at, to);
      rangeOf.push(number);
      at = to;
    }
  }
  return { table: Float64Array.from(bounds), rangeOf };
}
