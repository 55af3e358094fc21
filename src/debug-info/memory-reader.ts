/**
 * The little that readers of in-memory tables need from an address space. The kernel floor's `Memory` fits it; so does a test's byte array.
 *
 *   reader.u32(address)      throws FaultError when the page cannot be read
 *   readSparse(reader, …)    never throws: bytes that cannot be read are zero and listed as holes
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";

/** Little-endian reads of a virtual address space; each throws FaultError. */
export interface MemoryReader {
  u8(address: VirtualAddress): number;
  u16(address: VirtualAddress): number;
  u32(address: VirtualAddress): number;
  u64(address: VirtualAddress): bigint;
  /** A fresh copy of `length` bytes. */
  bytes(address: VirtualAddress, length: number): Uint8Array;
}

/** Bytes of which some could not be read. */
export interface SparseBytes {
  /** Unreadable ranges are zero. */
  readonly bytes: Uint8Array;
  /** Unreadable ranges as [start, end) offsets into `bytes`, ascending. */
  readonly holes: readonly (readonly [number, number])[];
}

/** Granularity at which a failed read is retried: the smallest page size of both architectures. */
const PIECE = 4096;

/** Reads a range as far as it can be read. */
export function readSparse(memory: MemoryReader, address: VirtualAddress, length: number): SparseBytes {
  const whole = attempt(memory, address, length);
  if (whole !== undefined) return { bytes: whole, holes: [] };
  const bytes = new Uint8Array(length);
  const holes: [number, number][] = [];
  let done = 0;
  while (done < length) {
    const here = add(address, done);
    const count = Math.min(length - done, PIECE - Number(here & BigInt(PIECE - 1)));
    const piece = attempt(memory, here, count);
    if (piece !== undefined) {
      bytes.set(piece, done);
    } else {
      const last = holes.at(-1);
      if (last !== undefined && last[1] === done) last[1] = done + count;
      else holes.push([done, done + count]);
    }
    done += count;
  }
  return { bytes, holes };
}

function attempt(memory: MemoryReader, address: VirtualAddress, length: number): Uint8Array | undefined {
  try {
    return memory.bytes(address, length);
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}
