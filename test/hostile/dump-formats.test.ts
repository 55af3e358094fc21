/**
 * Damaged dumps of every format: opening them and reading all there is must end soon, with bytes, with a documented fault, or with one
 * InquestError. Nothing else may be thrown, and no length found in the file may drive an allocation.
 */
import { describe, expect, it } from "vitest";
import { InquestError } from "../../src/bytes/errors.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { Random } from "../../src/bytes/testing/random.ts";
import type { Dump } from "../../src/dump/dump.ts";
import { openDump } from "../../src/dump/open.ts";
import { qemuCpuStates, registerNotes } from "../../src/dump/register-notes.ts";
import { buildElf } from "../../src/dump/testing/build-elf.ts";
import { buildFlattened, cutIntoRecords } from "../../src/dump/testing/build-flattened.ts";
import { buildKdump, type TestKdump } from "../../src/dump/testing/build-kdump.ts";
import { prstatus, qemuNote, textNote } from "../../src/dump/testing/build-notes.ts";
import { buildAvml, buildLime } from "../../src/dump/testing/build-ranges.ts";
import { testPage } from "../../src/dump/testing/test-pages.ts";
import { VmcoreInfo } from "../../src/dump/vmcoreinfo.ts";

const MUTATIONS = 2000;
const TRUNCATIONS = 200;
const PAGES = 24;
/** No dump here is larger than 200 KiB; a hundred times the caches of an opened dump is far from what a hostile length would take. */
const MAX_GROWTH = 256 << 20;
const MAX_MILLISECONDS = 10_000;
const REASONS = new Set(["excluded", "truncated", "unmapped", "absent", "corrupt"]);

const notes = [prstatus("x86_64", 1, [1n, 2n, 3n]), qemuNote(7n), textNote("VMCOREINFO", "OSRELEASE=6.1.0\nNUMBER(phys_base)=4096\n")];
const pages = (first: number, count: number) => Uint8Array.from(Array.from({ length: count }, (_, i) => [...testPage(first + i)]).flat());
const elf = (extendedNumbering: boolean) =>
  buildElf({
    notes,
    extendedNumbering,
    segments: [
      { physical: 0x1000, data: pages(1, 4), memorySize: 0x6000 },
      { physical: 0x3000, virtual: 0xffffffff81000000n, data: pages(3, 1) },
      { physical: 0xa800, data: pages(10, 3).subarray(0x800) },
    ],
  });
const kdump = (more: TestKdump) =>
  buildKdump({ pages: "-ddxxd--dxzdzd-x0dddd", notes, vmcoreinfo: "OSRELEASE=6.1.0\n", eraseInfo: "erase x\n", ...more });
const flatten = (file: Uint8Array) =>
  buildFlattened(
    cutIntoRecords(file, 700, (records) => [...records.filter((_, i) => i % 3 !== 0), ...records.filter((_, i) => i % 3 === 0)]),
  );
const ranges = [
  { start: 0x1000, data: pages(1, 3) },
  { start: 0x8000, data: pages(8, 9) },
];

const FORMATS: readonly (readonly [string, readonly Uint8Array[]])[] = [
  ["ELF core", [elf(false)]],
  ["ELF core with extended numbering", [elf(true)]],
  ["flattened ELF core", [flatten(elf(false))]],
  ["KDUMP zlib", [kdump({ compression: "zlib" })]],
  ["KDUMP lzo, version 3", [kdump({ compression: "lzo", version: 3 })]],
  ["KDUMP snappy", [kdump({ compression: "snappy" })]],
  ["KDUMP zstd", [kdump({ compression: "zstd", status: 0x20 })]],
  ["KDUMP raw, one bitmap", [kdump({ compression: "raw", oneBitmap: true, version: 1 })]],
  ["DISKDUMP", [kdump({ signature: "DISKDUMP", version: 1 })]],
  ["flattened KDUMP", [flatten(kdump({ compression: "lzo" }))]],
  ["split KDUMP", [kdump({ split: [0, 9] }), kdump({ split: [9, 21] })]],
  ["LiME", [buildLime(ranges)]],
  ["AVML", [buildAvml(ranges, { chunk: 6000, plainEvery: 3, padding: true })]],
];

/** Values that are wrong in many ways when they stand in for a length, an offset or a count. */
const EXTREMES = [
  0n,
  1n,
  2n,
  7n,
  0x7fn,
  0x80n,
  0xffn,
  0xfffn,
  0x1000n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  1n << 40n,
  (1n << 53n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

function mutate(random: Random, original: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(original);
  const view = new DataView(bytes.buffer);
  for (let count = 1 + random.below(4); count > 0; count--) {
    // Headers and tables are at the start; a place anywhere mostly hits page data.
    const reach = random.below(3) === 0 ? bytes.length : Math.min(bytes.length, [64, 512, 4200, 30_000][random.below(4)] as number);
    const at = random.below(reach);
    const kind = random.below(4);
    if (kind === 0) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    else if (kind === 1) bytes[at] = random.below(256);
    else {
      const aligned = Math.max(0, Math.min(at & ~3, bytes.length - 8));
      const value = EXTREMES[random.below(EXTREMES.length)] as bigint;
      if (kind === 2) view.setUint32(aligned, Number(value & 0xffff_ffffn), random.below(2) === 0);
      else view.setBigUint64(aligned, value, random.below(2) === 0);
    }
  }
  return bytes;
}

/** Opens the files and reads everything that a dump offers. */
async function exercise(files: readonly Uint8Array[]): Promise<Dump | InquestError> {
  try {
    const dump = await openDump(files.map((bytes, index) => new MemorySource(`vmcore${index}`, bytes)));
    const target = new Uint8Array(dump.pageSize);
    for (const pfn of [...Array(PAGES).keys(), dump.maxPfn - 1, dump.maxPfn, 2 ** 20, 2 ** 40]) {
      const fault = dump.readPage(Math.max(0, pfn), target);
      if (fault !== undefined && !REASONS.has(fault.reason)) throw new Error(`undocumented fault ${JSON.stringify(fault)}`);
    }
    registerNotes(dump.notes, dump.machine, dump.littleEndian);
    qemuCpuStates(dump.notes);
    if (dump.vmcoreinfo !== undefined) new VmcoreInfo(dump.vmcoreinfo).number("phys_base");
    const lines = [...dump.warnings, ...dump.facts.map(([label, value]) => `${label} ${value}`)];
    if (lines.some((line) => line.length > 4096)) throw new Error("an endless line");
    if (dump.ranges.length > 100_000 || dump.virtualRanges.length > 100_000 || typeof dump.partial !== "boolean")
      throw new Error("endless tables");
    dump.close();
    return dump;
  } catch (error) {
    if (error instanceof InquestError) return error;
    throw error;
  }
}

/** Runs one case under the limits of time and memory; `what` names it when it fails. */
async function bounded(what: string, files: readonly Uint8Array[]): Promise<Dump | InquestError> {
  const before = process.memoryUsage.rss();
  const start = performance.now();
  let result: Dump | InquestError;
  try {
    result = await exercise(files);
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).stack}`);
  }
  const took = performance.now() - start;
  const grown = process.memoryUsage.rss() - before;
  if (took > MAX_MILLISECONDS) throw new Error(`${what}: took ${took} ms`);
  if (grown > MAX_GROWTH) throw new Error(`${what}: took ${grown} bytes`);
  return result;
}

describe.each(FORMATS)("%s", (name, files) => {
  it("opens undamaged", async () => {
    expect(await exercise(files)).not.toBeInstanceOf(InquestError);
  });

  it(`survives ${MUTATIONS} mutations`, async () => {
    let opened = 0;
    for (let seed = 0; seed < MUTATIONS; seed++) {
      const random = new Random(seed);
      const hit = random.below(files.length);
      const damaged = files.map((bytes, index) => (index === hit ? mutate(random, bytes) : bytes));
      if (!((await bounded(`${name}, seed ${seed}`, damaged)) instanceof InquestError)) opened++;
    }
    // Most damage leaves something to read: a dump is not to be refused for one wrong field.
    expect(opened).toBeGreaterThan(MUTATIONS / 4);
  });

  it(`survives ${TRUNCATIONS} truncations`, async () => {
    const random = new Random(77);
    for (let i = 0; i < TRUNCATIONS; i++) {
      const hit = random.below(files.length);
      const length = i < 20 ? i * 4 : random.below((files[hit] as Uint8Array).length);
      const cut = files.map((bytes, index) => (index === hit ? bytes.subarray(0, length) : bytes));
      await bounded(`${name}, cut to ${length}`, cut);
    }
  });
});

describe("formats with checksums", () => {
  // zlib carries Adler-32, AVML's frames CRC-32C: damage within the data of a page never passes as memory.
  it.each([
    ["KDUMP zlib", kdump({ compression: "zlib" })],
    ["AVML", buildAvml([{ start: 0, data: pages(0, PAGES) }], { chunk: 6000 })],
  ])("%s: a page of damaged data is right or corrupt", async (name, file) => {
    const random = new Random(5);
    const expected = pages(0, PAGES);
    // Behind headers, descriptors and notes; before AVML's trailer.
    const first = name === "AVML" ? 50 : 4 * 4096 + 24 * 16 + 1500;
    for (let round = 0; round < MUTATIONS; round++) {
      const bytes = Uint8Array.from(file);
      const at = first + random.below(bytes.length - first - 8);
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      const dump = await openDump(new MemorySource("vmcore", bytes));
      const target = new Uint8Array(4096);
      for (let pfn = 0; pfn < PAGES; pfn++) {
        // What does not shrink is stored without compression, hence without a checksum: every fifth page is noise.
        if (name === "KDUMP zlib" && pfn % 5 === 4) continue;
        if (dump.readPage(pfn, target) !== undefined || target.every((byte) => byte === 0)) continue;
        if (!target.every((byte, index) => byte === expected[pfn * 4096 + index])) throw new Error(`byte ${at}: page ${pfn} reads wrong`);
      }
    }
  });
});
