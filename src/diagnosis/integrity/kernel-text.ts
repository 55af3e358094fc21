/**
 * The kernel's code against the image that it was linked into: a byte that differs in one bit alone, in the midst of bytes that are the same.
 *
 *   file   48 8b 45 10 48 85 c0 74 1a
 *   dump   48 8b 45 10 48 a5 c0 74 1a          85 ^ a5 is one bit: nothing patches a single bit
 *
 * The kernel patches its own code: alternatives (.altinstructions: struct alt_instr), jump labels, static calls, ftrace, paravirt, retpolines,
 * and KASLR adds its offset to absolute addresses (arch/x86/boot/compressed/misc.c, handle_relocations). So a difference is passed over when
 * it lies in an alternative, when four bytes around it differ by just that offset, when it is part of a direct call that leads to the start
 * of a function both before and after, or when another difference is near. Rows 12 and 31 of the catalogue.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";

export interface FlippedByte {
  readonly address: VirtualAddress;
  readonly found: number;
  readonly expected: number;
  readonly bit: number;
}

export interface TextCheck {
  readonly flipped: readonly FlippedByte[];
  /** Pages that were compared. */
  readonly pages: number;
}

const PAGE = 4096;
/** Bytes on both sides that must be the same: what the kernel patches at once is not longer. */
const ALIKE = 8;
/** Alternatives, jump labels: as many are in no kernel. */
const MAX_ALTERNATIVES = 1 << 18;
const MAX_PAGES = 1 << 15;

/** Compares the pages that hold these addresses, all of the kernel's code when absent. undefined without a vmlinux. */
export function checkKernelText(kernel: Kernel, around?: readonly bigint[]): TextCheck | undefined {
  const { vmlinux } = kernel.debugInfo;
  const [start, end] = [kernel.tryAddress("_stext"), kernel.tryAddress("_etext")];
  if (vmlinux?.bytesAt === undefined || start === undefined || end === undefined || end - start > BigInt(MAX_PAGES * PAGE))
    return undefined;
  const { bias, bytesAt } = vmlinux;
  const isPatched = alternatives(kernel, bytesAt, bias);
  const flipped: FlippedByte[] = [];
  let pages = 0;
  for (const page of pagesOf(start, end, around)) {
    const dump = kernel.memory.tryBytes(page, PAGE);
    const file = dump === undefined ? undefined : bytesAt(BigInt.asUintN(64, page - bias), PAGE);
    if (dump === undefined || file === undefined || file.length < PAGE) continue;
    pages++;
    for (const at of loneDifferences(dump, file)) {
      const difference = (dump[at] as number) ^ (file[at] as number);
      if ((difference & (difference - 1)) !== 0) continue;
      const address = virtual(page + BigInt(at));
      if (
        address < start ||
        address >= end ||
        isPatched(address) ||
        isRelocated(dump, file, at, bias) ||
        isCall(kernel, dump, file, page, at)
      )
        continue;
      flipped.push({ address, found: dump[at] as number, expected: file[at] as number, bit: Math.log2(difference) });
    }
  }
  return { flipped, pages };
}

function* pagesOf(start: bigint, end: bigint, around: readonly bigint[] | undefined): Generator<VirtualAddress> {
  const first = start & ~BigInt(PAGE - 1);
  if (around === undefined) {
    for (let page = first; page < end; page += BigInt(PAGE)) yield virtual(page);
    return;
  }
  for (const page of new Set(around.map((address) => address & ~BigInt(PAGE - 1)))) if (page >= first && page < end) yield virtual(page);
}

/** Offsets of bytes that differ while those around them do not; not at the page's edges, where the rest is not seen. */
function* loneDifferences(dump: Uint8Array, file: Uint8Array): Generator<number> {
  let last = -ALIKE - 1;
  let lone = -1;
  for (let i = 0; i < dump.length; i++) {
    if (dump[i] === file[i]) {
      if (lone >= 0 && i - lone > ALIKE) {
        yield lone;
        lone = -1;
      }
      continue;
    }
    lone = i - last > ALIKE && i >= ALIKE ? i : -1;
    last = i;
  }
}

/** KASLR adds its offset to 32-bit absolute addresses in code. */
function isRelocated(dump: Uint8Array, file: Uint8Array, at: number, bias: bigint): boolean {
  const added = Number(BigInt.asUintN(32, bias));
  if (added === 0) return false;
  const word = (bytes: Uint8Array, from: number) => new DataView(bytes.buffer, bytes.byteOffset + from, 4).getUint32(0, true);
  for (let from = Math.max(0, at - 3); from <= at && from + 4 <= dump.length; from++)
    if ((word(dump, from) - word(file, from)) >>> 0 === added >>> 0) return true;
  return false;
}

/** x86-64: e8/e9 and four bytes; the target of both is a function's first byte: a call that was redirected. */
function isCall(kernel: Kernel, dump: Uint8Array, file: Uint8Array, page: bigint, at: number): boolean {
  if (kernel.arch.name !== "x86_64") return false;
  for (let from = Math.max(0, at - 4); from < at && from + 5 <= dump.length; from++) {
    const opcode = dump[from];
    if (opcode !== 0xe8 && opcode !== 0xe9) continue;
    const target = (bytes: Uint8Array) =>
      page + BigInt(from + 5 + new DataView(bytes.buffer, bytes.byteOffset + from + 1, 4).getInt32(0, true));
    if ([dump, file].every((bytes) => kernel.symbols.byAddress(virtual(target(bytes)))?.offset === 0)) return true;
  }
  return false;
}

/** Whether an address lies in an alternative, by the table in the file (in the dump it may be freed). */
function alternatives(
  kernel: Kernel,
  bytesAt: (address: bigint, length: number) => Uint8Array | undefined,
  bias: bigint,
): (address: bigint) => boolean {
  const [first, last] = [kernel.tryAddress("__alt_instructions"), kernel.tryAddress("__alt_instructions_end")];
  const struct = kernel.types.tryStruct("alt_instr");
  const offset = struct?.firstField("instr_offset", "orig_offset");
  const length = struct?.firstField("instrlen", "orig_len");
  const starts: number[] = [];
  const ends: number[] = [];
  try {
    if (first !== undefined && last !== undefined && struct !== undefined && offset !== undefined && length !== undefined) {
      const size = Math.min(Number(last - first), MAX_ALTERNATIVES * struct.size);
      const table = bytesAt(BigInt.asUintN(64, first - bias), size);
      const view = table === undefined ? undefined : new DataView(table.buffer, table.byteOffset, table.byteLength);
      for (let at = 0; view !== undefined && at + struct.size <= view.byteLength; at += struct.size) {
        const start = Number(first - BASE) + at + offset.offset + view.getInt32(at + offset.offset, true);
        starts.push(start);
        ends.push(start + view.getUint8(at + length.offset));
      }
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  const order = starts.map((_, index) => index).sort((a, b) => (starts[a] as number) - (starts[b] as number));
  return (address) => {
    const at = Number(address - BASE);
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[order[middle] as number] as number) <= at) low = middle + 1;
      else high = middle;
    }
    // Entries of one place follow one another; the longest counts.
    for (let i = low - 1; i >= 0 && i >= low - 8; i--) if ((ends[order[i] as number] as number) > at) return true;
    return false;
  };
}

/** Numbers below 2^53 stand for kernel addresses. */
const BASE = 0xffff_0000_0000_0000n;
