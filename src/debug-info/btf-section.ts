/**
 * The raw form of a BTF section: header, type records, strings; split BTF of a module on top of that of vmlinux.
 * Specification: Documentation/bpf/btf.rst and include/uapi/linux/btf.h; the layout table (header of 32 bytes) is of 2026.
 *
 *   │ header 24 or 32 │ … type records … │ … strings … │ [ layout table ] │       offsets count from the end of the header
 *
 *   type record   │ name_off │ info: kflag:1 kind:7 vlen:24 │ size or type │ + data by kind │
 *
 *   split BTF     ids continue after the base's last one, string offsets after the base's strings
 */
import { FormatError, UnsupportedError } from "../bytes/errors.ts";

/** Kinds of type records, as in include/uapi/linux/btf.h. */
export const KIND = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

const RECORD = 12;
/** Bytes after the record: fixed part, and per element of vlen. Index is the kind; kind 0 is never written. */
const FIXED = [-1, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
const EACH = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];
/** The kernel allows 2^20 types (BTF_MAX_TYPE). */
const MAX_TYPES = 1 << 24;

const utf8 = new TextDecoder("utf-8", { fatal: false });

/** One BTF section; gives the place of a type record by id, and strings by offset. */
export class BtfSection {
  /** "vmlinux" or the module's name, for messages. */
  readonly name: string;
  readonly view: DataView;
  readonly base: BtfSection | undefined;
  /** Id of the first type here: 1, or one after the base's last. */
  readonly firstId: number;
  /** One after the last id. */
  readonly endId: number;
  /** Place of each record in `view`, by id - firstId. */
  readonly places: Uint32Array;
  /** Kind of each type, by id - firstId. */
  readonly kinds: Uint8Array;
  /** Why the types end early, if they do. */
  readonly note: string | undefined;
  readonly #bytes: Uint8Array;
  readonly #strings: number;
  readonly #stringsEnd: number;
  /** Offset of the first string here: 0, or the length of the base's strings. */
  readonly #firstString: number;

  constructor(bytes: Uint8Array, name: string, base: BtfSection | undefined) {
    this.name = name;
    this.base = base;
    this.#bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const header = readHeader(this.view, name);
    this.firstId = base?.endId ?? 1;
    this.#firstString = base?.stringsEndOffset ?? 0;
    this.#strings = header.strings;
    this.#stringsEnd = header.strings + header.stringLength;
    const walked = walk(this.view, header);
    this.places = walked.places;
    this.kinds = walked.kinds;
    this.note = walked.note;
    this.endId = this.firstId + walked.places.length;
  }

  /** Where the string offsets of a section on top of this one start. */
  get stringsEndOffset(): number {
    return this.#firstString + (this.#stringsEnd - this.#strings);
  }

  /** The section that holds a type id: this one or one below; throws FormatError when there is none. Id 0 (void) is in none. */
  holder(id: number): BtfSection {
    if (id >= this.firstId && id < this.endId) return this;
    if (id > 0 && id < this.firstId && this.base !== undefined) return this.base.holder(id);
    throw new FormatError(`BTF of ${this.name}`, `type ${id} of ${this.endId}`);
  }

  /** Kind of a type held here. */
  kind(id: number): number {
    return this.kinds[id - this.firstId] as number;
  }

  /** Place of the record of a type held here. */
  place(id: number): number {
    return this.places[id - this.firstId] as number;
  }

  /** The string at an offset; empty for the anonymous 0. */
  string(offset: number): string {
    if (offset === 0) return "";
    if (offset < this.#firstString) return (this.base as BtfSection).string(offset);
    const start = this.#start(offset);
    if (start < 0) throw new FormatError(`BTF of ${this.name}`, `a name at ${offset} of ${this.stringsEndOffset} bytes of strings`);
    let end = this.#bytes.indexOf(0, start);
    if (end < 0 || end > this.#stringsEnd) end = this.#stringsEnd;
    return utf8.decode(this.#bytes.subarray(start, end));
  }

  /** Hash of the string at an offset; that of `hashBytes`. */
  hash(offset: number): number {
    if (offset < this.#firstString) return (this.base as BtfSection).hash(offset);
    let hash = 0x811c9dc5;
    const bytes = this.#bytes;
    const end = this.#stringsEnd;
    const start = this.#start(offset);
    if (start < 0) return hash;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === 0) break;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return hash >>> 0;
  }

  /** True when the string at an offset starts with these bytes, and with `whole` ends there. */
  matches(offset: number, text: Uint8Array, whole: boolean): boolean {
    if (offset < this.#firstString) return (this.base as BtfSection).matches(offset, text, whole);
    const start = this.#start(offset);
    if (start < 0 || start + text.length > this.#stringsEnd) return false;
    for (let i = 0; i < text.length; i++) if (this.#bytes[start + i] !== text[i]) return false;
    return !whole || start + text.length === this.#stringsEnd || this.#bytes[start + text.length] === 0;
  }

  #start(offset: number): number {
    const start = this.#strings + offset - this.#firstString;
    return start < this.#stringsEnd ? start : -1;
  }
}

/** FNV-1a over UTF-8, as `BtfSection.hash`. */
export function hashBytes(text: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of text) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

interface Header {
  readonly types: number;
  readonly typesEnd: number;
  readonly strings: number;
  readonly stringLength: number;
  /** Layout table: {u8 info_sz, u8 elem_sz, u16 flags} for each kind. */
  readonly layout: number;
  readonly layoutEnd: number;
}

function readHeader(view: DataView, name: string): Header {
  const file = `BTF of ${name}`;
  const size = view.byteLength;
  if (size < 24) throw new FormatError(file, `${size} bytes, too few for a header`);
  const magic = view.getUint16(0, true);
  if (magic === 0x9feb) throw new UnsupportedError(`${file}: big-endian`);
  if (magic !== 0xeb9f) throw new FormatError(file, `magic 0x${magic.toString(16)} and not 0xeb9f`, 0);
  if (view.getUint8(2) !== 1) throw new UnsupportedError(`${file}: version ${view.getUint8(2)}`);
  const length = view.getUint32(4, true);
  if (length < 24 || length > size) throw new FormatError(file, `header of ${length} bytes`, 4);
  const types = length + view.getUint32(8, true);
  const typesEnd = types + view.getUint32(12, true);
  const strings = length + view.getUint32(16, true);
  const stringLength = view.getUint32(20, true);
  if (typesEnd > size) throw new FormatError(file, `types end at ${typesEnd} of ${size} bytes`, 8);
  if (strings + stringLength > size) throw new FormatError(file, `strings end at ${strings + stringLength} of ${size} bytes`, 16);
  const layout = length >= 32 ? length + view.getUint32(24, true) : 0;
  const layoutEnd = length >= 32 ? layout + view.getUint32(28, true) : 0;
  return { types, typesEnd, strings, stringLength, layout, layoutEnd: layoutEnd > size ? layout : layoutEnd };
}

/** Finds every record; 2 ms for 126,000 types. */
function walk(view: DataView, header: Header): { places: Uint32Array; kinds: Uint8Array; note: string | undefined } {
  const fixed = Int32Array.from({ length: 128 }, (_, kind) => FIXED[kind] ?? -1);
  const each = Int32Array.from({ length: 128 }, (_, kind) => EACH[kind] ?? 0);
  for (let kind = FIXED.length, at = header.layout + kind * 4; at + 4 <= header.layoutEnd && kind < 128; kind++, at += 4) {
    fixed[kind] = view.getUint8(at);
    each[kind] = view.getUint8(at + 1);
  }
  const most = Math.min(Math.floor((header.typesEnd - header.types) / RECORD), MAX_TYPES);
  const places = new Uint32Array(most);
  const kinds = new Uint8Array(most);
  let count = 0;
  let at = header.types;
  let note: string | undefined;
  while (at < header.typesEnd) {
    if (at + RECORD > header.typesEnd || count === most) {
      note = `types end within record ${count}`;
      break;
    }
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 0x7f;
    const fixedSize = fixed[kind] as number;
    if (fixedSize < 0) {
      note = kind === 0 ? `types end with an empty record (${count} read)` : `types end with one of unknown kind ${kind} (${count} read)`;
      break;
    }
    const next = at + RECORD + fixedSize + (each[kind] as number) * (info & 0xffffff);
    if (next > header.typesEnd) {
      note = `types end within record ${count}`;
      break;
    }
    places[count] = at;
    kinds[count] = kind;
    count++;
    at = next;
  }
  return { places: places.slice(0, count), kinds: kinds.slice(0, count), note };
}
