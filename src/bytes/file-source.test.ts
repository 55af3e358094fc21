import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError } from "./errors.ts";
import { fileExists, openFile } from "./file-source.ts";
import { MemorySource } from "./memory-source.ts";
import { readExactly, readUpTo } from "./read-bytes.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "inquest-bytes-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("openFile", () => {
  it("reads at any offset, also beyond 4 GiB, and less at the end", () => {
    const path = join(folder, "large");
    writeFileSync(path, "");
    truncateSync(path, 5 * 2 ** 30);
    const descriptor = openSync(path, "r+");
    writeSync(descriptor, "tail", 5 * 2 ** 30 - 4);
    closeSync(descriptor);
    const source = openFile(path);
    expect(source.size).toBe(5 * 2 ** 30);
    const target = new Uint8Array(10);
    expect(source.readInto(target, 5 * 2 ** 30 - 6)).toBe(6);
    expect(target).toEqual(Uint8Array.of(0, 0, 0x74, 0x61, 0x69, 0x6c, 0, 0, 0, 0));
    expect(source.readInto(target, 6 * 2 ** 30)).toBe(0);
    source.close();
    source.close();
  });

  it("says in one line why a file cannot be opened", () => {
    expect(() => openFile(join(folder, "nothing"))).toThrow(new FormatError(join(folder, "nothing"), "no such file"));
    expect(() => openFile(folder)).toThrow("is a directory, not a dump");
    expect(fileExists(join(folder, "nothing"))).toBe(false);
  });

  it("refuses a pipe without waiting for a writer", () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(() => openFile(pipe)).toThrow("is a pipe");
  });
});

describe("readExactly", () => {
  const source = new MemorySource("m", Uint8Array.of(1, 2, 3, 4, 5));

  it("gives the bytes, or says what is missing before anything is allocated", () => {
    expect(readExactly(source, 1, 3, "table", 100)).toEqual(Uint8Array.of(2, 3, 4));
    expect(() => readExactly(source, 1, 2 ** 50, "table", 100)).toThrow("table claims 1125899906842624 bytes");
    expect(() => readExactly(source, 3, 3, "table", 100)).toThrow("beyond the end of the file (5 bytes)");
    expect(() => readExactly(source, -1, 3, "table", 100)).toThrow(FormatError);
    expect(() => readExactly(source, 1, Number.NaN, "table", 100)).toThrow(FormatError);
    expect(readUpTo(source, 3, 10)).toEqual(Uint8Array.of(4, 5));
  });
});
