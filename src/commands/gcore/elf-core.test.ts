import { expect, test } from "vitest";
import { coreHead, packNotes } from "./elf-core.ts";

test("notes are padded to four bytes, name and description each", () => {
  const bytes = packNotes([{ name: "CORE", type: 1, bytes: Uint8Array.of(1, 2, 3) }]);
  expect([...bytes]).toEqual([5, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0x43, 0x4f, 0x52, 0x45, 0, 0, 0, 0, 1, 2, 3, 0]);
});

test("segments follow each other from the page behind the headers; those without content take no room", () => {
  const head = coreHead(
    62,
    4096,
    [
      { start: 0x1000n, end: 0x3000n, hasContent: true, flags: 5 },
      { start: 0x3000n, end: 0x4000n, hasContent: false, flags: 4 },
      { start: 0x8000n, end: 0x9000n, hasContent: true, flags: 6 },
    ],
    [],
  );
  const view = new DataView(head.buffer);
  expect([head.length, view.getUint16(16, true), view.getUint16(18, true), view.getUint16(56, true)]).toEqual([4096, 4, 62, 4]);
  const rows = [1, 2, 3].map((i) => [8, 16, 32, 40].map((offset) => Number(view.getBigUint64(64 + i * 56 + offset, true))));
  expect(rows).toEqual([
    [0x1000, 0x1000, 0x2000, 0x2000],
    [0x3000, 0x3000, 0, 0x1000],
    [0x3000, 0x8000, 0x1000, 0x1000],
  ]);
});

test("more program headers than e_phnum can say are counted in the first section header", () => {
  const segments = Array.from({ length: 70_000 }, (_, i) => ({
    start: BigInt(i) * 0x2000n,
    end: BigInt(i) * 0x2000n + 0x1000n,
    hasContent: false,
    flags: 4,
  }));
  const head = coreHead(183, 4096, segments, []);
  const view = new DataView(head.buffer);
  const section = Number(view.getBigUint64(40, true));
  expect([view.getUint16(56, true), view.getUint16(60, true), view.getUint32(section + 44, true)]).toEqual([0xffff, 1, 70_001]);
  expect(section).toBe(64 + 70_001 * 56);
});
