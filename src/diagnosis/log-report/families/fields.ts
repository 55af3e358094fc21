/** What a family's parser gives: names of its own, and `faultAddress`, `errorCode`, `access`, `pid`, `comm` where the report tells them. */
import type { LogLine } from "../report.ts";

export type Fields = Record<string, string | number | bigint | readonly string[]>;
/** `lead`: the lines of the same context before the head. */
export type FieldParser = (lines: readonly LogLine[], lead: readonly LogLine[]) => Fields;

/** Hexadecimal digits as an address. */
export function hex(digits: string | undefined): bigint {
  return BigInt(`0x${digits === undefined || digits === "" ? "0" : digits}`);
}

/** The first match of a pattern in any line. */
export function find(lines: readonly LogLine[], pattern: RegExp): RegExpExecArray | undefined {
  for (const { text } of lines) {
    const match = pattern.exec(text);
    if (match !== null) return match;
  }
  return undefined;
}
