/** Memory as text, for `rd -a`: as crash cuts it into lines. */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { FaultError, InquestError } from "../../bytes/errors.ts";
import type { Memory } from "../../kernel/address-space.ts";
import type { MemoryGap } from "../support/memory-rows.ts";
import { reasonOf } from "../support/read-value.ts";

/** A line of `rd -a`. */
export interface TextRow {
  readonly address: bigint;
  readonly text: string;
}

/** Characters a line of -a. */
const TEXT_COLUMNS = 60;
/** -a without a count ends at the first byte that is no text; this ends it where none comes. */
const MAX_TEXT = 1 << 20;

/** Text in lines of sixty. Without a count it ends at the first byte that is not printable; with one such bytes end the line. */
export function* textRows(memory: Memory, start: VirtualAddress, count: number | undefined): Generator<TextRow | MemoryGap> {
  let line = "";
  let lineStart = start;
  for (let i = 0; i < (count ?? MAX_TEXT); i++) {
    const address = add(start, i);
    let byte: number;
    try {
      byte = memory.u8(address);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      if (line !== "") yield { address: lineStart, text: line };
      if (!(error instanceof FaultError) || i === 0) throw error;
      yield { address, bytes: (count ?? i + 1) - i, unreadable: error.reason, message: reasonOf(error) };
      return;
    }
    const printable = byte >= 0x20 && byte < 0x7f;
    if (printable) {
      if (line === "") lineStart = address;
      line += String.fromCharCode(byte);
    }
    if ((!printable && line !== "") || line.length === TEXT_COLUMNS) {
      yield { address: lineStart, text: line };
      line = "";
    }
    if (!printable && count === undefined) return;
  }
  if (line !== "") yield { address: lineStart, text: line };
}
