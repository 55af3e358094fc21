import { describe, expect, it } from "vitest";
import { FormatError } from "../../bytes/errors.ts";
import * as dw from "./constants.ts";
import type { Unit } from "./die.ts";
import { LineTable } from "./line-table.ts";
import { LineTables } from "./line-tables.ts";
import {
  at,
  end,
  extended,
  type LineFiles,
  type LineLayout,
  type LineOpcode,
  lineProgram,
  special,
  standard,
} from "./testing/build-lines.ts";
import { FieldWriter } from "./testing/field-writer.ts";
import { MemorySections } from "./testing/memory-sections.ts";

const TEXT = 0xffff_ffff_8100_0000n;
const OLD: LineFiles = {
  directories: ["mm", "/usr/include"],
  files: [
    ["slub.c", 1],
    ["slab.h", 0],
    ["types.h", 2],
  ],
};
const NEW: LineFiles = {
  directories: ["/build", "mm", "/usr/include"],
  files: [
    ["slub.c", 1],
    ["slub.c", 1],
    ["slab.h", 0],
    ["types.h", 2],
  ],
};

/** Lines 10 and 12 of slub.c, line 5 of slab.h, line 13 of slub.c; 4 bytes each. */
const PROGRAM: readonly LineOpcode[] = [
  at(TEXT),
  standard(dw.DW_LNS_advance_line, 9),
  standard(dw.DW_LNS_copy),
  special(4, 2),
  standard(dw.DW_LNS_set_file, 2),
  standard(dw.DW_LNS_set_column, 200),
  standard(dw.DW_LNS_advance_line, -7),
  special(4, 0),
  standard(dw.DW_LNS_set_file, 1),
  standard(dw.DW_LNS_advance_line, 8),
  standard(dw.DW_LNS_negate_stmt),
  special(4, 0),
  end(4),
];

function table(version: 2 | 3 | 4 | 5, opcodes = PROGRAM, layout: LineLayout = {}) {
  const sections = new MemorySections(lineProgram(version, version === 5 ? NEW : OLD, opcodes, layout));
  return LineTable.open(sections, { lineOffset: 0, directory: "/build", addressSize: 8 }) as LineTable;
}

const text = (row: ReturnType<LineTable["row"]>) =>
  row === undefined
    ? "none"
    : `${row.file}:${row.line}:${row.column} ${row.range.low - TEXT}..${row.range.high - TEXT}${row.statement ? "" : " -"}`;

const ROWS = ["/build/mm/slub.c:10:0 0..4", "/build/mm/slub.c:12:0 4..8", "/build/slab.h:5:200 8..12", "/build/mm/slub.c:13:200 12..16 -"];

describe.each([
  ["2", table(2)],
  ["3", table(3)],
  ["4", table(4)],
  ["5", table(5)],
  ["5, as Clang writes it", table(5, PROGRAM, { md5: true })],
  ["5, names in the header", table(5, PROGRAM, { inline: true })],
  ["4, 64-bit", table(4, PROGRAM, { offsetSize: 8 })],
  ["5, 64-bit", table(5, PROGRAM, { offsetSize: 8 })],
])("version %s", (_name, lines) => {
  it("answers one address and all rows alike", () => {
    // The first addresses are searched for in the program; then rows are kept.
    const searched = [TEXT, TEXT + 7n, TEXT + 15n].map((address) => text(lines.row(address)));
    expect(searched).toEqual([ROWS[0], ROWS[1], ROWS[3]]);
    expect([...lines.rows({ low: TEXT, high: TEXT + 16n })].map(text)).toEqual(ROWS);
    expect([0n, 4n, 8n, 11n, 12n, 15n].map((offset) => text(lines.row(TEXT + offset)))).toEqual(
      [0, 1, 2, 2, 3, 3].map((index) => ROWS[index]),
    );
    expect(lines.row(TEXT - 1n)).toBeUndefined();
    expect(lines.row(TEXT + 16n)).toBeUndefined();
  });

  it("names files with their directories", () => {
    const first = lines.fileName(0) === undefined ? 1 : 0;
    expect([1, 2, 3, 4].map((index) => lines.fileName(index))).toEqual([
      "/build/mm/slub.c",
      "/build/slab.h",
      "/usr/include/types.h",
      undefined,
    ]);
    if (first === 0) expect(lines.fileName(0)).toBe("/build/mm/slub.c");
  });

  it("finds addresses of a line by a file's tail, counted in whole names", () => {
    expect(lines.find("slub.c", 12).map(text)).toEqual([ROWS[1]]);
    expect(lines.find("mm/slub.c", 13).map(text)).toEqual([ROWS[3]]);
    expect(lines.find("lub.c", 12)).toEqual([]);
    expect(lines.find("kernel/slub.c", 12)).toEqual([]);
    expect(lines.find("slab.h", 12)).toEqual([]);
  });
});

describe("programs", () => {
  const low = TEXT + 0x1000n;

  it("takes the last of several rows at one address, and gives rows that cover nothing in no answer", () => {
    const opcodes = [at(TEXT), special(0, 1), special(0, 1), special(2, 1), end(2)];
    for (const searches of [0, 3]) {
      const lines = table(4, opcodes);
      for (let i = 0; i < searches; i++) lines.row(TEXT);
      expect(text(lines.row(TEXT + 1n))).toBe("/build/mm/slub.c:3:0 0..2");
    }
    expect([...table(4, opcodes).rows({ low: TEXT, high: TEXT + 4n })].map(({ line }) => line)).toEqual([3, 4]);
  });

  it("gives the row that begins a statement where a reader wants that: the last such one at the address", () => {
    const rows = [
      at(TEXT),
      standard(dw.DW_LNS_advance_line, 9),
      standard(dw.DW_LNS_copy),
      special(0, 2),
      standard(dw.DW_LNS_negate_stmt),
      special(0, -1),
      // Only one row, and it begins none.
      special(4, 4),
      end(4),
    ];
    const lines = table(4, rows);
    expect(lines.row(TEXT)).toMatchObject({ line: 11, statement: false });
    expect(lines.statementRow(TEXT)).toMatchObject({ line: 12, statement: true, range: { low: TEXT, high: TEXT + 4n } });
    expect(lines.statementRow(TEXT + 3n)).toMatchObject({ line: 12 });
    expect(lines.statementRow(TEXT + 4n)).toMatchObject({ line: 15, statement: false });
    expect(lines.statementRow(TEXT + 8n)).toBeUndefined();
  });

  it("sorts sequences, and leaves out those without bytes or that do not ascend", () => {
    const opcodes = [
      at(low),
      special(0, 1),
      end(4),
      at(TEXT),
      special(0, 2),
      end(4),
      at(low),
      end(0),
      at(TEXT + 64n),
      special(4, 1),
      at(TEXT + 32n),
      special(0, 1),
      end(1),
    ];
    const lines = table(4, opcodes);
    expect([...lines.rows({ low: TEXT, high: low + 16n })].map(text)).toEqual([
      "/build/mm/slub.c:3:0 0..4",
      "/build/mm/slub.c:2:0 4096..4100",
    ]);
    expect([...lines.rows({ low: TEXT + 2n, high: TEXT + 3n })]).toHaveLength(1);
    expect([...lines.rows({ low: TEXT + 4n, high: low })]).toEqual([]);
  });

  it("multiplies by the length of instructions, and advances as each opcode says", () => {
    const opcodes = [
      at(TEXT),
      special(0, 1),
      standard(dw.DW_LNS_advance_pc, 3),
      standard(dw.DW_LNS_copy),
      // const_add_pc: as far as opcode 255 goes, (255 − 13) / 14 = 17 instructions.
      standard(dw.DW_LNS_const_add_pc),
      standard(dw.DW_LNS_copy),
      // In bytes, whatever the length of instructions.
      standard(dw.DW_LNS_fixed_advance_pc, 6),
      standard(dw.DW_LNS_copy),
      standard(dw.DW_LNS_set_isa, 1000),
      standard(dw.DW_LNS_set_prologue_end),
      standard(dw.DW_LNS_set_epilogue_begin),
      standard(dw.DW_LNS_set_basic_block),
      end(1),
    ];
    const lines = table(4, opcodes, { minimumInstruction: 4 });
    const bounds = [0n, 12n, 80n, 86n, 90n];
    expect([...lines.rows({ low: TEXT, high: TEXT + 100n })].map(({ range }) => [range.low - TEXT, range.high - TEXT])).toEqual(
      bounds.slice(0, 4).map((from, i) => [from, bounds[i + 1]]),
    );
    expect(lines.row(TEXT + 85n)?.range.low).toBe(TEXT + 80n);
  });

  it("counts operations of instruction bundles", () => {
    const lines = table(4, [at(TEXT), special(0, 1), special(3, 1), special(3, 1), end(2)], {
      minimumInstruction: 16,
      maximumOperations: 3,
    });
    expect([...lines.rows({ low: TEXT, high: TEXT + 100n })].map(({ range }) => range.low - TEXT)).toEqual([0n, 16n]);
  });

  it("passes over extended opcodes that it does not know, and takes files defined on the way", () => {
    const unknown: LineOpcode = (program) => extended(program, 0x80, [1, 2, 3]);
    const define: LineOpcode = (program) =>
      extended(program, dw.DW_LNE_define_file, new FieldWriter().string("late.c").uleb(1).uleb(0).uleb(0).finish());
    const opcodes = [at(TEXT), unknown, define, standard(dw.DW_LNS_set_file, 4), special(0, 1), end(4)];
    expect(text(table(4, opcodes).row(TEXT))).toBe("/build/mm/late.c:2:0 0..4");
  });

  it("gives the first row of each run of a line", () => {
    const opcodes = [at(TEXT), special(0, 1), special(4, 0), special(4, 1), special(4, -1), end(4)];
    expect(table(4, opcodes).find("slub.c", 2).map(text)).toEqual(["/build/mm/slub.c:2:0 0..4", "/build/mm/slub.c:2:0 12..16"]);
  });
});

describe("damaged line tables", () => {
  const open = (bytes: Uint8Array, offset = 0) =>
    LineTable.open(new MemorySections({ ".debug_line": bytes }), { lineOffset: offset, directory: undefined, addressSize: 8 });
  const good = lineProgram(4, OLD, PROGRAM)[".debug_line"];

  it("are errors that name the section", () => {
    const wrong = (offset: number, value: number) => {
      const bytes = good.slice();
      bytes[offset] = value;
      return bytes;
    };
    expect(() => open(wrong(4, 6))).toThrow(/\.debug_line: .* line program of version 6/);
    expect(() => open(wrong(0, 0xf0))).toThrow(FormatError);
    expect(() => open(wrong(6, 0xff))).toThrow(FormatError);
    // line_range 0 would divide by zero.
    expect(() => open(wrong(14, 0))).toThrow(FormatError);
    expect(() => open(good, good.length)).toThrow(FormatError);
    for (let length = 0; length < good.length; length++) expect(() => open(good.subarray(0, length))).toThrow(FormatError);
  });

  it("that break off within a program are errors when rows are asked for", () => {
    const lines = table(4, [at(TEXT), special(0, 1), (program) => program.u8(0).uleb(100).u8(2)]);
    expect(() => [...lines.rows({ low: TEXT, high: TEXT + 1n })]).toThrow(FormatError);
    expect(() => lines.row(TEXT)).toThrow(FormatError);
    expect(lines.fileName(1)).toBe("/build/mm/slub.c");
  });

  it("say more entries than there are bytes", () => {
    const bytes = lineProgram(5, { directories: [], files: [] }, [])[".debug_line"];
    // Behind the formats of directories stands their number.
    bytes[bytes.indexOf(dw.DW_FORM_line_strp) + 1] = 0x7f;
    expect(() => open(bytes)).toThrow(/127 entries/);
  });
});

describe("line tables of a file", () => {
  const first = lineProgram(4, OLD, PROGRAM)[".debug_line"];
  const second = lineProgram(
    4,
    {
      directories: [],
      files: [
        ["main.c", 0],
        ["mm/slab.h", 0],
      ],
    },
    [
      at(TEXT + 16n),
      standard(dw.DW_LNS_set_file, 2),
      standard(dw.DW_LNS_advance_line, 4),
      special(0, 0),
      standard(dw.DW_LNS_set_file, 1),
      special(4, 1),
      end(4),
    ],
  )[".debug_line"];
  const sections = new MemorySections({ ".debug_line": Uint8Array.from([...first, ...second]) });
  const unit = (name: string, lineOffset: number, low: bigint, high: bigint) =>
    ({ name, lineOffset, directory: "/build", addressSize: 8, ranges: [{ low, high }] }) as unknown as Unit;
  const units = [unit("mm/slub.c", 0, TEXT, TEXT + 16n), unit("main.c", first.length, TEXT + 16n, TEXT + 24n)];
  const lines = new LineTables(sections, {
    at: (address) => units.find(({ ranges }) => ranges.some(({ low, high }) => address >= low && address < high)),
    all: () => units,
  });

  it("goes from one unit to the next", () => {
    expect(lines.at(TEXT + 20n)?.file).toBe("/build/main.c");
    expect([...lines.rows({ low: TEXT + 8n, high: TEXT + 24n })].map(({ line }) => line)).toEqual([5, 13, 5, 6]);
    expect(lines.at(TEXT + 24n)).toBeUndefined();
  });

  it("looks for a line in the unit of the file, else in all", () => {
    expect(lines.find("slub.c", 12).map(text)).toEqual([ROWS[1]]);
    expect(lines.find("slab.h", 5).map(({ range }) => range.low - TEXT)).toEqual([8n, 16n]);
    expect(lines.find("mm/slab.h", 5).map(({ range }) => range.low - TEXT)).toEqual([16n]);
    expect(lines.find("other.c", 5)).toEqual([]);
  });
});
