/**
 * Compressed sections of ELF files. Specification: System V ABI (gABI), chapter 4, "Section Compression"; the older form is GNU's.
 *
 *   SHF_COMPRESSED   │ ch_type u32 │ reserved u32 │ ch_size u64 │ ch_addralign u64 │ stream …      type 1 zlib, 2 zstd
 *   .zdebug_…        │ "ZLIB" │ size, 8 bytes big-endian │ stream …
 *
 * The size that the header claims is held against what the stream can hold before anything is allocated.
 */
import { FormatError, UnsupportedError } from "../bytes/errors.ts";
import { inflate } from "../bytes/inflate-node.ts";
import { unzstd } from "../bytes/zstd.ts";

const CHDR = 24;
const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;
const ZDEBUG = 12;

/** The debug information of the largest kernels (every option on, KASAN) stays below it. */
const MAX_UNPACKED = 2 ** 31;
/** deflate's best is 258 bytes for two bits; a zstd block of 128 KiB takes four bytes when all are the same. */
const MAX_RATIO = { zlib: 1032, zstd: 32768 } as const;

/** How much of a section's start must be read to know its compression. */
export const COMPRESSION_HEADER = CHDR;

export interface Compression {
  readonly method: "zlib" | "zstd";
  /** Bytes of the header; the stream follows. */
  readonly header: number;
  /** Bytes when unpacked, as claimed and believable. */
  readonly size: number;
}

/**
 * Reads a section's compression header.
 * @param start the section's first bytes; @param stored all of its bytes in the file; @param gnu .zdebug_… and not SHF_COMPRESSED
 * @throws FormatError, UnsupportedError for an unknown method
 */
export function readCompression(start: Uint8Array, stored: number, gnu: boolean, file: string, section: string): Compression {
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const header = gnu ? ZDEBUG : CHDR;
  if (start.length < header) throw new FormatError(file, `section ${section} is too short for its compression header`);
  if (gnu && view.getUint32(0) !== 0x5a4c4942) throw new FormatError(file, `section ${section} does not start with ZLIB`);
  const type = gnu ? ELFCOMPRESS_ZLIB : view.getUint32(0, true);
  if (type !== ELFCOMPRESS_ZLIB && type !== ELFCOMPRESS_ZSTD)
    throw new UnsupportedError(`${file}: section ${section} is compressed by unknown method ${type}`);
  const method = type === ELFCOMPRESS_ZLIB ? "zlib" : "zstd";
  const size = Number(gnu ? view.getBigUint64(4) : view.getBigUint64(8, true));
  const most = Math.min(MAX_UNPACKED, (stored - header) * MAX_RATIO[method]);
  if (size > most) throw new FormatError(file, `section ${section} claims ${size} bytes from ${stored - header} compressed ones`);
  return { method, header, size };
}

/** Unpacks the stream behind the header. Throws FormatError when it is damaged or of another size than claimed. */
export function unpackSection(stream: Uint8Array, { method, size }: Compression, file: string, section: string): Uint8Array {
  if (size === 0) return new Uint8Array(0);
  const unpacked = method === "zlib" ? inflate(stream, size) : unzstd(stream, size);
  if (typeof unpacked === "string") throw new FormatError(file, `section ${section}: ${unpacked}`);
  return unpacked;
}
