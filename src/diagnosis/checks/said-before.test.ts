import { expect, it } from "vitest";
import type { LogRecord } from "../../linux/log-record.ts";
import type { LogEvent } from "../subject/log-events.ts";
import { saidBefore } from "./said-before.ts";

const record = (text: string, level: number, more: Partial<LogRecord> = {}): LogRecord => ({
  sequence: 0,
  nanoseconds: 3_000_000_000n,
  level,
  facility: 0,
  caller: "C1",
  comm: undefined,
  text,
  dictionary: [],
  ...more,
});
const WORDS = "skbuff: skb_over_panic: text:ffffffffc034a063 len:1938 put:489";
const CUT = record("------------[ cut here ]------------", 4);
const BUG = record("kernel BUG at net/core/skbuff.c:120!", 2);

function said(...records: readonly LogRecord[]): string | undefined {
  const event: LogEvent = { family: "assertion", kind: "bug", text: BUG.text, index: records.length - 1, time: 3 };
  return saidBefore(records, event);
}

it("is what the same CPU printed as an emergency right before", () => {
  expect(said(record(WORDS, 0), CUT, BUG)).toBe(WORDS);
  expect(said(record(WORDS, 2), BUG)).toBe(WORDS);
});

it("is nobody else's, nothing ordinary and nothing old", () => {
  expect(said(record(WORDS, 0, { caller: "T12" }), CUT, BUG)).toBeUndefined();
  expect(said(record(WORDS, 6), CUT, BUG)).toBeUndefined();
  expect(said(record(WORDS, 0, { nanoseconds: 1_000_000_000n }), CUT, BUG)).toBeUndefined();
  expect(said(record(WORDS, 0, { facility: 1 }), CUT, BUG)).toBeUndefined();
  expect(said(BUG)).toBeUndefined();
});
