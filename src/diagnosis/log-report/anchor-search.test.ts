import { expect, test } from "vitest";
import { AnchorSearch } from "./anchor-search.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("finds the first of several anchors at every alignment", () => {
  const search = new AnchorSearch(["BUG: ", "Oops:", "LOCKU"]);
  for (let pad = 0; pad < 12; pad++) {
    for (const anchor of ["BUG: ", "Oops:", "LOCKU"]) {
      const text = `${"BUG.Oops".repeat(2).slice(0, pad)}${anchor}x`;
      expect(search.find(bytes(text), 0)).toBe(text.indexOf(anchor));
    }
  }
});

test("starts where it is told and sees an anchor at the very end", () => {
  const search = new AnchorSearch(["BUG: "]);
  const text = bytes("BUG: one BUG: ");
  expect(search.find(text, 0)).toBe(0);
  expect(search.find(text, 1)).toBe(9);
  expect(search.find(text, 10)).toBe(-1);
  expect(search.find(text, 1, 13)).toBe(-1);
});

test("agrees with indexOf on random text of few letters", () => {
  const search = new AnchorSearch(["aabab", "babba"]);
  let seed = 7;
  for (let round = 0; round < 200; round++) {
    let text = "";
    for (let i = 0; i < 60; i++) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      text += seed & 0x10000 ? "a" : "b";
    }
    const places = [text.indexOf("aabab"), text.indexOf("babba")].filter((at) => at >= 0);
    expect(search.find(bytes(text), 0)).toBe(places.length === 0 ? -1 : Math.min(...places));
  }
});

test("anchors of two lengths are refused", () => {
  expect(() => new AnchorSearch(["BUG: ", "Oops"])).toThrow(RangeError);
});
