import { describe, expect, test } from "vitest";
import { floatText, formatScalar, parseFormat, splitFormat } from "./value-format.ts";

test.each([
  ["8xg", { count: 8, letter: "x", unit: "g" }],
  ["gx", { count: undefined, letter: "x", unit: "g" }],
  ["-4", { count: -4, letter: undefined, unit: undefined }],
  ["", { count: undefined, letter: undefined, unit: undefined }],
  ["rx", { count: undefined, letter: "x", unit: undefined }],
])("format %s", (text, format) => {
  expect(parseFormat(text)).toEqual(format);
});

test("what is no format is told with what there is", () => {
  expect(() => parseFormat("8y")).toThrow('"/8y": "y" is no format; formats are x d u o t z a c f s i, units b h w g');
  expect(() => parseFormat("-")).toThrow("a count is missing");
});

test("a format stands behind a slash, before the expression", () => {
  expect(splitFormat("/8xg &head")).toEqual({ format: "8xg", rest: "&head" });
  expect(splitFormat(" /x")).toEqual({ format: "x", rest: "" });
  expect(splitFormat("a / b")).toEqual({ format: undefined, rest: "a / b" });
});

describe("scalars", () => {
  const int = (value: bigint, size = 4, extra = {}) => ({ value, size, signed: true, isFloat: false, ...extra });

  test.each([
    ["x", int(-1n), "0xffffffff"],
    ["x", int(-1n, 1), "0xff"],
    ["x", int(5n, 4, { padded: true }), "0x00000005"],
    ["d", int(0xffffffffn), "-1"],
    ["u", int(-1n, 2), "65535"],
    ["o", int(0n), "0"],
    ["o", int(8n), "010"],
    ["t", int(5n), "101"],
    ["t", int(5n, 1, { padded: true }), "00000101"],
    ["z", int(5n), "0x00000005"],
    ["c", int(0x241n), "65 'A'"],
    ["c", int(-1n, 4, { signed: false }), "255 '\\377'"],
    ["a", int(0x10n, 8, { label: () => ({ name: "f", offset: 3 }) }), "0x10 <f+3>"],
    ["f", int(0x3fc00000n), "1.5"],
    ["f", int(7n, 2), "7"],
    ["x", { value: 0x4004000000000000n, size: 8, signed: true, isFloat: true }, "0x2"],
    ["s", int(1n), undefined],
  ] as const)("/%s", (letter, scalar, text) => {
    expect(formatScalar(letter, scalar)).toBe(text);
  });
});

test.each([
  [0.1, 8, "0.10000000000000001"],
  [2.5, 8, "2.5"],
  [1e300, 8, "1.0000000000000001e+300"],
  [1e-5, 8, "1.0000000000000001e-05"],
  [16777216, 4, "16777216"],
  [0.1, 4, "0.100000001"],
  [-0, 8, "-0"],
  [Number.NaN, 8, "nan"],
  [Number.NEGATIVE_INFINITY, 8, "-inf"],
])("%s in %i bytes", (value, size, text) => {
  expect(floatText(size === 4 ? Math.fround(value) : value, size)).toBe(text);
});
