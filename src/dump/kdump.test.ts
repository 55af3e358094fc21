import { beforeAll, describe, expect, it } from "vitest";
import { MemorySource } from "../bytes/memory-source.ts";
import { prepareZstd } from "../bytes/zstd.ts";
import { type KdumpDump, openKdump } from "./kdump.ts";
import { buildKdump, type Compression, type TestKdump } from "./testing/build-kdump.ts";
import { prstatus, textNote } from "./testing/build-notes.ts";
import { verdict, verdicts } from "./testing/test-pages.ts";

function open(...dumps: readonly TestKdump[]): KdumpDump {
  return openKdump(dumps.map((dump, index) => ({ source: new MemorySource(`vmcore${index}`, buildKdump(dump)), flattened: false })));
}

function openCut(dump: TestKdump, cut: (length: number) => number): KdumpDump {
  const bytes = buildKdump(dump);
  return openKdump([{ source: new MemorySource("vmcore", bytes.subarray(0, cut(bytes.length))), flattened: false }]);
}

const PAGES = "-ddxxd--dxzdzd-x0";
const READ = [
  "absent",
  "right",
  "right",
  "excluded",
  "excluded",
  "right",
  "absent",
  "absent",
  "right",
  "excluded",
  "zero",
  "right",
  "zero",
  "right",
  "absent",
  "excluded",
  "excluded",
];
const text = {
  vmcoreinfo: "OSRELEASE=6.1\nNUMBER(phys_base)=-4096\n",
  notes: [prstatus("x86_64", 1, [5n])],
  eraseInfo: "erase jiffies.x 8\n",
};

beforeAll(prepareZstd);

describe("openKdump", () => {
  describe.each([0, 1, 2, 3, 4, 5, 6])("version %d", (version) => {
    it.each([true, false])("reads pages, little-endian %s, and the fields that the version has", (littleEndian) => {
      const notes = [prstatus("x86_64", 1, [5n], littleEndian)];
      const dump = open({ ...text, notes, version, littleEndian, pages: PAGES, physBase: 0x1000000n, dumpLevel: 17, tail: 5000 });
      expect(verdicts(dump, 20)).toEqual([...READ, "absent", "absent", "absent"]);
      expect(dump).toMatchObject({
        format: `KDUMP compressed, version ${version}`,
        machine: "x86_64",
        littleEndian,
        pageSize: 4096,
        maxPfn: PAGES.length,
      });
      expect(dump.dumpLevel).toBe(version >= 1 ? 17 : undefined);
      expect(dump.vmcoreinfo).toBe(version >= 3 ? text.vmcoreinfo : undefined);
      expect(dump.notes).toEqual(version >= 4 ? notes : []);
      expect(dump.eraseInfo).toBe(version >= 5 ? text.eraseInfo : undefined);
      expect(dump.physBase).toBe(version >= 3 ? -4096n : 0x1000000n);
      expect(dump).toMatchObject({
        partial: true,
        incomplete: false,
        utsname: { sysname: "Linux", nodename: "host", release: "6.1.0-test" },
      });
      expect(dump.warnings).toEqual(
        version >= 5 ? ["makedumpfile erased kernel data in this dump; the erased bytes read as X or zero"] : [],
      );
    });
  });

  it.each(["raw", "zlib", "lzo", "snappy", "zstd"] as Compression[])("reads %s pages, of 4 KiB and of 64 KiB", (compression) => {
    for (const blockSize of [4096, 65536]) {
      const dump = open({ compression, blockSize, pages: PAGES, status: compression === "zstd" ? 0x20 : 0 });
      expect(verdicts(dump, PAGES.length)).toEqual(READ);
      expect(dump.pageSize).toBe(blockSize);
      expect(dump.usesZstd).toBe(compression === "zstd");
    }
  });

  it("reads a file whose pages are compressed in different ways", () => {
    const kinds = ["raw", "zlib", "lzo", "snappy", "zstd"] as const;
    const dump = open({ compression: (pfn) => kinds[(pfn >> 3) % 5] as Compression, pages: "d".repeat(5000) });
    for (let pfn = 0; pfn < 5000; pfn += 37) expect(verdict(dump, pfn)).toBe("right");
    // The header does not tell, the descriptors do.
    expect(dump.usesZstd).toBe(true);
  });

  it("reads the one-bitmap form, in which missing RAM and left-out pages look the same", () => {
    const dump = open({ oneBitmap: true, version: 2, pages: `d${"x".repeat(40000)}-d` });
    expect([0, 1, 40001, 40002].map((pfn) => verdict(dump, pfn))).toEqual(["right", "absent", "absent", "right"]);
    expect(dump.readPage(1, new Uint8Array(4096))?.detail).toMatch(/does not tell missing RAM/);
    expect(dump.partial).toBe(true);
  });

  it("reads DISKDUMP, the ancestor", () => {
    const dump = open({ signature: "DISKDUMP", version: 1, pages: "dd-d", compression: "raw" });
    expect(verdicts(dump, 4)).toEqual(["right", "right", "absent", "right"]);
    expect(dump.format).toBe("DISKDUMP, version 1");
  });

  it("lists RAM by the first bitmap", () => {
    expect(open({ pages: PAGES }).ranges).toEqual([
      { start: 0x1000n, end: 0x6000n },
      { start: 0x8000n, end: 0xe000n },
      { start: 0xf000n, end: 0x11000n },
    ]);
  });

  it("tells pages the writer never came to from pages it left out", () => {
    const dump = open({ pages: "ddxuu", status: 8 });
    expect(verdicts(dump, 5)).toEqual(["right", "right", "excluded", "truncated", "truncated"]);
    expect(dump.incomplete).toBe(true);
    expect(dump.warnings.join()).toMatch(/marked the dump as incomplete/);
    const killed = open({ pages: "ddxuu" });
    expect(killed.incomplete).toBe(true);
    expect(killed.warnings.join()).toMatch(/never filled in/);
    expect(open({ status: 0x10 }).warnings.join()).toMatch(/vmemmap/);
  });

  it("opens files that end anywhere after the bitmaps begin, and says how much is missing", () => {
    const full = buildKdump({ pages: "d".repeat(40), compression: "raw" }).length;
    const dump = openCut({ pages: "d".repeat(40), compression: "raw" }, (length) => length - 10 * 4096 - 1);
    expect(dump.incomplete).toBe(true);
    expect(dump.warnings.join()).toMatch(/the file ends 40,961 bytes before the end of its last page/);
    expect([28, 29, 39].map((pfn) => verdict(dump, pfn))).toEqual(["right", "truncated", "truncated"]);
    for (let length = 0; length < full; length += 777) {
      const attempt = () => openCut({ pages: "d".repeat(40), compression: "raw" }, () => length);
      if (length <= 2 * 4096) expect(attempt).toThrow(/cut off|ends before|beyond the end/);
      else expect(new Set(verdicts(attempt(), 40))).not.toContain("other");
    }
  });

  it("names a 32-bit dump's machine, whatever the byte order", () => {
    expect(() => open({ bits: 32, machine: "i686" })).toThrow("of an i386 machine (little-endian 32-bit KDUMP)");
    expect(() => open({ bits: 32, machine: "ppc", littleEndian: false })).toThrow("of a ppc machine (big-endian 32-bit KDUMP)");
  });

  it("finds the machine by the register notes when QEMU left the name out", () => {
    const machine = "Unknown";
    expect(open({ machine, notes: [prstatus("aarch64", 1, [])] }).machine).toBe("aarch64");
    expect(open({ machine, notes: [prstatus("x86_64", 1, [])] }).machine).toBe("x86_64");
    expect(open({ machine }).machine).toBe("unknown");
  });

  it("takes VMCOREINFO from the notes when there is no area of its own", () => {
    expect(open({ notes: [textNote("VMCOREINFO", "OSRELEASE=5.10\n")] }).vmcoreinfo).toBe("OSRELEASE=5.10\n");
  });

  it("gives the reason for a page that does not decode", () => {
    const bytes = buildKdump({ pages: "dd", compression: "zlib" });
    const table = 4 * 4096;
    const view = new DataView(bytes.buffer);
    const read = () => openKdump([{ source: new MemorySource("vmcore", bytes), flattened: false }]).readPage(1, new Uint8Array(4096));
    const size = view.getUint32(table + 32, true);
    view.setUint32(table + 32, size - 2, true);
    expect(read()).toMatchObject({ reason: "corrupt", detail: expect.stringMatching(/^zlib/) });
    view.setUint32(table + 32, 4097, true);
    expect(read()).toMatchObject({ reason: "corrupt", detail: expect.stringMatching(/claims 4097 bytes/) });
    view.setUint32(table + 32, size, true);
    view.setUint32(table + 36, 0, true);
    expect(read()).toMatchObject({ reason: "corrupt", detail: expect.stringMatching(/uncompressed in/) });
    view.setUint32(table + 36, 0x80, true);
    expect(read()).toMatchObject({ reason: "corrupt", detail: "unknown compression 0x80" });
  });
});

describe("split sets", () => {
  const pages = "-ddxd".repeat(100);
  const member = (start: number, end: number, more: TestKdump = {}): TestKdump => ({
    version: 6,
    pages,
    split: [start, end],
    ...text,
    ...more,
  });
  const expected = [...pages].map((state) => ({ d: "right", x: "excluded", "-": "absent" })[state]);

  it.each([2, 6])("joins the members in any order, version %d", (version) => {
    const dump = open(member(301, 500, { version }), member(0, 111, { version }), member(111, 301, { version }));
    expect(verdicts(dump, 500)).toEqual(expected);
    expect(dump).toMatchObject({
      format: `split KDUMP compressed, version ${version}`,
      incomplete: false,
      files: ["vmcore0", "vmcore1", "vmcore2"],
    });
    expect(dump.notes).toEqual(version >= 4 ? text.notes : []);
  });

  it("opens without some members, warns, and says where the missing pages are", () => {
    const dump = open(member(301, 500), member(0, 111));
    expect(dump.incomplete).toBe(true);
    expect(dump.warnings.join()).toMatch(/pages 111 … 300 are missing/);
    expect(verdicts(dump, 500)).toEqual(expected.map((state, pfn) => (pfn >= 111 && pfn < 301 && state === "right" ? "absent" : state)));
    expect(dump.readPage(112, new Uint8Array(4096))).toEqual({
      reason: "absent",
      detail: "it is in a part of the split dump that was not given",
    });
    const first = open(member(0, 111));
    expect(first.warnings.join()).toMatch(/pages 111 … 499 are missing/);
  });

  it("refuses members of different dumps, and whole dumps among them", () => {
    expect(() => open(member(0, 111), member(111, 500, { blockSize: 8192 }))).toThrow("is not of the same dump");
    expect(() => open(member(0, 111), { pages, ...text })).toThrow("is a whole dump");
  });
});
