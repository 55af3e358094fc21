import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "./errors.ts";
import { openPacked, packingOf } from "./packed-file.ts";
import { readUpTo } from "./read-bytes.ts";
import { zstdEncode } from "./testing/zstd-encode.ts";
import { prepareZstd, unzstd } from "./zstd.ts";

const data = Uint8Array.from({ length: 5000 }, (_, i) => (i < 3000 ? 9 : (i * 31) & 255));
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-packed-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function content(path: string): Uint8Array {
  const source = openPacked(path);
  return readUpTo(source, 0, source.size);
}

describe("packed files", () => {
  it("are known by content and read unpacked", async () => {
    const zst = file("a.ko.zst", zstdEncode(data));
    expect(() => openPacked(zst)).toThrow(UnsupportedError);
    await prepareZstd();
    expect(content(zst)).toEqual(data);
    expect(content(file("a.ko.gz", gzipSync(data)))).toEqual(data);
    // The name does not matter.
    expect(content(file("a.ko", gzipSync(data)))).toEqual(data);
    expect(content(file("b.ko", data))).toEqual(data);
    expect(packingOf(data)).toBeUndefined();
  });

  it("a zstd frame that does not say its size", () => {
    // The same blocks behind a header with a window and no content size.
    const frame = zstdEncode(data);
    const unsized = Uint8Array.from([...frame.subarray(0, 4), 0x00, 0x58, ...frame.subarray(9)]);
    expect(content(file("c.ko.zst", unsized))).toEqual(data);
  });

  it("fail with one reason", () => {
    const cut = (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 9);
    expect(() => openPacked(file("d.gz", cut(gzipSync(data))))).toThrow(FormatError);
    expect(() => openPacked(file("e.zst", cut(zstdEncode(data))))).toThrow("zstd: corrupt, or not 5000 bytes");
    expect(() => openPacked(file("f.xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2)))).toThrow("f.xz: xz: not an .xz stream");
    expect(() => openPacked(join(directory, "absent"))).toThrow("no such file");
  });
});

describe("zstd of any length", () => {
  it("several frames, and sizes that do not fit", async () => {
    await prepareZstd();
    const twice = Uint8Array.from([...zstdEncode(data), ...zstdEncode(data)]);
    expect(unzstd(twice, 10_000)).toEqual(Uint8Array.from([...data, ...data]));
    expect(unzstd(zstdEncode(data), 4999)).toBe("zstd: 5000 bytes instead of 4999");
    expect(unzstd(zstdEncode(data), 5001)).toBe("zstd: corrupt, or not 5001 bytes");
    expect(unzstd(zstdEncode(data), 2 ** 31)).toContain("more than can be unpacked");
    expect(unzstd(new Uint8Array(0), 5)).toBe("zstd: no input");
  });
});
