import { describe, expect, it } from "vitest";
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { ByteWriter } from "../bytes/testing/byte-writer.ts";
import type { Dump } from "./dump.ts";
import { openElfCore } from "./elf-core.ts";
import { buildElf, EM_AARCH64, type TestElf, type TestSegment } from "./testing/build-elf.ts";
import { prstatus, qemuNote, textNote } from "./testing/build-notes.ts";
import { testPage, verdict, verdicts } from "./testing/test-pages.ts";

function open(elf: TestElf, cut = 0): Dump {
  const bytes = buildElf(elf);
  return openElfCore(new MemorySource("vmcore", bytes.subarray(0, bytes.length - cut)));
}

function pages(first: number, count: number): Uint8Array {
  const data = new Uint8Array(count * 4096);
  for (let i = 0; i < count; i++) data.set(testPage(first + i), i * 4096);
  return data;
}

const segment = (first: number, count: number, more: Partial<TestSegment> = {}): TestSegment => ({
  physical: first * 4096,
  data: pages(first, count),
  ...more,
});

describe("openElfCore", () => {
  it.each([
    [true, false],
    [true, true],
    [false, false],
    [false, true],
  ])("reads segments and notes, little-endian %s, extended numbering %s", (littleEndian, extendedNumbering) => {
    const notes = [prstatus("x86_64", 1, [], littleEndian), qemuNote(3n), textNote("VMCOREINFO", "OSRELEASE=6.1\nPAGESIZE=4096\n")];
    // In no particular order, as allowed.
    const dump = open({ littleEndian, extendedNumbering, notes, segments: [segment(6, 2), segment(1, 3)] });
    expect(verdicts(dump, 9)).toEqual(["absent", "right", "right", "right", "absent", "absent", "right", "right", "absent"]);
    expect(dump).toMatchObject({
      format: "ELF core",
      machine: "x86_64",
      littleEndian,
      pageSize: 4096,
      maxPfn: 8,
      partial: false,
      incomplete: false,
    });
    expect(dump.warnings).toEqual([]);
    expect(dump.notes).toEqual(notes);
    expect(dump.vmcoreinfo).toBe("OSRELEASE=6.1\nPAGESIZE=4096\n");
    expect(dump.ranges).toEqual([
      { start: 0x1000n, end: 0x4000n },
      { start: 0x6000n, end: 0x8000n },
    ]);
  });

  it("reads notes padded to 8 bytes where p_align says so", () => {
    const notes = [{ name: "CORE", type: 0x77, data: Uint8Array.of(1, 2, 3, 4, 5) }, prstatus("aarch64", 2, [])];
    const dump = open({ machine: EM_AARCH64, notes, noteAlignment: 8 });
    expect(dump.notes).toEqual(notes);
    expect(dump.machine).toBe("aarch64");
  });

  it("calls what the file has no bytes for excluded, and what the file ends before truncated", () => {
    const dump = open({ segments: [segment(1, 2, { memorySize: 5 * 4096 }), segment(8, 2)] }, 4096 + 100);
    expect(verdicts(dump, 11)).toEqual([
      "absent",
      "right",
      "right",
      "excluded",
      "excluded",
      "excluded",
      "absent",
      "absent",
      "truncated",
      "truncated",
      "absent",
    ]);
    expect(dump).toMatchObject({ partial: true, incomplete: true });
    expect(dump.warnings.join()).toMatch(/the file ends 4,196 bytes before the end of its last segment/);
  });

  it("fills the holes of a page with zero where any part of it is there", () => {
    const data = testPage(2).subarray(0x100, 0xf00);
    const dump = open({
      segments: [
        { physical: 0x2100, data: data.subarray(0, 0x400) },
        { physical: 0x2800, data: data.subarray(0x700), memorySize: 0x5000 },
      ],
    });
    const expected = testPage(2);
    expected.fill(0, 0, 0x100).fill(0, 0x500, 0x800).fill(0, 0xf00);
    const target = new Uint8Array(4096).fill(0xcc);
    expect(dump.readPage(2, target)).toBeUndefined();
    expect(target).toEqual(expected);
    expect(dump.ranges[0]).toEqual({ start: 0x2100n, end: 0x2500n });
  });

  it("prefers bytes to none, and the later header to the earlier, where segments overlap", () => {
    const text = { physical: 3 * 4096, virtual: 0xffffffff81000000n, data: pages(3, 2) };
    const wrong = { physical: 3 * 4096, data: pages(50, 1) };
    const left = { physical: 0, data: new Uint8Array(0), memorySize: 8 * 4096 };
    const dump = open({ segments: [wrong, text, left] });
    expect(verdicts(dump, 8)).toEqual(["excluded", "excluded", "excluded", "right", "right", "excluded", "excluded", "excluded"]);
    expect(dump.virtualRanges).toEqual([{ virtual: 0xffffffff81000000n, physical: 0x3000n, size: 0x2000n }]);
  });

  it("leaves aside segments without a usable physical address", () => {
    const dump = open({ segments: [segment(1, 1), { physical: 0xffff_ffff_ffff_ffffn, virtual: 0xffffc90000000000n, data: pages(0, 1) }] });
    expect(verdicts(dump, 3)).toEqual(["absent", "right", "absent"]);
    expect(dump.virtualRanges).toEqual([]);
    expect(dump.warnings.join()).toMatch(/1 segments have no usable physical address/);
  });

  it("refuses 32-bit cores and cores of programs by name", () => {
    expect(() => open({ bits: 32, machine: 3 })).toThrow(
      "vmcore: the dump is of an i386 machine (little-endian 32-bit ELF core); Inquest reads x86_64 and aarch64",
    );
    expect(() => open({ bits: 32, machine: 22, littleEndian: false })).toThrow("of a s390x machine (big-endian 32-bit ELF core)");
    expect(() => open({ notes: [prstatus("x86_64", 1, []), { name: "CORE", type: 6, data: new Uint8Array(16) }] })).toThrow(
      "core of a user program",
    );
  });

  it("opens what is left when the program headers are cut off", () => {
    const bytes = buildElf({ segments: [segment(1, 1), segment(2, 1)] });
    const dump = openElfCore(new MemorySource("vmcore", bytes.subarray(0, 144 + 2 * 56)));
    expect(dump.incomplete).toBe(true);
    expect(dump.warnings.join()).toMatch(/ends before 1 of its program headers/);
    expect(verdicts(dump, 3)).toEqual(["absent", "truncated", "absent"]);
  });

  it("refuses program headers of a wrong size", () => {
    const bytes = buildElf({ segments: [segment(1, 1)] });
    bytes[54] = 55;
    expect(() => openElfCore(new MemorySource("vmcore", bytes))).toThrow(FormatError);
  });

  it("turns an I/O error into a fault of that page", () => {
    const bytes = new MemorySource("vmcore", buildElf({ segments: [segment(1, 2)] }));
    let broken = false;
    const flaky: ByteSource = {
      name: "vmcore",
      size: bytes.size,
      close() {},
      readInto(target, offset) {
        if (broken) throw new FormatError("vmcore", "input/output error", offset);
        return bytes.readInto(target, offset);
      },
    };
    const dump = openElfCore(flaky);
    expect(verdict(dump, 1)).toBe("right");
    broken = true;
    expect(dump.readPage(1, new Uint8Array(4096))).toMatchObject({
      reason: "corrupt",
      detail: expect.stringMatching(/input\/output error/),
    });
  });

  it("opens 200,000 segments in well under a second and finds pages in them at once", () => {
    const count = 200_000;
    const writer = new ByteWriter().bytes(0, buildElf({ extendedNumbering: true }).subarray(0, 128));
    writer.u64(32, 128).u32(64 + 44, count);
    writer.padTo(128 + count * 56);
    const data = writer.append(testPage(7));
    // Every second page, highest first.
    for (let i = 0; i < count; i++) writer.u32(128 + 56 * i, 1).words(128 + 56 * i + 8, [data, 0, (count - i) * 8192, 4096, 4096, 0]);
    const source = new MemorySource("vmcore", writer.finish());
    const start = performance.now();
    const dump = openElfCore(source);
    const opened = performance.now();
    expect(opened - start).toBeLessThan(2000);
    const target = new Uint8Array(4096);
    for (let pfn = 2; pfn < 100_000; pfn += 2) expect(dump.readPage(pfn, target)).toBeUndefined();
    expect(target).toEqual(testPage(7));
    expect(dump.readPage(3, target)).toEqual({ reason: "absent" });
    expect(performance.now() - opened).toBeLessThan(5000);
  });
});
