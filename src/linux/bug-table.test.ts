import { expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { bugEntryAt, bugEntryNamed } from "./bug-table.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const OLD = {
  bug_entry: { bug_addr_disp: [0, "s32"], file_disp: [4, "s32"], line: [8, "u16"], flags: [10, "u16"], $size: [12, ""] },
} as const;
const NEW = {
  bug_entry: {
    bug_addr_disp: [0, "s32"],
    format_disp: [4, "s32"],
    file_disp: [8, "s32"],
    line: [12, "u16"],
    flags: [14, "u16"],
    $size: [16, ""],
  },
} as const;
const TABLE = 0xffff_ffff_8200_0000n;
const TEXT = 0xffff_ffff_8100_0000n;
const STRINGS = 0xffff_ffff_8180_0000n;

function kernelWith(
  table: typeof OLD | typeof NEW,
  entries: readonly {
    readonly trap: bigint;
    readonly file: bigint;
    readonly format?: bigint;
    readonly line: number;
    readonly flags: number;
  }[],
  names = "mm/slub.c\0",
) {
  const fake = new FakeKernel(table);
  const size = table.bug_entry.$size[0];
  fake.symbol("__start___bug_table", TABLE);
  fake.symbol("__stop___bug_table", TABLE + BigInt(size * entries.length));
  for (const [i, { trap, file, format, line, flags }] of entries.entries()) {
    const at = TABLE + BigInt(i * size);
    const put = (member: readonly [number, string], target: bigint): void => {
      const field = at + BigInt(member[0]);
      fake.memory.put32(field, Number(BigInt.asIntN(32, target - field)));
    };
    put(table.bug_entry.bug_addr_disp, trap);
    put(table.bug_entry.file_disp, file);
    if ("format_disp" in table.bug_entry) put(table.bug_entry.format_disp, format ?? at + 4n);
    fake.memory.put16(at + BigInt(table.bug_entry.line[0]), line);
    fake.memory.put16(at + BigInt(table.bug_entry.flags[0]), flags);
  }
  fake.memory.putText(STRINGS - 1n, `\0${names}`);
  fake.memory.putText(STRINGS + 64n, "[count > max] drivers/x.c\0");
  fake.memory.putText(STRINGS + 128n, "lost %u\0");
  return fake.kernel;
}

it("finds a trap's file and line by the distances in the table", () => {
  const kernel = kernelWith(OLD, [
    { trap: TEXT + 0x10n, file: STRINGS, line: 7, flags: 0 },
    { trap: TEXT + 0x20n, file: STRINGS, line: 419, flags: 3 },
  ]);
  expect(bugEntryAt(kernel, virtual(TEXT + 0x20n))).toEqual({
    entry: TABLE + 12n,
    file: "mm/slub.c",
    line: 419,
    warning: true,
    once: true,
    done: false,
  });
  expect(bugEntryAt(kernel, virtual(TEXT + 0x10n))).toMatchObject({ line: 7, warning: false });
  expect(bugEntryAt(kernel, virtual(TEXT + 0x18n))).toBeUndefined();
});

it("finds the file of kernels before 5.19, whose distance is from the entry's beginning", () => {
  const kernel = kernelWith(OLD, [{ trap: TEXT, file: STRINGS + 3n + 4n, line: 305, flags: 0 }], "ab\0mm/slub.c\0");
  expect(bugEntryAt(kernel, virtual(TEXT))).toMatchObject({ file: "mm/slub.c", line: 305 });
});

it("reads condition and format where the kernel keeps them", () => {
  const kernel = kernelWith(NEW, [{ trap: TEXT, file: STRINGS + 64n, format: STRINGS + 128n, line: 3, flags: 1 }]);
  expect(bugEntryAt(kernel, virtual(TEXT))).toMatchObject({
    file: "drivers/x.c",
    condition: "count > max",
    format: "lost %u",
    warning: true,
  });
});

it("has no entry where the table is not in the dump, or no kernel has one", () => {
  expect(bugEntryAt(new FakeKernel(OLD).kernel, virtual(TEXT))).toBeUndefined();
  expect(bugEntryAt(new FakeKernel({}).kernel, virtual(TEXT))).toBeUndefined();
  const gone = new FakeKernel(OLD);
  gone.symbol("__start___bug_table", TABLE);
  gone.symbol("__stop___bug_table", TABLE + 24n);
  expect(bugEntryAt(gone.kernel, virtual(TEXT))).toBeUndefined();
});

it("finds the entry that a trap names in a register, and none between entries", () => {
  const kernel = kernelWith(NEW, [
    { trap: TEXT + 0x10n, file: STRINGS, line: 7, flags: 0 },
    { trap: TEXT + 0x20n, file: STRINGS, format: STRINGS + 128n, line: 6500, flags: 3 },
  ]);
  expect(bugEntryNamed(kernel, virtual(TEXT + 0x99n), TABLE + 16n)).toMatchObject({ line: 6500, warning: true, format: "lost %u" });
  expect(bugEntryNamed(kernel, virtual(TEXT + 0x99n), TABLE + 8n)).toBeUndefined();
  expect(bugEntryNamed(kernel, virtual(TEXT + 0x99n), TABLE + 32n)).toBeUndefined();
});
