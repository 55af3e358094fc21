import { expect, test } from "vitest";
import { tokenize } from "./lexer.ts";

const texts = (text: string) => tokenize(text).map((token) => token.text);

test("splits operators, names and numbers", () => {
  expect(texts("((struct x *)0x10)->next[2].a<<3")).toEqual([
    "(",
    "(",
    "struct",
    "x",
    "*",
    ")",
    "0x10",
    ")",
    "->",
    "next",
    "[",
    "2",
    "]",
    ".",
    "a",
    "<<",
    "3",
    "",
  ]);
});

test.each([
  ["10", 10n],
  ["0x1F", 31n],
  ["017", 15n],
  ["0", 0n],
  ["7ul", 7n],
  ["0xffffffffffffffff", 0xffffffffffffffffn],
  // Pasted addresses that begin with a digit come without 0x.
  ["9861aa40ffff8888", 0x9861aa40ffff8888n],
])("number %s", (text, value) => {
  expect(tokenize(text)[0]).toMatchObject({ kind: "number", value });
});

test.each([
  ["'a'", 97n],
  ["'\\n'", 10n],
  ["'\\0'", 0n],
  ["'\\377'", -1n],
  ["'\\x41'", 65n],
  ["'\\''", 39n],
])("character %s", (text, value) => {
  expect(tokenize(text)[0]).toMatchObject({ kind: "character", value });
});

test.each([
  ["2.5", 2.5, false],
  ["0.5f", 0.5, true],
  ["1.5e3", 1500, false],
])("float %s", (text, value, single) => {
  expect(tokenize(text)[0]).toMatchObject({ kind: "float", value, single });
});

test("the dots of a slice and of the compiler's names are no floats", () => {
  expect(tokenize("a[2..5]").map(({ text }) => text)).toEqual(["a", "[", "2", "..", "5", "]", ""]);
  expect(tokenize("done.16").map(({ text }) => text)).toEqual(["done", ".", "16", ""]);
});

test.each([
  ['"ab\\n\\0\\x41\\101"', "ab\n\0AA"],
  ['"\\""', '"'],
  ['""', ""],
  ['"é"', "\xc3\xa9"],
])("string %s", (text, content) => {
  expect(tokenize(text)[0]).toMatchObject({ kind: "string", content });
});

test("a source file stands in single quotes", () => {
  expect(tokenize("'fs/read_write.c'::x").map(({ kind }) => kind)).toEqual(["file", "operator", "name", "end"]);
  expect(tokenize("'fs/read_write.c'")[0]).toMatchObject({ content: "fs/read_write.c" });
});

test("history references are tokens of their own", () => {
  expect(tokenize("$ + $3 - $$2").map(({ kind }) => kind)).toEqual(["history", "operator", "history", "operator", "history", "end"]);
});

test.each([
  ['p "x', 'column 3: """ is not closed'],
  ["'kernel", `column 1: "'" is not closed`],
  ["1 + `", 'column 5: "`" is not understood'],
  ["12ab", 'column 1: "12ab" is no number; hexadecimal is 0x12ab'],
  ["0x1ffffffffffffffff", "column 1: 0x1ffffffffffffffff does not fit 64 bits"],
])("error in %s", (text, message) => {
  expect(() => tokenize(text)).toThrow(message);
});

test("a text of absurd length is refused", () => {
  expect(() => tokenize("1+".repeat(10_000))).toThrow("10000 characters");
});
