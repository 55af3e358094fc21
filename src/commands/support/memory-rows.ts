/**
 * Memory as rows of words: what `rd`, `struct -r` and `bt -r` show. Rows are data; layOutRow makes crash's columns of them.
 *
 *   ffffffff9861aa40:  0000000000004000 0000000000000000   .@..............
 *   ffffffff9861aa40:  00004000 00000000 00000000 00000000   .@..............      32 bits
 *   ffffffff9861aa40:            16384               0                              signed decimal, 15 columns a word
 */
import { add, low32, type VirtualAddress } from "../../bytes/address.ts";
import type { FaultReason } from "../../bytes/errors.ts";
import { FaultError } from "../../bytes/errors.ts";
import type { Memory } from "../../kernel/address-space.ts";
import { reasonOf } from "./read-value.ts";

export type WordBits = 8 | 16 | 32 | 64;

export interface MemoryRow {
  readonly address: bigint;
  /** Raw words, unsigned; fewer than a full row at the end or before memory that cannot be read. */
  readonly words: readonly bigint[];
  /** The bytes as text, what is not printable as a dot. */
  readonly ascii: string;
  /** The words by name (rd -s, -S, -SS); null where a word has none. */
  readonly names?: readonly (string | null)[];
}

/** Memory that cannot be read. */
export interface MemoryGap {
  readonly address: bigint;
  readonly bytes: number;
  readonly unreadable: FaultReason;
  readonly message: string;
}

const ROW_BYTES = 16;
const PAGE = 4096;

/** Rows of `count` words from the address on. Memory that cannot be read becomes gaps of up to a page; the rest is still read. */
export function* memoryRows(memory: Memory, start: VirtualAddress, bits: WordBits, count: number): Generator<MemoryRow | MemoryGap> {
  const size = bits / 8;
  const perRow = ROW_BYTES / size;
  let left = count;
  let address = start;
  while (left > 0) {
    const words: bigint[] = [];
    const bytes: number[] = [];
    let fault: FaultError | undefined;
    while (words.length < Math.min(perRow, left)) {
      try {
        const word = memory.bytes(add(address, words.length * size), size);
        bytes.push(...word);
        words.push(wordOf(word));
      } catch (error) {
        if (!(error instanceof FaultError)) throw error;
        fault = error;
        break;
      }
    }
    if (words.length > 0) yield { address, words, ascii: printable(bytes) };
    address = add(address, words.length * size);
    left -= words.length;
    if (fault === undefined) continue;
    const toPageEnd = Math.max(1, Math.ceil((PAGE - (low32(address) & (PAGE - 1))) / size));
    const skipped = Math.min(left, toPageEnd);
    yield { address, bytes: skipped * size, unreadable: fault.reason, message: reasonOf(fault) };
    address = add(address, skipped * size);
    left -= skipped;
  }
}

/** Little-endian word of 1, 2, 4 or 8 bytes. */
function wordOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

/** Bytes as text, with a dot for what is not printable ASCII. */
export function printable(bytes: Iterable<number>): string {
  let text = "";
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  return text;
}

export interface RowLayout {
  readonly bits: WordBits;
  readonly format: "hexadecimal" | "signed" | "unsigned";
  readonly ascii: boolean;
}

/** Columns of a decimal word, as crash has them. */
const SIGNED_WIDTH: Readonly<Record<WordBits, number>> = { 8: 3, 16: 5, 32: 12, 64: 15 };
const UNSIGNED_WIDTH: Readonly<Record<WordBits, number>> = { 8: 3, 16: 5, 32: 12, 64: 20 };

/** One line of a row or a gap. */
export function layOutRow(row: MemoryRow | MemoryGap, layout: RowLayout): string {
  const start = `${row.address.toString(16).padStart(16)}:  `;
  if (!("words" in row)) return `${start}${row.bytes} bytes unreadable: ${row.message}`;
  let line = start;
  row.words.forEach((word, i) => {
    const name = row.names?.[i];
    line += `${name === null || name === undefined ? wordText(word, layout) : name.padEnd(16)} `;
  });
  if (!layout.ascii) return line;
  const missing = ROW_BYTES / (layout.bits / 8) - row.words.length;
  return `${line}${" ".repeat(missing * (layout.bits / 4 + 1))}  ${row.ascii}`;
}

function wordText(word: bigint, { bits, format }: RowLayout): string {
  if (format === "hexadecimal") return word.toString(16).padStart(bits / 4, "0");
  if (format === "signed") return BigInt.asIntN(bits, word).toString().padStart(SIGNED_WIDTH[bits]);
  return word.toString().padStart(UNSIGNED_WIDTH[bits]);
}
