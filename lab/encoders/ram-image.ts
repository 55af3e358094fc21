/**
 * The guest's memory as the hypervisor's ELF dump holds it: physical ranges and where each lies in the file. The encoders beside this file
 * turn it into other containers; zero blocks are left as holes, so the copies cost little disk.
 */
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";

export interface RamRange {
  /** Physical address of the first byte. */
  readonly start: number;
  readonly size: number;
  readonly offset: number;
}

export interface RamImage {
  readonly ranges: readonly RamRange[];
  /** Read `size` bytes at a physical address inside one range. */
  read(address: number, size: number): Buffer;
  close(): void;
}

const PT_LOAD = 1;
/** Ranges closer than this belong to the same bank of memory: below 1 MiB a PC has holes for firmware. */
const SAME_BANK = 1 << 20;

function loadSegments(header: Buffer): RamRange[] {
  const table = Number(header.readBigUInt64LE(0x20));
  const entrySize = header.readUInt16LE(0x36);
  const ranges: RamRange[] = [];
  for (let i = 0; i < header.readUInt16LE(0x38); i++) {
    const at = table + i * entrySize;
    if (header.readUInt32LE(at) !== PT_LOAD) continue;
    const size = Number(header.readBigUInt64LE(at + 32));
    if (size > 0) ranges.push({ offset: Number(header.readBigUInt64LE(at + 8)), start: Number(header.readBigUInt64LE(at + 24)), size });
  }
  return ranges.sort((a, b) => a.start - b.start);
}

/** The ranges of the largest bank: the machine's memory without what devices map elsewhere. */
export function largestBank(ranges: readonly RamRange[]): RamRange[] {
  const banks: RamRange[][] = [];
  for (const range of ranges) {
    const bank = banks.at(-1);
    const last = bank?.at(-1);
    if (bank && last && range.start - (last.start + last.size) <= SAME_BANK) bank.push(range);
    else banks.push([range]);
  }
  const sizeOf = (bank: readonly RamRange[]) => bank.reduce((sum, range) => sum + range.size, 0);
  return banks.sort((a, b) => sizeOf(b) - sizeOf(a))[0] ?? [];
}

/** Open a hypervisor's ELF dump as memory. */
export function openRamImage(elfPath: string): RamImage {
  const fd = openSync(elfPath, "r");
  const header = Buffer.alloc(64 * 1024);
  readSync(fd, header, 0, header.length, 0);
  const ranges = largestBank(loadSegments(header));
  return {
    ranges,
    read(address, size) {
      const range = ranges.find((candidate) => address >= candidate.start && address + size <= candidate.start + candidate.size);
      if (range === undefined) throw new Error(`no memory at ${address.toString(16)}`);
      const bytes = Buffer.alloc(size);
      readSync(fd, bytes, 0, size, range.offset + (address - range.start));
      return bytes;
    },
    close: () => closeSync(fd),
  };
}

const BLOCK = 64 * 1024;
const ZERO_BLOCK = Buffer.alloc(BLOCK);

/** A file written from start to end in which zero blocks become holes. */
export class SparseWriter {
  private readonly fd: number;
  private position = 0;

  constructor(path: string) {
    this.fd = openSync(path, "w");
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += BLOCK) {
      const block = bytes.subarray(at, Math.min(at + BLOCK, bytes.length));
      if (!ZERO_BLOCK.subarray(0, block.length).equals(block)) writeSync(this.fd, block, 0, block.length, this.position + at);
    }
    this.position += bytes.length;
  }

  /** Leave a hole. */
  skip(size: number): void {
    this.position += size;
  }

  close(): void {
    ftruncateSync(this.fd, this.position);
    closeSync(this.fd);
  }
}
