import { describe, expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";
import { MemorySource } from "./memory-source.ts";
import { type Frame, SnappyFrames } from "./snappy-frames.ts";
import { Random } from "./testing/random.ts";
import { concatenate, snappyFramesEncode } from "./testing/snappy-frames-encode.ts";

const random = new Random(1);
const data = Uint8Array.from({ length: 300_000 }, (_, i) => (i % 7 === 0 ? random.below(256) : (i >> 9) & 0xff));
const before = new Uint8Array(13).fill(0xff);

function open(stream: Uint8Array, limit = data.length): SnappyFrames {
  return new SnappyFrames(new MemorySource("test", concatenate([before, stream, new Uint8Array(64)])), before.length, limit);
}

describe("SnappyFrames", () => {
  it("matches the known CRC-32C of RFC 3720", () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  });

  it.each([
    ["64 KiB chunks", {}],
    ["small chunks, more than are remembered one by one", { chunk: 512 }],
    ["every third chunk plain, padding between", { chunk: 4000, plainEvery: 3, padding: true }],
  ])("finds and decodes chunks in any order: %s", (_, options) => {
    const frames = open(snappyFramesEncode(data, options));
    const target = new Uint8Array(65536);
    for (let i = 0; i < 300; i++) {
      const offset = i % 3 === 0 ? i * 997 : random.below(data.length);
      const frame = frames.find(offset) as Frame;
      expect(frame.start <= offset && offset < frame.end).toBe(true);
      const piece = target.subarray(0, frame.end - frame.start);
      expect(frames.decode(frame, piece)).toBeUndefined();
      expect(piece[offset - frame.start]).toBe(data[offset]);
    }
    expect(frames.find(data.length - 1)).toMatchObject({ end: data.length });
  });

  it("says what is wrong: a checksum, a reserved chunk, a chunk beyond the range, the end of the file", () => {
    const stream = snappyFramesEncode(data);
    const flipped = Uint8Array.from(stream);
    flipped[10 + 4] = (flipped[10 + 4] as number) ^ 1;
    const frames = open(flipped);
    expect(frames.decode(frames.find(0) as Frame, new Uint8Array(65536))).toBe("snappy: the checksum does not match");
    expect(open(Uint8Array.of(0x42, 0, 0, 0)).find(0)).toMatch(/reserved chunk type 66/);
    expect(open(stream, 1000).find(0)).toMatch(/claims to hold 65536/);
    const short = new SnappyFrames(new MemorySource("test", stream.subarray(0, 5000)), 0, data.length);
    expect(short.decode(short.find(0) as Frame, new Uint8Array(65536))).toBe("");
    expect(short.find(100_000)).toBe("");
  });

  it("does not believe in the place of what follows a damaged chunk", () => {
    const stream = snappyFramesEncode(data);
    for (const flip of [0, 1, 2, 3, 4, 8, 9, 10, 500]) {
      const damaged = Uint8Array.from(stream);
      damaged[10 + flip] = (damaged[10 + flip] as number) ^ 0x01;
      const frames = open(damaged);
      const frame = frames.find(70_000);
      if (typeof frame === "string") continue;
      const piece = new Uint8Array(frame.end - frame.start);
      if (frames.decode(frame, piece) === undefined) expect(piece).toEqual(data.subarray(frame.start, frame.end));
    }
    const skipped = Uint8Array.from(stream);
    skipped[10] = 0x80;
    expect(open(skipped).find(0)).toMatch(/reserved chunk type 128/);
  });

  it("gives up on an endless row of chunks without data", () => {
    const empty = new Uint8Array(4 * 5000);
    for (let i = 0; i < empty.length; i += 4) empty[i] = 0xfe;
    expect(new SnappyFrames(new MemorySource("test", empty), 0, 100).find(0)).toMatch(/no data chunk/);
  });
});
