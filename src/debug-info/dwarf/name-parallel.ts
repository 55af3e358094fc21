/**
 * The index built by several threads, or by one in the background. Each thread opens the file for itself and takes the next piece of units
 * that nobody has taken; what it collected is folded into the tables of the first.
 *
 *   pieces   │ 0 │ 1 │ 2 │ 3 │ 4 │ …      taken: by piece, the thread that has it
 *   thread 1   0       2   3 …    ─┐
 *   thread 2       1           4   ─┴─► merged, finished
 */

import { type CacheSettings, cacheSettings } from "../../bytes/cache-directory.ts";
import { InquestError } from "../../bytes/errors.ts";
import { openFile } from "../../bytes/file-source.ts";
import { type Helper, parallelism, startHelper } from "../../bytes/worker-pool.ts";
import { DebugFile } from "../debug-file.ts";
import type { DebugSections, SectionData } from "../debug-sections.ts";
import { type BuiltIndex, buildIndex, finish, NameBuilder, type TableSink } from "./name-build.ts";
import { identity, saveIndex } from "./name-index-file.ts";
import type { Stray, UnitBases } from "./name-sink.ts";
import { ROLE_FUNCTION, ROLE_VARIABLE } from "./name-steps.ts";
import { RANK_DEFINITION } from "./name-table.ts";
import { readUnitTable, type UnitTable } from "./name-units.ts";

/** Below, starting a thread takes longer than the work. */
const WORTH_HELP = 1 << 25;
const PIECE = 1 << 22;
/** A helper that is not done by then is given up, and its pieces are walked here. */
const PATIENCE_MS = 20_000;

interface FileJob {
  readonly file: string;
  /** What the helper must find there. */
  readonly identity: string;
}

interface WholeJob extends FileJob {
  readonly kind: "whole";
  readonly cache: CacheSettings;
}

interface ShareJob extends FileJob {
  readonly kind: "share";
  readonly units: UnitTable;
  /** First unit of each piece, and the count of units. */
  readonly pieces: Uint32Array;
  /** By piece: number of the thread that took it, 0 for none. Shared. */
  readonly taken: Int32Array;
  readonly number: number;
}

/** What a helper collected. */
interface Share {
  readonly nameAt: Uint32Array;
  readonly pool: Uint8Array;
  readonly records: Readonly<Record<"name" | "kind" | "die" | "unit" | "print", Uint32Array | Int32Array | Uint8Array>>;
  readonly functions: Readonly<Record<"low" | "high" | "size" | "die" | "unit", Uint32Array>>;
  readonly strays: readonly Stray[];
  readonly skeletons: readonly number[];
  readonly bases: UnitBases;
  readonly damaged: number;
}

/** How work is shared; the defaults are for everything but tests. */
export interface ShareOptions {
  /** Threads beside this one. */
  readonly helpers?: number;
  /** Bytes of .debug_info below which none is started. */
  readonly least?: number;
  /** Bytes of a piece, about. */
  readonly piece?: number;
}

/** True when other threads can open the file as well, and it is large enough for that. */
function worthHelp(sections: DebugSections, info: SectionData, least = WORTH_HELP): boolean {
  return sections.reopenable === true && info.size >= least;
}

/** Builds the index now, on all cores. */
export function buildParallel(sections: DebugSections, info: SectionData, options: ShareOptions = {}): BuiltIndex {
  const units = readUnitTable(info);
  const count = worthHelp(sections, info, options.least) ? (options.helpers ?? parallelism() - 1) : 0;
  if (count === 0) return buildIndex(sections, units);
  const pieces = piecesOf(units, options.piece ?? PIECE);
  const taken = new Int32Array(new SharedArrayBuffer(4 * pieces.length));
  const job = { kind: "share", file: sections.file, identity: identity(sections), units, pieces, taken } as const;
  const helpers: Helper[] = [];
  while (helpers.length < count) {
    const helper = startHelper({ ...job, number: helpers.length + 2 } satisfies ShareJob);
    if (helper === undefined) break;
    helpers.push(helper);
  }
  const builder = new NameBuilder(sections, info, units);
  takePieces(builder, pieces, taken, 1);
  helpers.forEach((helper, index) => {
    // One that has taken nothing (it is just starting) has nothing to give.
    const own = [...pieces.keys()].filter((piece) => taken[piece] === index + 2);
    const share = own.length === 0 ? helper.wait(0) : helper.wait(PATIENCE_MS);
    if (own.length === 0) return;
    if (share === undefined) for (const piece of own) builder.walk(pieces[piece] as number, pieces[piece + 1] as number);
    else merge(builder, share as Share, own, pieces);
  });
  return finish(builder, sections, units);
}

/** Starts building the index on another thread, which keeps it for later runs as well; undefined when that cannot be done. */
export function buildInBackground(sections: DebugSections, least = WORTH_HELP): Helper | undefined {
  const info = sections.section(".debug_info");
  if (info === undefined || !worthHelp(sections, info, least)) return undefined;
  const cache = { ...cacheSettings };
  return startHelper({ kind: "whole", file: sections.file, identity: identity(sections), cache } satisfies WholeJob);
}

/** What a helper does (the script that serves jobs calls it). Throws when the file is another now. */
export function runNameJob(given: unknown): { readonly value: unknown; readonly transfer: readonly ArrayBuffer[] } {
  const job = given as WholeJob | ShareJob;
  const sections = DebugFile.open(openFile(job.file));
  const info = sections.section(".debug_info");
  if (info === undefined || identity(sections) !== job.identity) throw new Error(`${job.file} has changed`);
  if (job.kind === "whole") {
    Object.assign(cacheSettings, job.cache);
    const value = buildIndex(sections, readUnitTable(info));
    saveIndex(sections, value);
    return { value, transfer: buffersOf({ ...value.names, ...prefixed(value.functions) }) };
  }
  const builder = new NameBuilder(sections, info, job.units);
  takePieces(builder, job.pieces, job.taken, job.number);
  const value = shareOf(builder);
  return { value, transfer: [value.nameAt, value.pool, ...Object.values(value.records), ...Object.values(value.functions)].map(bufferOf) };
}

/** What a builder collected, cut to size, to be handed over. */
export function shareOf(builder: NameBuilder): Share {
  const { names, records, functions, strays, skeletons, bases } = builder.sink;
  const cut = <T extends Uint32Array | Int32Array | Uint8Array>(column: T, count: number) => column.slice(0, count) as T;
  return {
    nameAt: cut(names.at, names.count),
    pool: cut(names.pool, names.poolSize),
    records: {
      name: cut(records.name, records.count),
      kind: cut(records.kind, records.count),
      die: cut(records.die, records.count),
      unit: cut(records.unit, records.count),
      print: cut(records.print, records.count),
    },
    functions: {
      low: cut(functions.low, functions.count),
      high: cut(functions.high, functions.count),
      size: cut(functions.size, functions.count),
      die: cut(functions.die, functions.count),
      unit: cut(functions.unit, functions.count),
    },
    strays,
    skeletons,
    bases,
    damaged: builder.damaged,
  };
}

/** Walks pieces that nobody has taken until there are none. A piece that cannot be read counts as damaged. */
function takePieces(builder: NameBuilder, pieces: Uint32Array, taken: Int32Array, number: number): void {
  for (let piece = 0; piece + 1 < pieces.length; piece++) {
    if (Atomics.compareExchange(taken, piece, 0, number) !== 0) continue;
    try {
      builder.walk(pieces[piece] as number, pieces[piece + 1] as number);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      builder.damaged++;
    }
  }
}

function piecesOf(units: UnitTable, size: number): Uint32Array {
  const starts = [0];
  let base = 0;
  for (let unit = 0; unit < units.count; unit++) {
    if ((units.end[unit] as number) - base <= size || unit === starts.at(-1)) continue;
    starts.push(unit);
    base = units.start[unit] as number;
  }
  return Uint32Array.from([...starts, units.count]);
}

/** Adds what a helper collected in some pieces; of equal entries the first in the file stays. */
export function merge(builder: NameBuilder, share: Share, own: readonly number[], pieces: Uint32Array): void {
  const { names, records, functions, strays, skeletons, bases }: TableSink = builder.sink;
  const size = builder.stringsSize;
  const numbers = share.nameAt.map((at) => (at < size ? names.fromStrings(at) : names.fromBytes(share.pool, at - size)));
  const from = share.records;
  for (let record = 0; record < from.name.length; record++) {
    const name = numbers[from.name[record] as number] ?? (from.name[record] as number);
    const kind = (from.kind[record] as number) & 15;
    const rank = (from.kind[record] as number) >> 4;
    const print = from.print[record] as number;
    const single = print === 0 && rank === RANK_DEFINITION && (kind === ROLE_FUNCTION || kind === ROLE_VARIABLE);
    records[single ? "add" : "fold"](name, kind, rank, print, from.die[record] as number, from.unit[record] as number);
  }
  const { low, high, size: sizes, die, unit } = share.functions;
  for (let row = 0; row < low.length; row++) {
    functions.add(low[row] as number, high[row] as number, sizes[row] as number, die[row] as number, unit[row] as number);
  }
  for (const stray of share.strays) strays.push(stray);
  for (const skeleton of share.skeletons) skeletons.push(skeleton);
  for (const piece of own) {
    const first = pieces[piece] as number;
    const behind = pieces[piece + 1] as number;
    for (const column of ["ranges", "addresses", "low", "high"] as const)
      bases[column].set(share.bases[column].subarray(first, behind), first);
  }
  builder.damaged += share.damaged;
}

function prefixed(functions: BuiltIndex["functions"]): Record<string, ArrayBufferView> {
  return Object.fromEntries(Object.entries(functions).map(([name, column]) => [`functions ${name}`, column as ArrayBufferView]));
}

function buffersOf(columns: object): ArrayBuffer[] {
  return Object.values(columns).map((column) => bufferOf(column as ArrayBufferView));
}

function bufferOf(column: ArrayBufferView): ArrayBuffer {
  return column.buffer as ArrayBuffer;
}
