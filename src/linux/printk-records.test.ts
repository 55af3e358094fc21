import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { type RecordLayout, readRecords, recordLayout, splitText, structuredLog, textLog } from "./printk-records.ts";
import { FakeKernel, FakeMemory, fakeTypes } from "./testing/fake-kernel.ts";

const BUFFER = 0xffff_ffff_8300_0000n;
const LENGTH = 256;
const TABLE = {
  printk_log: {
    ts_nsec: [0, "u64"],
    len: [8, "u16"],
    text_len: [10, "u16"],
    dict_len: [12, "u16"],
    facility: [14, "u8"],
    flags: [15, "bits5:0"],
    level: [15, "bits3:5"],
  },
} as const;

function write(memory: FakeMemory, index: number, text: string, dict = "", time = 5n): number {
  const length = Math.ceil((16 + text.length + dict.length) / 8) * 8;
  const at = BUFFER + BigInt(index);
  memory.write(at, new Uint8Array(length));
  memory.put64(at, time);
  memory.put16(at + 8n, length);
  memory.put16(at + 10n, text.length);
  memory.put16(at + 12n, dict.length);
  memory.put8(at + 15n, 4 << 5);
  memory.putText(at + 16n, text + dict);
  return index + length;
}

function read(memory: FakeMemory, first: number, next: number) {
  return readRecords(
    memory,
    recordLayout(fakeTypes(memory, TABLE)) as RecordLayout,
    { data: virtual(BUFFER), length: LENGTH },
    first,
    next,
  );
}

describe("readRecords", () => {
  test("follows the chain and splits the dictionary", () => {
    const memory = new FakeMemory();
    memory.write(BUFFER, new Uint8Array(LENGTH));
    const second = write(memory, 0, "first");
    const end = write(memory, second, "second", "SUBSYSTEM=pci\0DEVICE=+pci:0");
    const { records, notes } = read(memory, 0, end);
    expect(records.map(({ text, level, nanoseconds }) => [text, level, nanoseconds])).toEqual([
      ["first", 4, 5n],
      ["second", 4, 5n],
    ]);
    expect(records[1]?.dictionary).toEqual([
      ["SUBSYSTEM", "pci"],
      ["DEVICE", "+pci:0"],
    ]);
    expect(notes).toEqual([]);
  });

  test("goes on at the start behind a record of length 0", () => {
    const memory = new FakeMemory();
    memory.write(BUFFER, new Uint8Array(LENGTH));
    const end = write(memory, 0, "newest");
    write(memory, 200, "older");
    expect(read(memory, 200, end).records.map(({ text }) => text)).toEqual(["older", "newest"]);
  });

  test("a length that does not fit ends the log with a note", () => {
    const memory = new FakeMemory();
    memory.write(BUFFER, new Uint8Array(LENGTH));
    const second = write(memory, 0, "good");
    const end = write(memory, second, "bad");
    memory.put16(BUFFER + BigInt(second) + 10n, 5000);
    const { records, notes } = read(memory, 0, end);
    expect(records.map(({ text }) => text)).toEqual(["good"]);
    expect(notes[0]).toContain(`record at ${second}`);
  });

  test("a chain that never ends is bounded", () => {
    const memory = new FakeMemory();
    memory.write(BUFFER, new Uint8Array(LENGTH));
    expect(read(memory, 0, 100).notes).toEqual(["the record chain wraps twice"]);
  });
});

describe("plain text logs", () => {
  test("prefixes are split off", () => {
    expect(splitText("<6>[    1.234567] a\nno prefix\n")).toMatchObject([
      { level: 6, facility: 0, nanoseconds: 1_234_567_000n, text: "a" },
      { nanoseconds: undefined, text: "no prefix" },
    ]);
  });

  test("the buffer begins where the last character was written, once it has wrapped", () => {
    const kernel = new FakeKernel({});
    kernel.symbol("log_buf", 0xffff_ffff_8100_0000n);
    kernel.symbol("log_buf_len", 0xffff_ffff_8100_0008n);
    kernel.symbol("log_end", 0xffff_ffff_8100_0010n);
    kernel.memory.put64(0xffff_ffff_8100_0000n, BUFFER);
    kernel.memory.put32(0xffff_ffff_8100_0008n, 8);
    kernel.memory.put32(0xffff_ffff_8100_0010n, 11);
    kernel.memory.putText(BUFFER, "89\nX4567");
    expect(textLog(kernel.kernel)?.records.map(({ text }) => text)).toEqual(["X456789"]);
  });
});

test("of two variables log_buf (3.18–4.14) printk's is the one beside log_buf_len", () => {
  const fake = new FakeKernel(TABLE);
  const [ours, verifiers] = [BUFFER + 0x10000n, BUFFER + 0x80000n];
  for (const [name, at, value] of [
    ["log_buf", verifiers, 0n],
    ["log_buf_len", ours + 8n, BigInt(LENGTH)],
    ["log_first_idx", ours + 16n, 0n],
    ["log_next_idx", ours + 24n, 0n],
  ] as const) {
    fake.symbol(name, at);
    fake.memory.put64(at, value);
  }
  fake.memory.put64(ours, BUFFER);
  fake.memory.write(BUFFER, new Uint8Array(LENGTH));
  fake.memory.put64(ours + 24n, BigInt(write(fake.memory, 0, "hello")));
  const all = { allByName: () => [{ address: virtual(verifiers) }, { address: virtual(ours) }] };
  Object.defineProperty(fake, "symbols", { value: all });
  expect(structuredLog(fake.kernel)?.records.map(({ text }) => text)).toEqual(["hello"]);
  Object.defineProperty(fake, "vmcoreinfo", { value: { symbol: (name: string) => (name === "log_buf" ? verifiers : undefined) } });
  expect(structuredLog(fake.kernel)?.records).toEqual([]);
});
