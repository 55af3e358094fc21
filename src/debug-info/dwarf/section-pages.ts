/**
 * A section read by pieces that nobody can foresee: strings, lists, addresses. The last used pages are kept, a bounded number of them;
 * a page is replaced, never changed, so that views of it stay valid.
 *
 *   offset ──► page = offset / 32 KiB ──► slot = page mod slots
 */
import { FormatError } from "../../bytes/errors.ts";
import type { SectionData } from "../debug-sections.ts";
import { DwarfReader, decodeText } from "./dwarf-reader.ts";

const PAGE = 1 << 15;
/** Longer ones are not names. */
const MAX_STRING = 1 << 20;

/** More is a section's or a unit's own claim, which read() holds against the file before it allocates. */
const BELIEVED = 1 << 16;

/** Bytes in an array of our own: a view of a block that the section shares would keep all of the block in memory. */
export function readOwn(section: SectionData, offset: number, length: number): Uint8Array {
  if (length > BELIEVED || section.readInto === undefined) {
    const bytes = section.read(offset, length);
    return bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
  }
  const bytes = new Uint8Array(length);
  section.readInto(bytes, offset);
  return bytes;
}

export class SectionPages {
  readonly size: number;
  /** File and section, for messages. */
  readonly where: string;
  readonly #section: SectionData;
  readonly #slots: (Uint8Array | undefined)[];
  readonly #tags: Float64Array;

  /** @param slots how many pages of 32 KiB are kept */
  constructor(section: SectionData, file: string, slots: number) {
    this.#section = section;
    this.size = section.size;
    this.where = `${file}: ${section.name}`;
    this.#slots = new Array(slots).fill(undefined);
    this.#tags = new Float64Array(slots).fill(-1);
  }

  /** At least `length` bytes at an offset, fewer only at the end of the section; a view that must not be written to. */
  ahead(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && offset <= this.size))
      throw new FormatError(this.where, `an offset beyond the section (${this.size} bytes)`, offset);
    const within = offset % PAGE;
    if (within + length <= PAGE) return this.#page((offset - within) / PAGE).subarray(within);
    return readOwn(this.#section, offset, Math.min(length, this.size - offset));
  }

  /** A reader over the bytes from an offset on: `length` of them, or more. */
  readerAt(offset: number, length: number): DwarfReader {
    return new DwarfReader(this.ahead(offset, length), this.where, offset);
  }

  /** The NUL-terminated string at an offset. */
  string(offset: number): string {
    for (let length = 256; ; length *= 8) {
      const bytes = this.ahead(offset, length);
      const end = bytes.indexOf(0);
      if (end >= 0) return decodeText(bytes, 0, end);
      if (bytes.length >= this.size - offset) throw new FormatError(this.where, "a string that does not end", offset);
      if (length > MAX_STRING) throw new FormatError(this.where, `a string of more than ${MAX_STRING} bytes`, offset);
    }
  }

  #page(page: number): Uint8Array {
    const slot = page % this.#slots.length;
    const known = this.#slots[slot];
    if (known !== undefined && this.#tags[slot] === page) return known;
    const bytes = readOwn(this.#section, page * PAGE, Math.min(PAGE, this.size - page * PAGE));
    this.#slots[slot] = bytes;
    this.#tags[slot] = page;
    return bytes;
  }
}

/**
 * Walks a list that lies anywhere in a section and has no length of its own: refills its reader as it goes.
 */
export class SectionWalk {
  reader: DwarfReader;
  readonly #pages: SectionPages;
  /** Offset in the section of the reader's first byte. */
  #start: number;

  constructor(pages: SectionPages, offset: number, length: number) {
    this.#pages = pages;
    this.#start = offset;
    this.reader = pages.readerAt(offset, length);
  }

  get offset(): number {
    return this.#start + this.reader.position;
  }

  /** Makes sure that the next `length` bytes can be read, where the section has them. */
  need(length: number): DwarfReader {
    const { reader } = this;
    if (reader.end - reader.position < length && this.#start + reader.end < this.#pages.size) {
      this.#start = this.offset;
      this.reader = this.#pages.readerAt(this.#start, length);
    }
    return this.reader;
  }
}
