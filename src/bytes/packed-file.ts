/**
 * A file that may be packed as a whole (.xz, .gz, .zst by content, whatever its name): unpacked into memory, for the module files that
 * distributions ship so. What is not packed is read where it is.
 */
import type { ByteSource } from "./byte-source.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { openBriefly } from "./file-source.ts";
import { gunzip } from "./inflate-node.ts";
import { MemorySource } from "./memory-source.ts";
import { readExactly, readUpTo } from "./read-bytes.ts";
import { isXz, unxz } from "./xz.ts";
import { frameSize, unzstd, zstdReady } from "./zstd.ts";

/** The largest modules with all their debug information stay below it. */
const MAX_UNPACKED = 512 << 20;
const MAGIC = 16;
/** A frame without a size is tried up to this many times its packed length. */
const MAX_GUESS = 64;

export type Packing = "xz" | "gzip" | "zstd";

/** How a file is packed, from its first bytes; undefined when it is not. */
export function packingOf(head: Uint8Array): Packing | undefined {
  if (isXz(head)) return "xz";
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd ? "zstd" : undefined;
}

/**
 * Opens a file, unpacked. Throws FormatError when it cannot be read or unpacked, UnsupportedError for zstd while its decoder is not
 * loaded (prepareZstd).
 */
export function openPacked(path: string): ByteSource {
  const source = openBriefly(path);
  const packing = packingOf(readUpTo(source, 0, MAGIC));
  if (packing === undefined) return source;
  const bytes = readExactly(source, 0, source.size, "the packed file", MAX_UNPACKED);
  const unpacked =
    packing === "xz" ? unxz(bytes, MAX_UNPACKED) : packing === "gzip" ? gunzip(bytes, MAX_UNPACKED) : unpackZstd(path, bytes);
  if (typeof unpacked === "string") throw new FormatError(path, unpacked);
  return new MemorySource(path, unpacked);
}

/** The size is in the first frame's header, unless the file was packed from a pipe. */
function unpackZstd(path: string, bytes: Uint8Array): Uint8Array | string {
  if (!zstdReady()) throw new UnsupportedError(`${path}: is packed by zstd, whose decoder is not loaded`);
  const claimed = frameSize(bytes);
  if (claimed !== undefined) return claimed > MAX_UNPACKED ? `zstd: claims ${claimed} bytes` : unzstd(bytes, claimed);
  for (let guess = bytes.length * 4; guess <= Math.min(MAX_UNPACKED, bytes.length * MAX_GUESS); guess *= 2) {
    const unpacked = unzstd(bytes, guess, true);
    if (typeof unpacked !== "string") return unpacked;
  }
  return "zstd: damaged, or it does not say its size";
}
