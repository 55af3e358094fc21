import { expect, test } from "vitest";
import { isSequence } from "./loop-object.ts";

test("a sequence counter by its structure, wherever it lies in another", () => {
  expect(isSequence("struct clock", "seq.seqcount.seqcount.sequence")).toBe(true);
  expect(isSequence("struct seqcount", "sequence")).toBe(true);
  expect(isSequence("struct packet", "sequence")).toBe(false);
  expect(isSequence("struct seqcount", undefined)).toBe(false);
});
