/**
 * Sections by which one file names another, and where that other file may be. Formats: GDB manual, "Debugging Information in Separate
 * Files"; DWARF 5, 7.3.6 (.debug_sup); dwz(1) (.gnu_debugaltlink).
 *
 *   .gnu_debuglink      name NUL, padding to 4, CRC-32 of the file        the separate debug file of this one
 *   .gnu_debugaltlink   name NUL, build-id                                the supplementary file, shared by several
 *   .debug_sup          version u16, is_supplementary u8, name NUL, length uleb128, checksum
 *
 *   build-id abcdef01 …  ──►  DIRECTORY/.build-id/ab/cdef01….debug
 */
import { directoryOf, joinPath } from "../bytes/paths.ts";

/** A file name longer than any file system allows. */
const MAX_NAME = 4096;
const utf8 = new TextDecoder("utf-8", { fatal: false });

export interface DebugLink {
  readonly name: string;
  readonly crc: number;
}

export interface SupplementaryLink {
  readonly name: string;
  /** Build-id or checksum in hex. */
  readonly id: string;
  /** True in the supplementary file itself (.debug_sup). */
  readonly isSupplementary: boolean;
}

/** Content of .gnu_debuglink; undefined when it is damaged. */
export function parseDebugLink(bytes: Uint8Array): DebugLink | undefined {
  const end = nameEnd(bytes, 0);
  const at = Math.ceil((end + 1) / 4) * 4;
  if (end <= 0 || at + 4 > bytes.length) return undefined;
  return { name: utf8.decode(bytes.subarray(0, end)), crc: new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true) };
}

/** Content of .gnu_debugaltlink; undefined when it is damaged. */
export function parseAltLink(bytes: Uint8Array): SupplementaryLink | undefined {
  const end = nameEnd(bytes, 0);
  if (end <= 0 || end + 1 >= bytes.length) return undefined;
  return { name: utf8.decode(bytes.subarray(0, end)), id: hex(bytes.subarray(end + 1)), isSupplementary: false };
}

/** Content of .debug_sup; undefined when it is damaged or of another version. */
export function parseDebugSup(bytes: Uint8Array): SupplementaryLink | undefined {
  if (bytes.length < 5 || bytes[0] !== 5 || bytes[1] !== 0) return undefined;
  const end = nameEnd(bytes, 3);
  if (end < 0) return undefined;
  let at = end + 1;
  let length = 0;
  for (let shift = 0; at < bytes.length && shift < 28; shift += 7) {
    const byte = bytes[at++] as number;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (at + length > bytes.length) return undefined;
  return { name: utf8.decode(bytes.subarray(3, end)), id: hex(bytes.subarray(at, at + length)), isSupplementary: bytes[2] === 1 };
}

/** Where the separate debug file of a build-id lies below each directory. */
export function buildIdPaths(buildId: string, directories: readonly string[]): readonly string[] {
  if (!/^[0-9a-f]{4,128}$/.test(buildId)) return [];
  return directories.map((directory) => joinPath(directory, `.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`));
}

/**
 * Where the file that .gnu_debuglink names may be: beside, in .debug/ beside, and below each directory at the same path.
 * @param file canonical path of the file with the link
 */
export function debugLinkPaths(file: string, name: string, directories: readonly string[]): readonly string[] {
  const beside = directoryOf(file);
  return [
    joinPath(beside, name),
    joinPath(beside, `.debug/${name}`),
    ...(beside.startsWith("/")
      ? directories.map((directory) => `${directory.replace(/\/$/, "")}${beside === "/" ? "" : beside}/${name}`)
      : []),
  ];
}

/** Bytes in lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function nameEnd(bytes: Uint8Array, from: number): number {
  const end = bytes.indexOf(0, from);
  return end - from > MAX_NAME ? -1 : end;
}
