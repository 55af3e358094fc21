import { expect, test } from "vitest";
import { broken, proseWidth, wrapped } from "./prose.ts";

test("breaks at blanks, never between a number and its unit, never within a word", () => {
  expect(broken("it has waited for 20 s there", 20)).toEqual(["it has waited for", "20 s there"]);
  expect(broken("a ffffffffffffffffffffffff b", 10)).toEqual(["a", "ffffffffffffffffffffffff", "b"]);
});

test("the indent counts", () => {
  expect([...wrapped("aaa bbb ccc", "    ", 11)]).toEqual(["    aaa bbb", "    ccc"]);
});

test("a screen is filled but for its last column, a wide one is not", () => {
  expect([undefined, 80, 300, 5].map(proseWidth)).toEqual([118, 79, 118, 40]);
});
