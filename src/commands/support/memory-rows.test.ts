/** Expected lines as crash 8.0.2 printed them of a 6.1 dump (here of bytes made to match). */
import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { SparseMemory } from "../../kernel/testing/small-kernel.ts";
import { layOutRow, memoryRows, type RowLayout, type WordBits } from "./memory-rows.ts";

const AT = 0xffffffff97d1ffe0n;
const memory = new SparseMemory().text(AT, "Linux version 6.1.0-56-cloud-amd64");

const lines = (bits: WordBits, count: number, layout: Partial<RowLayout> = {}, from = AT, source = memory) =>
  [...memoryRows(source, virtual(from), bits, count)].map((row) => layOutRow(row, { bits, format: "hexadecimal", ascii: true, ...layout }));

describe("hexadecimal with text", () => {
  test.each([
    [
      64,
      3,
      "ffffffff97d1ffe0:  65762078756e694c 2e36206e6f697372   Linux version 6.",
      "ffffffff97d1fff0:  632d36352d302e31                    1.0-56-c",
    ],
    [
      32,
      5,
      "ffffffff97d1ffe0:  756e694c 65762078 6f697372 2e36206e   Linux version 6.",
      "ffffffff97d1fff0:  2d302e31                              1.0-",
    ],
    [
      16,
      9,
      "ffffffff97d1ffe0:  694c 756e 2078 6576 7372 6f69 206e 2e36   Linux version 6.",
      "ffffffff97d1fff0:  2e31                                      1.",
    ],
    [
      8,
      20,
      "ffffffff97d1ffe0:  4c 69 6e 75 78 20 76 65 72 73 69 6f 6e 20 36 2e   Linux version 6.",
      "ffffffff97d1fff0:  31 2e 30 2d                                       1.0-",
    ],
  ] as const)("%i bits", (bits, count, first, second) => {
    expect(lines(bits, count)).toEqual([first, second]);
  });
});

describe("decimal", () => {
  const ones = new SparseMemory().put(AT, -1).put(AT + 8n, 0);
  test.each([
    [64, "signed", 2, "ffffffff97d1ffe0:               -1               0 "],
    [64, "unsigned", 2, "ffffffff97d1ffe0:  18446744073709551615                    0 "],
    [32, "signed", 4, "ffffffff97d1ffe0:            -1           -1            0            0 "],
    [32, "unsigned", 4, "ffffffff97d1ffe0:    4294967295   4294967295            0            0 "],
    [16, "unsigned", 4, "ffffffff97d1ffe0:  65535 65535 65535 65535 "],
    [8, "unsigned", 8, "ffffffff97d1ffe0:  255 255 255 255 255 255 255 255 "],
    [8, "signed", 2, "ffffffff97d1ffe0:   -1  -1 "],
  ] as const)("%i bits %s", (bits, format, count, line) => {
    expect(lines(bits, count, { format, ascii: false }, AT, ones)).toEqual([line]);
  });
});

test("names stand for words, padded to a word's width", () => {
  const row = { address: AT, words: [1n, 2n, 3n], ascii: "", names: ["init_fs", null, "[ff26c5f701200b68:task_struct]"] };
  expect(layOutRow(row, { bits: 64, format: "hexadecimal", ascii: false })).toBe(
    "ffffffff97d1ffe0:  init_fs          0000000000000002 [ff26c5f701200b68:task_struct] ",
  );
});

test("low addresses are right-aligned", () => {
  expect(lines(64, 1, { ascii: false }, 0x1000n, new SparseMemory().put(0x1000n, 5))).toEqual(["            1000:  0000000000000005 "]);
});

test("memory that cannot be read is one gap up to the next page, and the rest follows", () => {
  const source = new SparseMemory().put(0x1ff8n, 1).put(0x3000n, 3);
  expect(lines(64, 515, { ascii: false }, 0x1ff8n, source)).toEqual([
    "            1ff8:  0000000000000001 ",
    "            2000:  4096 bytes unreadable: not mapped",
    "            3000:  0000000000000003 0000000000000000 ",
  ]);
});

test("a word across a page that is missing belongs to the gap", () => {
  const source = new SparseMemory().put(0x1000n, 1);
  expect([...memoryRows(source, virtual(0x1ffcn), 64, 2)]).toMatchObject([
    { unreadable: "unmapped", address: 0x1ffcn, bytes: 8 },
    { unreadable: "unmapped" },
  ]);
});
