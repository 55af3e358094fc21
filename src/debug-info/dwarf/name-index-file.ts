/**
 * The index of names and the function map as one file, named by build-id: typed arrays one after another, used where they were read.
 *
 *   ┌ "INQNAMES" ┬ format ┬ crc32 ┬ length of identity ┬ columns ┬ identity … ┬ offset, length of each column ┬ column 0 … ┐
 *     8            4        4       4                    4                      8 each
 *
 * Identity is what must be the same for the file to be of use: build-id, and the sizes of the sections it was made from. The checksum
 * covers everything behind itself. A file that does not fit in any way is as good as none.
 */
import { readCached, writeCached } from "../../bytes/cache-directory.ts";
import { crc32 } from "../../bytes/inflate-node.ts";
import type { DebugSections } from "../debug-sections.ts";
import type { FunctionArrays } from "./function-map.ts";
import type { BuiltIndex } from "./name-build.ts";
import type { NameArrays } from "./name-index.ts";

/** Changes with whatever changes what is found: the layout of the file, the pass, folding, the hash. */
const FORMAT = 2;
const MAGIC = [..."INQNAMES"].map((letter) => letter.charCodeAt(0));
const HEADER = 24;
const ALIGN = 8;
/** The index depends on their content, and that on the build-id; their sizes tell a file of another kind with the same id. */
const SECTIONS = [".debug_info", ".debug_abbrev", ".debug_str", ".debug_str_offsets", ".debug_addr", ".debug_rnglists", ".debug_ranges"];

type Column = Uint8Array | Uint32Array | Float64Array | BigUint64Array;

/** The kept index of a file; undefined when there is none that fits. */
export function loadIndex(sections: DebugSections): BuiltIndex | undefined {
  const name = fileName(sections);
  const bytes = name === undefined ? undefined : readCached(name);
  return bytes === undefined ? undefined : decodeIndex(bytes, identity(sections));
}

/** Keeps the index of a file that has a build-id and is what it is on disk. Tells whether it did. */
export function saveIndex(sections: DebugSections, index: BuiltIndex): boolean {
  const name = fileName(sections);
  return name !== undefined && writeCached(name, encodeIndex(index, identity(sections)));
}

function fileName({ buildId, reopenable }: DebugSections): string | undefined {
  return buildId !== undefined && reopenable === true && /^[0-9a-f]{8,128}$/.test(buildId) ? `${buildId}.names` : undefined;
}

/** What an index is made from, as text. */
export function identity(sections: DebugSections): string {
  return [sections.buildId, ...SECTIONS.map((name) => sections.section(name)?.size ?? 0)].join(" ");
}

/** The file's content in parts. */
export function encodeIndex({ names, functions, damaged }: BuiltIndex, made: string): Uint8Array[] {
  const columns: Column[] = [
    Float64Array.of(damaged),
    names.nameAt,
    names.nameHash,
    names.slots,
    names.first,
    names.kind,
    names.die,
    names.unit,
    names.pool,
    names.unitStart,
    functions.low,
    functions.size,
    functions.die,
    functions.unit,
  ];
  const who = new TextEncoder().encode(made);
  const head = new Uint8Array(aligned(HEADER + who.length) + columns.length * 16);
  const view = new DataView(head.buffer);
  head.set(MAGIC);
  view.setUint32(8, FORMAT, true);
  view.setUint32(16, who.length, true);
  view.setUint32(20, columns.length, true);
  head.set(who, HEADER);
  const parts = [head];
  let at = head.length;
  columns.forEach((column, index) => {
    const entry = aligned(HEADER + who.length) + index * 16;
    view.setFloat64(entry, at, true);
    view.setFloat64(entry + 8, column.byteLength, true);
    parts.push(new Uint8Array(column.buffer as ArrayBuffer, column.byteOffset, column.byteLength));
    parts.push(new Uint8Array(aligned(column.byteLength) - column.byteLength));
    at += aligned(column.byteLength);
  });
  const checksum = parts.slice(1).reduce((crc, part) => crc32(part, crc), crc32(head.subarray(16)));
  view.setUint32(12, checksum, true);
  return parts;
}

/** The index from the file's content, which it goes on using; undefined when that is damaged, of another format, or of another file. */
export function decodeIndex(bytes: Uint8Array<ArrayBuffer>, made: string): BuiltIndex | undefined {
  const who = new TextEncoder().encode(made);
  const table = aligned(HEADER + who.length);
  if (bytes.length < table || bytes.byteOffset % ALIGN !== 0 || !MAGIC.every((byte, i) => bytes[i] === byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(8, true) !== FORMAT || view.getUint32(16, true) !== who.length) return undefined;
  if (!who.every((byte, i) => bytes[HEADER + i] === byte)) return undefined;
  const count = view.getUint32(20, true);
  if (table + count * 16 > bytes.length || crc32(bytes.subarray(16)) !== view.getUint32(12, true)) return undefined;
  const column = <T extends Column>(index: number, type: new (buffer: ArrayBuffer, offset: number, length: number) => T, size: number) => {
    const at = index < count ? view.getFloat64(table + index * 16, true) : 0;
    const length = index < count ? view.getFloat64(table + index * 16 + 8, true) : 0;
    return new type(bytes.buffer, bytes.byteOffset + at, length / size);
  };
  // With the checksum right these are what was written.
  const words = (index: number) => column(index, Uint32Array, 4);
  const names: NameArrays = {
    nameAt: words(1),
    nameHash: words(2),
    slots: words(3),
    first: words(4),
    kind: column(5, Uint8Array, 1),
    die: words(6),
    unit: words(7),
    pool: column(8, Uint8Array, 1),
    unitStart: column(9, Float64Array, 8),
  };
  const functions: FunctionArrays = { low: column(10, BigUint64Array, 8), size: words(11), die: words(12), unit: words(13) };
  return { names, functions, damaged: column(0, Float64Array, 8)[0] ?? 0 };
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGN) * ALIGN;
}
