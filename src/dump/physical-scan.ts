/**
 * A pattern looked for in physical memory, page after page as the dump holds them, past the page cache: a search through all memory would
 * only sweep it out.
 *
 *   overlap │ page │ page │ (left out) │ page …       a block of pages is scanned at once; a page that cannot be read ends it
 */
import type { BlockScanner } from "../bytes/search-pattern.ts";
import type { Dump, PageFault } from "./dump.ts";

/** Bytes read before they are scanned. */
const BLOCK = 256 << 10;

/** Pages that could not be read, by reason. */
export type UnreadPages = Map<PageFault["reason"], number>;

export class PhysicalScan {
  readonly #dump: Dump;
  readonly #scanner: BlockScanner;
  readonly #buffer: Uint8Array;
  readonly #front: number;
  readonly #pages: number;
  /** Where the last block ended, as its bytes are kept for texts that run on. */
  #lastEnd = -1;

  constructor(dump: Dump, scanner: BlockScanner) {
    this.#dump = dump;
    this.#scanner = scanner;
    this.#front = Math.ceil(scanner.overlap / 8) * 8;
    this.#pages = Math.max(1, Math.floor(BLOCK / dump.pageSize));
    this.#buffer = new Uint8Array(this.#front + this.#pages * dump.pageSize);
  }

  /**
   * Hits that begin in the bytes from `start` to before `end` of physical memory, ascending, as physical addresses (doubles: RAM ends
   * below 2^52). Texts are followed beyond the end.
   */
  scan(start: number, end: number, hits: number[], unread: UnreadPages): void {
    const size = this.#dump.pageSize;
    this.#lastEnd = -1;
    let filled = 0;
    let blockStart = start - (start % size);
    const flush = () => {
      if (filled > 0) this.#block(blockStart, filled, start, end, hits);
      blockStart += filled;
      filled = 0;
    };
    for (let page = blockStart; page < end + this.#scanner.overlap; page += size) {
      const at = this.#front + filled;
      const fault = this.#dump.readPage(page / size, this.#buffer.subarray(at, at + size));
      if (fault === undefined) {
        filled += size;
        if (filled === this.#pages * size) flush();
        continue;
      }
      flush();
      blockStart = page + size;
      if (page < end) unread.set(fault.reason, (unread.get(fault.reason) ?? 0) + 1);
    }
    flush();
  }

  #block(blockStart: number, filled: number, start: number, end: number, hits: number[]): void {
    const front = this.#front;
    const found: number[] = [];
    // What lies in front of the block must be the memory in front of it; no text has a NUL.
    if (this.#lastEnd !== blockStart) this.#buffer.fill(0, 0, front);
    this.#scanner.scan(this.#buffer, front, filled, found);
    for (const offset of found) {
      const address = blockStart + offset - front;
      if (address >= start && address < end) hits.push(address);
    }
    this.#buffer.copyWithin(0, filled, filled + front);
    this.#lastEnd = blockStart + filled;
  }
}
