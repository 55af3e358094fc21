/** The expected texts were printed by gdb 13 (`set print pretty on`, no folding of repeats as in crash) of the same C declarations. */
import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import type { CType } from "../../debug-info/c-type.ts";
import {
  array,
  BOOL,
  CHAR,
  enumeration,
  functionType,
  INT,
  LONG,
  pointerTo,
  SHORT,
  SparseMemory,
  struct,
  U8,
  UINT,
  ULONG,
  union,
  VOID,
} from "../../kernel/testing/small-kernel.ts";
import { printMember, printRaw, printTopLevel, printValue } from "./print-value.ts";
import { ValueReader, type ValueReaderOptions } from "./read-value.ts";

const AT = 0xffff888000001000n;

/** Text of a value of this type whose bytes are these. */
function print(type: CType, bytes: string | readonly number[], radix: 10 | 16 = 10, options: Partial<ValueReaderOptions> = {}): string {
  const memory = new SparseMemory().put(AT, 0);
  memory.write(AT, typeof bytes === "string" ? Uint8Array.from(bytes, (char) => char.charCodeAt(0)) : Uint8Array.from(bytes));
  return printValue(new ValueReader({ memory, ...options }).read(type, virtual(AT)), radix);
}

const words = (...values: readonly number[]) =>
  values.flatMap((value) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255]);

describe("integers", () => {
  test.each([
    [INT, words(-5), "-5", "0xfffffffb"],
    [UINT, words(-1), "4294967295", "0xffffffff"],
    [SHORT, [0xfe, 0xff], "-2", "0xfffe"],
    [LONG, [...words(-5), ...words(-1)], "-5", "0xfffffffffffffffb"],
    [LONG, [0, 0, 0, 0, 0, 0, 0, 0x80], "-9223372036854775808", "0x8000000000000000"],
    [ULONG, [...words(-1), ...words(-1)], "18446744073709551615", "0xffffffffffffffff"],
    [U8, [65], "65 'A'", "0x41"],
    [U8, [0], "0 '\\000'", "0x0"],
    [CHAR, [0xfd], "-3 '\\375'", "0xfd"],
    [CHAR, [0x27], "39 '\\''", "0x27"],
    [CHAR, [0x22], "34 '\"'", "0x22"],
    [CHAR, [10], "10 '\\n'", "0xa"],
    [BOOL, [1], "true", "0x1"],
    [BOOL, [0], "false", "0x0"],
  ] as const)("%#", (type, bytes, decimal, hexadecimal) => {
    expect([print(type, bytes), print(type, bytes, 16)]).toEqual([decimal, hexadecimal]);
  });

  test("__int128", () => {
    expect(print({ kind: "int", name: "__int128", size: 16, signed: true, encoding: "int" }, [5])).toBe("5");
  });
});

describe("enums", () => {
  const plain = enumeration("plain", { A: 1, B: 2, C: 3 });
  const flags = enumeration("flags", { X: 1, Y: 2, Z: 4 });
  const zero = enumeration("zero", { NONE: 0, ONE: 1 });
  const negative = enumeration("negative", { LOW: -1, MID: 0, HIGH: 1 });
  test.each([
    [plain, 3, "C"],
    [plain, 4, "4"],
    [flags, 1, "X"],
    [flags, 3, "(X | Y)"],
    [flags, 8, "(unknown: 0x8)"],
    [flags, 9, "(X | unknown: 0x8)"],
    [flags, 0, "0"],
    [zero, 0, "NONE"],
    [zero, 3, "(ONE | unknown: 0x2)"],
    [negative, -1, "LOW"],
    [negative, 7, "7"],
  ] as const)("%#", (type, value, text) => {
    expect([print(type, words(value)), print(type, words(value), 16)]).toEqual([text, text]);
  });
});

describe("characters", () => {
  test.each([
    [8, "abc", '"abc\\000\\000\\000\\000"'],
    [4, "abcd", '"abcd"'],
    [4, "", '"\\000\\000\\000"'],
    [1, "", '""'],
    [
      27,
      "a\n\t\"q\\\x1b\x7f\x80\xff'1\x07\b\f\v\r0",
      '"a\\n\\t\\"q\\\\\\033\\177\\200\\377\'1\\a\\b\\f\\v\\r0\\000\\000\\000\\000\\000\\000\\000\\000"',
    ],
  ])("array of %i", (length, bytes, text) => {
    expect([print(array(CHAR, length), bytes), print(array(U8, length), bytes, 16)]).toEqual([text, text]);
  });

  test("print_max counts characters; the last NUL is not one of them", () => {
    expect(print(array(CHAR, 6), "abcdef", 10, { printMax: 3 })).toBe('"abc"...');
    expect(print(array(CHAR, 4), "abc", 10, { printMax: 3 })).toBe('"abc"');
    expect(print(array(CHAR, 300), "")).toBe(`"${"\\000".repeat(256)}"...`);
    expect(print(array(CHAR, 257), "")).toBe(`"${"\\000".repeat(256)}"`);
  });

  test("null-stop ends at the first NUL", () => {
    expect(print(array(CHAR, 8), "ab\0cd", 10, { nullStop: true })).toBe('"ab"');
  });
});

describe("arrays", () => {
  test("numbers, nested, cut at print_max", () => {
    expect(print(array(array(INT, 2), 2), words(1, 2, 3, 4))).toBe("{{1, 2}, {3, 4}}");
    expect(print(array(INT, 5), words(1, 2, 3, 4, 5), 16, { printMax: 3 })).toBe("{0x1, 0x2, 0x3...}");
    expect(print(array(BOOL, 3), [1, 0, 1])).toBe("{true, false, true}");
  });

  test("structures stand one level deeper", () => {
    const point = struct("point", [
      ["x", INT],
      ["y", INT],
    ]);
    expect(print(struct("s", [["ps", array(point, 2)]]), words(1, 2, 3, 4))).toBe(
      "{\n  ps = {{\n      x = 1,\n      y = 2\n    }, {\n      x = 3,\n      y = 4\n    }}\n}",
    );
  });

  test("a flexible array is its address, of characters its text", () => {
    expect(
      print(
        struct("s", [
          ["n", INT],
          ["tail", array(INT, 0)],
        ]),
        words(1),
      ),
    ).toBe("{\n  n = 1,\n  tail = 0xffff888000001004\n}");
    expect(
      print(
        struct("s", [
          ["n", INT],
          ["tail", array(CHAR, 0)],
        ]),
        [...words(1), 104, 105],
      ),
    ).toBe('{\n  n = 1,\n  tail = 0xffff888000001004 "hi"\n}');
  });
});

test("structures: bitfields, anonymous members, unions, empty ones", () => {
  const type = struct("s", [
    ["bits", INT, 3],
    ["flag", U8, 1],
    [
      undefined,
      union(undefined, [
        ["a", UINT],
        ["b", array(U8, 4)],
      ]),
    ],
    ["none", struct("none", [])],
  ]);
  expect(print(type, [0b1111, 0, 0, 0, 65, 0, 0, 0])).toBe(
    "{\n  bits = -1,\n  flag = 1 '\\001',\n  {\n    a = 65,\n    b = \"A\\000\\000\"\n  },\n  none = {<No data fields>}\n}",
  );
  expect(print(type, [0b1111, 0, 0, 0, 65, 0, 0, 0], 16)).toContain("bits = 0xffffffff,\n  flag = 0x1,");
});

describe("pointers", () => {
  const label = (address: bigint) =>
    address === 0xffffffff81000010n
      ? { name: "task", offset: 16 }
      : address === 0xffffffff81000000n
        ? { name: "task", offset: 0 }
        : undefined;
  const bytes = (value: bigint) => Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(i * 8)) & 0xffn));
  test.each([
    [0n, "0x0"],
    [0xffff888012345678n, "0xffff888012345678"],
    [0xffffffff81000000n, "0xffffffff81000000 <task>"],
    [0xffffffff81000010n, "0xffffffff81000010 <task+16>"],
  ])("%s", (value, text) => {
    expect([
      print(pointerTo(VOID), bytes(value), 10, { label }),
      print(pointerTo(functionType(VOID)), bytes(value), 16, { label }),
    ]).toEqual([text, text]);
  });

  test("a char pointer shows its string, or why it cannot", () => {
    const memory = new SparseMemory()
      .put(AT, AT + 0x20n)
      .put(AT + 8n, 0x5000)
      .text(AT + 0x20n, "hello")
      .put(AT + 0x30n, 0);
    const reader = new ValueReader({ memory, printMax: 3 });
    const text = (address: bigint) => printValue(reader.read(pointerTo(CHAR), virtual(address)), 10);
    expect(text(AT)).toBe('0xffff888000001020 "hel"...');
    expect(text(AT + 8n)).toBe("0x5000 <unreadable: not mapped>");
    expect(text(AT + 0x30n)).toBe("0x0");
  });

  test("p says the type, but for strings", () => {
    const memory = new SparseMemory().put(AT, 0);
    const reader = new ValueReader({ memory });
    const top = (type: CType) => printTopLevel(reader.read(type, virtual(AT)), 10);
    expect(top(pointerTo(struct("s", [])))).toBe("(struct s *) 0x0");
    expect(top(pointerTo(CHAR))).toBe("0x0");
    expect(top(pointerTo({ kind: "const", target: CHAR }))).toBe("0x0");
    expect(top(pointerTo(U8))).toBe("(unsigned char *) 0x0");
    expect(top(INT)).toBe("0");
  });
});

describe("what cannot be read", () => {
  const tail = struct("tail", [
    ["a", ULONG],
    ["b", ULONG],
  ]);
  test("the readable neighbours are shown", () => {
    const memory = new SparseMemory().put(AT + 0xff8n, 7);
    const value = new ValueReader({ memory }).read(tail, virtual(AT + 0xff8n));
    expect(printValue(value, 10)).toBe("{\n  a = 7,\n  b = <unreadable: not mapped>\n}");
  });

  test("a structure of which nothing is there is one answer", () => {
    const value = new ValueReader({ memory: new SparseMemory() }).read(tail, virtual(AT));
    expect(value).toMatchObject({ kind: "unreadable", reason: "unmapped", address: AT });
    expect(printValue(value, 10)).toBe("<unreadable: not mapped>");
  });

  test("a type without definition", () => {
    expect(print({ kind: "forward", of: "struct", name: "x" }, [])).toBe("<unreadable: its type has no definition in this dump>");
  });
});

test("nesting ends at twenty levels", () => {
  let type: CType = INT;
  for (let i = 0; i < 30; i++) type = struct(`s${i}`, [["in", type]]);
  expect(print(type, words(1))).toContain("{...}");
});

test("members: with their comma, raw without", () => {
  const memory = new SparseMemory().text(AT, "ab\0cd\0\0\0").put(AT + 8n, -1, 4);
  const reader = new ValueReader({ memory });
  const text = reader.read(array(CHAR, 8), virtual(AT));
  const number = reader.read(INT, virtual(AT + 8n));
  expect(printMember("comm", text, 10)).toEqual(['  comm = "ab\\000cd\\000\\000",']);
  expect(printRaw("comm", text, 10)).toEqual(['  comm = "ab"']);
  expect(printRaw("pid", number, 10)).toEqual(["  pid = -1"]);
  expect(printRaw("state", { kind: "enum", type: "enum e", value: 2, names: ["TWO"] }, 10)).toEqual(["  state = 2"]);
  expect(printMember("", reader.read(struct(undefined, [["x", INT]]), virtual(AT + 8n)), 10)).toEqual(["  {", "    x = -1", "  },"]);
});
