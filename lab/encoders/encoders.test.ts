import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { elfLength } from "./elf-length.ts";
import { flattenedLength } from "./flattened.ts";
import { recompressKdump } from "./kdump-recompress.ts";
import { rangeHeader, writeAvml2, writeLime, writeRaw } from "./memory-containers.ts";
import { largestBank, type RamImage } from "./ram-image.ts";
import { maskedCrc32c, snappyCompress, snappyFrames } from "./snappy.ts";

const dir = mkdtempSync(join(tmpdir(), "lab-encoders-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** A decompressor written from the format description, to hold the compressor against. */
function snappyExpand(bytes: Uint8Array): Uint8Array {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const out: number[] = [];
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    if ((tag & 3) === 0) {
      for (let i = 0; i <= tag >> 2; i++) out.push(bytes[at++]!);
    } else {
      const offset = bytes[at]! | (bytes[at + 1]! << 8);
      at += 2;
      for (let i = 0; i <= tag >> 2; i++) out.push(out[out.length - offset]!);
    }
  }
  expect(out.length).toBe(length);
  return Uint8Array.from(out);
}

const image: RamImage = {
  ranges: [
    { start: 0x1000, size: 0x2000, offset: 0 },
    { start: 0x4000, size: 0x1000, offset: 0x2000 },
  ],
  read: (address, size) => Buffer.alloc(size, address >>> 12),
  close: () => {},
};

describe("snappy", () => {
  it("gives back what went in", () => {
    for (const text of ["", "a", "abcdabcdabcdabcd", "x".repeat(65536), "lorem ipsum dolor sit amet ".repeat(500)]) {
      const bytes = Buffer.from(text);
      expect(Buffer.from(snappyExpand(snappyCompress(bytes))).equals(bytes)).toBe(true);
    }
  });

  it("masks CRC-32C of the check string as the framing format says", () => {
    const crc = 0xe3069283;
    expect(maskedCrc32c(Buffer.from("123456789"))).toBe((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  });

  it("frames pages of zeroes as one small chunk and noise as plain chunks", () => {
    const zeroes = snappyFrames(new Uint8Array(65536));
    expect(zeroes[10]).toBe(0);
    expect(zeroes.length).toBeLessThan(4096);
    let state = 1;
    const noise = Uint8Array.from({ length: 5000 }, () => {
      state = Math.imul(state, 1664525) + 1013904223;
      return state >>> 24;
    });
    const framed = snappyFrames(noise);
    expect(framed[10]).toBe(1);
    expect(framed.length).toBe(10 + 8 + 5000);
  });
});

describe("memory containers", () => {
  it("LiME holds every range with an inclusive end", () => {
    const path = join(dir, "lime");
    writeLime(image, path);
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(2 * 32 + 0x3000);
    expect(bytes.subarray(0, 4).toString()).toBe("EMiL");
    expect(bytes.readBigUInt64LE(16)).toBe(0x2fffn);
    expect(bytes.readBigUInt64LE(32 + 0x2000 + 8)).toBe(0x4000n);
    expect(bytes[32]).toBe(1);
  });

  it("AVML 2 ends every range with the length of its compressed stream", () => {
    const path = join(dir, "avml");
    writeAvml2(image, path);
    const bytes = readFileSync(path);
    expect(bytes.subarray(0, 4).toString()).toBe("AVML");
    const second = bytes.indexOf(rangeHeader(2, 0x4000, 0x1000));
    expect(bytes.readBigUInt64LE(second - 8)).toBe(BigInt(second - 8 - 32));
  });

  it("raw keeps holes as zeroes and says where it starts", () => {
    const path = join(dir, "raw");
    expect(writeRaw(image, path)).toBe(0x1000);
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(0x4000);
    expect([bytes[0], bytes[0x2000], bytes[0x3000]]).toEqual([1, 0, 4]);
  });

  it("takes memory, not what devices map far away", () => {
    const near = { start: 0, size: 0xa0000, offset: 0 };
    const above = { start: 0x100000, size: 0x8000000, offset: 0 };
    const device = { start: 0xfd000000, size: 0x1000000, offset: 0 };
    expect(largestBank([near, above, device])).toEqual([near, above]);
  });
});

describe("kdump pages", () => {
  it("are compressed, shared pages stay shared, headers stay", () => {
    const block = 4096;
    const file = Buffer.alloc(block * 6);
    file.write("KDUMP   ");
    file.writeInt32LE(block, 428);
    file.writeInt32LE(1, 432);
    file.writeInt32LE(2, 436);
    file[block * 3] = 0b1011;
    const data = block * 5;
    for (let i = 0; i < 3; i++) {
      file.writeBigUInt64LE(BigInt(data), block * 4 + i * 24);
      file.writeUInt32LE(block, block * 4 + i * 24 + 8);
    }
    file.fill("page", data);
    const [source, target] = [join(dir, "plain"), join(dir, "recompressed")];
    writeFileSync(source, file);
    recompressKdump(source, target);
    const out = readFileSync(target);
    const offsets = [0, 1, 2].map((i) => out.readBigUInt64LE(block * 4 + i * 24));
    expect(new Set(offsets).size).toBe(1);
    expect(out.readUInt32LE(block * 4 + 12)).toBe(4);
    expect(out.readInt32LE(424) & 4).toBe(4);
    const at = Number(offsets[0]);
    const page = snappyExpand(out.subarray(at, at + out.readUInt32LE(block * 4 + 8)));
    expect(Buffer.from(page).equals(file.subarray(data, data + block))).toBe(true);
  });
});

describe("ELF files", () => {
  it("end with their last segment", () => {
    const file = Buffer.alloc(9000);
    file.writeUInt32BE(0x7f454c46, 0);
    file.writeBigUInt64LE(64n, 0x20);
    file.writeUInt16LE(56, 0x36);
    file.writeUInt16LE(1, 0x38);
    file.writeBigUInt64LE(4096n, 64 + 8);
    file.writeBigUInt64LE(100n, 64 + 32);
    const path = join(dir, "elf");
    writeFileSync(path, file);
    expect(elfLength(path)).toBe(4196);
  });
});

describe("flattened streams", () => {
  it("are measured up to their end mark, whatever lies behind it", () => {
    const header = Buffer.alloc(4096);
    header.write("makedumpfile");
    const record = Buffer.alloc(16);
    record.writeBigInt64BE(0n, 0);
    record.writeBigInt64BE(5n, 8);
    const end = Buffer.alloc(16, 0xff);
    const stream = Buffer.concat([header, record, Buffer.from("hello"), end]);
    const path = join(dir, "flat");
    writeFileSync(path, Buffer.concat([stream, Buffer.alloc(9000)]));
    expect(flattenedLength(path)).toBe(stream.length);
    writeFileSync(path, stream.subarray(0, -16));
    expect(flattenedLength(path)).toBeUndefined();
  });
});
