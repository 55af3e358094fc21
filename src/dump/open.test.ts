import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { openDump } from "./open.ts";
import { buildElf } from "./testing/build-elf.ts";
import { buildFlattened, cutIntoRecords } from "./testing/build-flattened.ts";
import { buildKdump } from "./testing/build-kdump.ts";
import { buildAvml, buildLime } from "./testing/build-ranges.ts";
import { testPage, verdicts } from "./testing/test-pages.ts";

const segments = [{ physical: 0x1000, data: testPage(1) }];
const flat = (file: Uint8Array) => buildFlattened(cutIntoRecords(file, 1000, (records) => records.reverse()));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "inquest-dump-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe("openDump", () => {
  it.each<[string, string, Uint8Array]>([
    ["ELF core", "x86_64", buildElf({ segments })],
    ["flattened ELF core", "x86_64", flat(buildElf({ segments }))],
    ["KDUMP compressed, version 6", "x86_64", buildKdump({ pages: "-d" })],
    ["flattened KDUMP compressed, version 6", "x86_64", flat(buildKdump({ pages: "-d", compression: "zstd" }))],
    ["DISKDUMP, version 0", "aarch64", buildKdump({ signature: "DISKDUMP", version: 0, machine: "aarch64", pages: "-d" })],
    ["LiME", "unknown", buildLime([{ start: 0x1000, data: testPage(1) }])],
    ["AVML, version 2", "unknown", buildAvml([{ start: 0x1000, data: testPage(1) }])],
  ])("recognises %s by content", async (format, machine, bytes) => {
    const path = file("some-file", bytes);
    const dump = await openDump(path);
    expect(dump).toMatchObject({ format, machine, files: [path] });
    expect(verdicts(dump, 2)).toEqual(["absent", "right"]);
    expect(dump.facts.length).toBeGreaterThan(0);
    dump.close();
  });

  it("opens raw images given as FILE@ADDRESS, alone, by comma, or as several arguments", async () => {
    const one = file("one", testPage(1));
    const five = file("five@5", testPage(5));
    for (const inputs of [`${one}@1000,${five}@0x5000`, [`${five}@5000`, `${one}@0x1000`]]) {
      const dump = await openDump(inputs);
      expect(verdicts(dump, 6)).toEqual(["absent", "right", "absent", "absent", "absent", "right"]);
      dump.close();
    }
    await expect(openDump([`${one}@1000`, file("core", buildElf())])).rejects.toThrow(UsageError);
    // A file of that very name is a file.
    await expect(openDump(five)).rejects.toThrow(/no dump format begins with|text file/);
  });

  it("opens split sets, flattened or not", async () => {
    const parts = [[2, 5] as const, [0, 2] as const].map((split) => buildKdump({ pages: "-ddxd", split }));
    const dump = await openDump([new MemorySource("b", flat(parts[0] as Uint8Array)), new MemorySource("a", parts[1] as Uint8Array)]);
    expect(dump.format).toBe("flattened split KDUMP compressed, version 6");
    expect(verdicts(dump, 5)).toEqual(["absent", "right", "right", "excluded", "right"]);
  });

  it("opens a flattened stream that was cut off, warns, and calls what is missing truncated", async () => {
    for (const whole of [
      buildKdump({ pages: "ddddddddd", compression: "raw" }),
      buildElf({ segments: [{ physical: 0, data: Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((pfn) => [...testPage(pfn)])) }] }),
    ]) {
      const stream = buildFlattened(cutIntoRecords(whole, 5000));
      const dump = await openDump(new MemorySource("vmcore", stream.subarray(0, stream.length - 10_000)));
      expect(dump.incomplete).toBe(true);
      expect(dump.warnings.join()).toMatch(/flattened stream ends/);
      expect(verdicts(dump, 9)).toEqual(["right", "right", "right", "right", "right", "right", "truncated", "truncated", "truncated"]);
    }
  });

  it("refuses dumps of other machines by name", async () => {
    const rejects = async (bytes: Uint8Array, line: string) => {
      await expect(openDump(new MemorySource("vmcore", bytes))).rejects.toThrow(
        new UnsupportedError(`vmcore: the dump is of ${line}; Inquest reads x86_64 and aarch64`),
      );
    };
    await rejects(buildElf({ machine: 22, littleEndian: false }), "a s390x machine (big-endian ELF core)");
    await rejects(buildElf({ machine: 243 }), "a riscv64 machine (little-endian ELF core)");
    await rejects(buildElf({ machine: 4711 }), "an unknown machine (little-endian ELF core, e_machine 4711)");
    await rejects(buildKdump({ machine: "ppc64le" }), "a ppc64 machine (little-endian KDUMP compressed, version 6)");
    await rejects(buildElf({ machine: 183, littleEndian: false }), "an aarch64 machine (big-endian ELF core)");
    await rejects(buildKdump({ bits: 32, machine: "armv7l" }), "an arm machine (little-endian 32-bit KDUMP)");
  });

  it("says what is wrong in one line, and closes every file it opened", async () => {
    let closed = 0;
    const source = (name: string, bytes: Uint8Array): ByteSource => {
      const inner = new MemorySource(name, bytes);
      return { name, size: bytes.length, readInto: (target, offset) => inner.readInto(target, offset), close: () => void closed++ };
    };
    await expect(openDump([source("a", buildKdump()), source("b", Uint8Array.of(0x1f, 0x8b, 8))])).rejects.toThrow(
      "b: this is a gzip file",
    );
    expect(closed).toBe(2);
    await expect(openDump([source("a", buildElf()), source("b", buildKdump())])).rejects.toThrow(
      "a: several files can only be the parts of one split KDUMP dump",
    );
    await expect(openDump(source("a", new Uint8Array(0)))).rejects.toThrow("a: the file is empty");
    expect(closed).toBe(5);
    await expect(openDump([])).rejects.toThrow(UsageError);
    await expect(openDump(folder)).rejects.toThrow("is a directory");
    await expect(openDump(join(folder, "none"))).rejects.toThrow(FormatError);
    await expect(openDump(source("a", flat(new TextEncoder().encode("hello world"))))).rejects.toThrow("text file");
  });
});
