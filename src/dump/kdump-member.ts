/**
 * One KDUMP or DISKDUMP file: its bitmaps, page descriptors and page data. A split dump has several of them (kdump.ts joins them).
 * Layout: makedumpfile's diskdump_mod.h and write_kdump_pages(), QEMU's dump/dump.c.
 *
 *   | header | sub header | bitmap 1: RAM | bitmap 2: dumped | page_desc[] | vmcoreinfo, notes | page data …
 *     block 0  blocks 1…    bitmap_blocks in all                24 bytes each, one for each bit of bitmap 2, in order
 *
 *   page_desc:  offset u64 | size u32 | flags u32 (0 raw, 1 zlib, 2 lzo1x, 4 snappy, 0x20 zstd) | page_flags u64
 *
 * Old writers give one bitmap only (all bits of bitmap_blocks for max_mapnr pages): then a clear bit says only "not in the dump".
 */
import { BlockCache } from "../bytes/block-cache.ts";
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError } from "../bytes/errors.ts";
import { decodePage, PAGE_RAW, PAGE_ZSTD } from "../bytes/page-codec.ts";
import type { PageFault } from "./dump.ts";
import { type KdumpHeader, STATUS_INCOMPLETE } from "./kdump-header.ts";
import { readPiece } from "./page-reader.ts";
import { RankedBitmap } from "./ranked-bitmap.ts";

const DESCRIPTOR = 24;
/** Descriptors at the end of the table that are looked at on opening. */
const LAST_DESCRIPTORS = 512;
/** No machine has more pages than this: 128 TiB in 4 KiB pages, the RAM of the largest three times over. */
const MAX_PFN = 2 ** 35;

/** Descriptors that point beyond this are damaged. */
const MAX_FILE = 2 ** 50;

const ABSENT: PageFault = { reason: "absent" };
const EXCLUDED: PageFault = { reason: "excluded" };
const TRUNCATED: PageFault = { reason: "truncated" };
const BEYOND_BITMAP: PageFault = { reason: "truncated", detail: "the file ends within its bitmaps" };
const ONE_BITMAP: PageFault = { reason: "absent", detail: "the dump does not tell missing RAM from pages left out" };

/** What a look at the end of the descriptor table tells. */
interface TableEnd {
  /** Bytes that the file lacks, as far as the last descriptors show; 0 when none. */
  readonly missingBytes: number;
  /** The last descriptor was never filled in. */
  readonly unwritten: boolean;
  readonly zstd: boolean;
}

export class KdumpMember {
  readonly source: ByteSource;
  readonly header: KdumpHeader;
  /** One above the highest page frame that the bitmaps describe. */
  readonly maxPfn: number;
  /** Pages that the bitmap marks as RAM; the dumped ones when there is only one bitmap. */
  readonly ram: RankedBitmap;
  readonly dumped: RankedBitmap;
  readonly end: TableEnd;
  readonly #pageSize: number;
  readonly #descriptorStart: number;
  /** Rank of the first page of a split member: its table begins there. */
  readonly #firstRank: number;
  readonly #descriptors: BlockCache;
  readonly #descriptor = new Uint8Array(DESCRIPTOR);
  readonly #view = new DataView(this.#descriptor.buffer);
  readonly #compressed: Uint8Array;

  constructor(source: ByteSource, header: KdumpHeader) {
    this.source = source;
    this.header = header;
    const { blockSize, bitmapBlocks, subHeaderBlocks, maxMapnr } = header;
    this.#pageSize = blockSize;
    const bitmapStart = (1 + subHeaderBlocks) * blockSize;
    const bitmapBytes = bitmapBlocks * blockSize;
    if (bitmapBytes === 0 || bitmapStart >= source.size) {
      throw new FormatError(
        source.name,
        `the bitmaps (${bitmapBytes} bytes) lie beyond the end of the file (${source.size} bytes)`,
        bitmapStart,
      );
    }
    const two = maxMapnr <= bitmapBytes * 4;
    const each = two ? bitmapBytes / 2 : bitmapBytes;
    this.maxPfn = Math.min(maxMapnr, each * 8, MAX_PFN);
    const used = Math.ceil(this.maxPfn / 8);
    this.dumped = new RankedBitmap(source, two ? bitmapStart + each : bitmapStart, used);
    this.ram = two ? new RankedBitmap(source, bitmapStart, used) : this.dumped;
    this.#descriptorStart = bitmapStart + bitmapBytes;
    this.#descriptors = new BlockCache(source, 1 << 14, 16);
    this.#compressed = new Uint8Array(blockSize);
    this.#firstRank = header.startPfn > 0 ? this.dumped.rank(header.startPfn) : 0;
    this.end = this.#lookAtEnd();
  }

  /** True when there is only one bitmap. */
  get oneBitmap(): boolean {
    return this.ram === this.dumped;
  }

  /** Decodes a page into `target`; undefined on success. Pages outside of the member's own range have no descriptor here. */
  readPage(pfn: number, target: Uint8Array): PageFault | undefined {
    if (!(pfn < this.maxPfn)) return ABSENT;
    if (pfn >= this.dumped.bits) return BEYOND_BITMAP;
    if (!this.dumped.has(pfn)) return this.oneBitmap ? ONE_BITMAP : this.ram.has(pfn) ? EXCLUDED : ABSENT;
    const index = this.dumped.rank(pfn) - this.#firstRank;
    if (this.#descriptors.readInto(this.#descriptor, this.#descriptorStart + index * DESCRIPTOR) < DESCRIPTOR) return TRUNCATED;
    const { littleEndian } = this.header;
    const offset =
      this.#view.getUint32(littleEndian ? 4 : 0, littleEndian) * 0x1_0000_0000 + this.#view.getUint32(littleEndian ? 0 : 4, littleEndian);
    const size = this.#view.getUint32(8, littleEndian);
    const flags = this.#view.getUint32(12, littleEndian);
    if (offset === 0) return this.#neverWritten();
    // Seen from hypervisors: the page is counted as dumped, and nothing of it was stored.
    if (size === 0) return { reason: "excluded", detail: "its descriptor has size 0" };
    if (size > this.#pageSize || offset > MAX_FILE) {
      return { reason: "corrupt", detail: `its descriptor claims ${size} bytes at byte ${offset}` };
    }
    if (flags === PAGE_RAW) {
      if (size !== this.#pageSize) return { reason: "corrupt", detail: `stored uncompressed in ${size} bytes` };
      return readPiece(this.source, target, offset);
    }
    const compressed = this.#compressed.subarray(0, size);
    const fault = readPiece(this.source, compressed, offset);
    if (fault !== undefined) return fault;
    const broken = decodePage(flags, compressed, target);
    return broken === undefined ? undefined : { reason: "corrupt", detail: broken };
  }

  close(): void {
    this.source.close();
  }

  #neverWritten(): PageFault {
    const told = (this.header.status & STATUS_INCOMPLETE) !== 0;
    return { reason: "truncated", detail: told ? "the writer ran out of space before it" : "its descriptor was never filled in" };
  }

  /** The data of the last pages end where the file should end; zero pages share one place, hence the maximum of many. */
  #lookAtEnd(): TableEnd {
    const { startPfn, endPfn, littleEndian } = this.header;
    const count = this.dumped.rank(Math.min(endPfn, this.maxPfn)) - this.dumped.rank(Math.min(startPfn, this.maxPfn));
    const looked = Math.max(0, Math.min(count, LAST_DESCRIPTORS));
    const bytes = new Uint8Array(looked * DESCRIPTOR);
    const there = this.source.readInto(bytes, this.#descriptorStart + (count - looked) * DESCRIPTOR);
    const view = new DataView(bytes.buffer);
    let dataEnd = this.#descriptorStart + count * DESCRIPTOR;
    let zstd = false;
    let unwritten = false;
    for (let at = 0; at + DESCRIPTOR <= there; at += DESCRIPTOR) {
      const offset = Number(view.getBigUint64(at, littleEndian));
      const size = view.getUint32(at + 8, littleEndian);
      zstd ||= (view.getUint32(at + 12, littleEndian) & PAGE_ZSTD) !== 0;
      unwritten = offset === 0;
      if (size <= this.#pageSize && offset <= MAX_FILE) dataEnd = Math.max(dataEnd, offset + size);
    }
    return { missingBytes: Math.max(0, dataEnd - this.source.size), unwritten, zstd };
  }
}
