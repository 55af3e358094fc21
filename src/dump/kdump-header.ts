/**
 * Headers of the KDUMP (compressed kdump) and DISKDUMP formats. Layout: makedumpfile's diskdump_mod.h, QEMU's include/sysemu/dump.h.
 *
 *   block 0  "KDUMP   " | version i32 | utsname 6 × 65 | pad | timeval | status u32 | block_size | sub_hdr_size | bitmap_blocks |
 *            max_mapnr | total_ram_blocks | device_blocks | written_blocks | current_cpu | nr_cpus
 *            64-bit writers: timeval 2 × u64 at 408, status at 424; 32-bit writers: 2 × u32 at 404, status at 412
 *   block 1  phys_base | dump_level, split (v1, v2) | start_pfn, end_pfn (v2) | vmcoreinfo (v3), notes (v4), erase info (v5):
 *            offset + size each | start_pfn, end_pfn, max_mapnr in 64 bits (v6)
 *
 * Neither word size nor byte order is written down; of the four possible readings the one with a sane block size is right.
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { Cursor, latin1 } from "../bytes/cursor.ts";
import { FormatError } from "../bytes/errors.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import type { Utsname } from "./dump.ts";

export const STATUS_INCOMPLETE = 0x8;
export const STATUS_EXCLUDED_VMEMMAP = 0x10;

const HEADER_SIZE = 464;
const SUB_HEADER_SIZE = 104;

/** A piece of the file. */
export interface FilePart {
  readonly offset: number;
  readonly size: number;
}

/** Both headers. Fields that the version does not have are undefined or empty. */
export interface KdumpHeader {
  readonly signature: "KDUMP" | "DISKDUMP";
  readonly version: number;
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  readonly utsname: Utsname;
  readonly seconds: number;
  readonly status: number;
  readonly blockSize: number;
  readonly subHeaderBlocks: number;
  readonly bitmapBlocks: number;
  readonly maxMapnr: number;
  readonly totalRamBlocks: number;
  readonly deviceBlocks: number;
  readonly writtenBlocks: number;
  readonly currentCpu: number;
  readonly cpus: number;
  readonly physBase: bigint | undefined;
  readonly dumpLevel: number | undefined;
  /** True for a member of a split set; it holds the pages startPfn … endPfn-1. */
  readonly split: boolean;
  readonly startPfn: number;
  readonly endPfn: number;
  readonly vmcoreinfo: FilePart;
  readonly notes: FilePart;
  readonly eraseInfo: FilePart;
}

/** True when the first bytes carry one of the two signatures. */
export function probeKdump(head: Uint8Array): boolean {
  const signature = latin1(head.subarray(0, 8));
  return signature === "KDUMP   " || signature === "DISKDUMP";
}

/** Reads and checks the headers; throws FormatError when no reading of them makes sense. */
export function readKdumpHeader(source: ByteSource): KdumpHeader {
  const head = readUpTo(source, 0, HEADER_SIZE);
  if (head.length < HEADER_SIZE) throw new FormatError(source.name, `the KDUMP header is cut off after ${head.length} bytes`);
  for (const bits of [64, 32] as const) {
    for (const littleEndian of [true, false]) {
      const header = parseMain(new Cursor(head, source.name, littleEndian), bits);
      if (isSane(header)) return header.bits === 64 ? withSubHeader(source, header) : header;
    }
  }
  throw new FormatError(source.name, "the KDUMP header has no sane block size in either byte order and word size", 412);
}

function parseMain(cursor: Cursor, bits: 32 | 64): KdumpHeader {
  const signature = cursor.text(8).startsWith("KDUMP") ? "KDUMP" : "DISKDUMP";
  const version = cursor.i32();
  const name = () => cursor.text(65);
  const utsname = { sysname: name(), nodename: name(), release: name(), version: name(), machine: name(), domainname: name() };
  cursor.seek(bits === 64 ? 408 : 404);
  const seconds = bits === 64 ? cursor.u64AsNumber() : cursor.u32();
  cursor.seek(bits === 64 ? 424 : 412);
  return {
    signature,
    version,
    bits,
    littleEndian: cursor.littleEndian,
    utsname,
    seconds,
    status: cursor.u32(),
    blockSize: cursor.u32(),
    subHeaderBlocks: cursor.u32(),
    bitmapBlocks: cursor.u32(),
    maxMapnr: cursor.u32(),
    totalRamBlocks: cursor.u32(),
    deviceBlocks: cursor.u32(),
    writtenBlocks: cursor.u32(),
    currentCpu: cursor.u32(),
    cpus: cursor.u32(),
    physBase: undefined,
    dumpLevel: undefined,
    split: false,
    startPfn: 0,
    endPfn: Number.POSITIVE_INFINITY,
    vmcoreinfo: { offset: 0, size: 0 },
    notes: { offset: 0, size: 0 },
    eraseInfo: { offset: 0, size: 0 },
  };
}

function isSane(header: KdumpHeader): boolean {
  const { blockSize, version, subHeaderBlocks } = header;
  const powerOfTwo = (blockSize & (blockSize - 1)) === 0;
  return powerOfTwo && blockSize >= 4096 && blockSize <= 65536 && version >= 0 && version < 256 && subHeaderBlocks < 65536;
}

/** Adds the fields of the 64-bit sub header that the version has. DISKDUMP's sub header is of another kind (registers only). */
function withSubHeader(source: ByteSource, main: KdumpHeader): KdumpHeader {
  if (main.signature === "DISKDUMP" || main.subHeaderBlocks === 0) return main;
  const bytes = new Uint8Array(SUB_HEADER_SIZE);
  const count = source.readInto(bytes, main.blockSize);
  if (count < 16) throw new FormatError(source.name, "the file ends before the KDUMP sub header", main.blockSize);
  const cursor = new Cursor(bytes, source.name, main.littleEndian, main.blockSize);
  const since = (version: number) => main.version >= version;
  const physBase = BigInt.asIntN(64, cursor.u64());
  const dumpLevel = since(1) ? cursor.i32() : undefined;
  const split = since(2) && cursor.seek(12).u32() !== 0;
  cursor.seek(16);
  const pair = (): [number, number] => [cursor.u64AsNumber(), cursor.u64AsNumber()];
  const part = (present: boolean): FilePart => {
    const [offset, size] = pair();
    return present ? { offset, size } : { offset: 0, size: 0 };
  };
  let [startPfn, endPfn] = pair();
  const vmcoreinfo = part(since(3));
  const notes = part(since(4));
  const eraseInfo = part(since(5));
  let { maxMapnr } = main;
  if (since(6)) {
    const wide = pair();
    if (split) [startPfn, endPfn] = wide;
    maxMapnr = cursor.u64AsNumber() || maxMapnr;
  }
  if (!split) [startPfn, endPfn] = [0, Number.POSITIVE_INFINITY];
  return { ...main, physBase, dumpLevel, split, startPfn, endPfn, vmcoreinfo, notes, eraseInfo, maxMapnr };
}
