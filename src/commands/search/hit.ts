/** What stands where `search` found something: the word with its name, text up to the end of its page, words around it. */
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { readWord, type SearchPattern } from "../../bytes/search-pattern.ts";
import type { Memory } from "../../kernel/address-space.ts";
import { layOutRow, type MemoryGap, type MemoryRow, memoryRows, printable } from "../support/memory-rows.ts";

/** A place in memory and what stands there. */
export interface SearchHit {
  readonly address: bigint;
  /** The word found there: with -m it may differ from the one that was searched. */
  readonly value?: bigint;
  /** The symbol or expression that was searched. */
  readonly name?: string;
  /** -c: what stands there, to the end of the page. */
  readonly text?: string;
  /** -x: the words before it, a row of its own, the words behind. */
  readonly context?: readonly (MemoryRow | MemoryGap)[];
}

/** Lines of text that crash shows of a hit. */
const TEXT_COLUMNS = 56;
const PAGE = 4096n;

/** What is searched. */
export interface Wanted {
  readonly pattern: SearchPattern;
  /** For words: what each was called where it was no number. */
  readonly names: readonly (string | undefined)[];
}

/** What stands at a hit; it was read a moment ago. */
export function dressed(memory: Memory, at: bigint, { pattern, names }: Wanted, bits: 16 | 32 | 64, context: number): SearchHit {
  const address = virtual(at);
  if (pattern.kind === "texts") return { address, text: textAt(memory, address, pattern.texts) };
  const value = readWord(new DataView(memory.bytes(address, bits / 8).buffer), 0, bits);
  const index = pattern.values.findIndex((each) => ((each ^ value) & ~pattern.mask) === 0n);
  const name = names[index];
  const hit = name === undefined ? { address, value } : { address, value, name: name.replace(/^\((.*)\)$/, "$1") };
  if (context === 0) return hit;
  const size = bits / 8;
  const rows = (offset: number, count: number) => [...memoryRows(memory, add(address, offset * size), bits, count)];
  return { ...hit, context: [...rows(-context, context), ...rows(0, 1), ...rows(1, context)] };
}

/** 56 characters, no further than the page unless the text itself goes on behind it. */
function textAt(memory: Memory, address: VirtualAddress, texts: readonly Uint8Array[]): string {
  const toPageEnd = Number(PAGE - (address % PAGE));
  const bytes = memory.tryBytes(address, TEXT_COLUMNS);
  const ends = bytes === undefined || texts.some((text) => text.length <= toPageEnd && startsWith(bytes, text));
  const shown = bytes === undefined || ends ? memory.bytes(address, Math.min(TEXT_COLUMNS, toPageEnd)) : bytes;
  return printable(shown);
}

/** True when the bytes begin with the text, as far as they go. */
function startsWith(bytes: Uint8Array, text: Uint8Array): boolean {
  return text.every((byte, i) => i >= bytes.length || bytes[i] === byte);
}

/** A hit as crash shows it, with words around it as `rd` does. */
export function* hitLines({ address, value, name, text, context }: SearchHit, bits: 16 | 32 | 64): Iterable<string> {
  if (text !== undefined) yield `${address.toString(16)}: ${text}`;
  else if (context === undefined) yield `${address.toString(16)}: ${(value ?? 0n).toString(16)}${name === undefined ? "" : ` (${name})`}`;
  else {
    for (const row of context) {
      if (row.address !== address) yield layOutRow(row, { bits, format: "hexadecimal", ascii: true });
      else yield `${hex16(address)}:  ${(value ?? 0n).toString(16)}${name === undefined ? "" : ` (${name})`}`;
    }
    yield "";
  }
}
