import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { Random } from "../bytes/testing/random.ts";
import { openFlattened, probeFlattened } from "./flattened.ts";
import { buildFlattened, cutIntoRecords, type TestRecord } from "./testing/build-flattened.ts";

function open(records: readonly TestRecord[], options = {}) {
  return openFlattened(new MemorySource("flat", buildFlattened(records, options)));
}

function whole(source: ReturnType<typeof open>): Uint8Array {
  const bytes = new Uint8Array(source.size);
  expect(source.readInto(bytes, 0)).toBe(source.size);
  return bytes;
}

const record = (offset: number, ...data: number[]): TestRecord => ({ offset, data: Uint8Array.from(data) });

describe("openFlattened", () => {
  it("is recognised by its first bytes", () => {
    expect(probeFlattened(buildFlattened([]))).toBe(true);
    expect(probeFlattened(new TextEncoder().encode("makedumpfile is a program of some kind"))).toBe(false);
  });

  it("gives the file that writing the records one after another gives", () => {
    const data = fc.uint8Array({ minLength: 0, maxLength: 40 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ offset: fc.integer({ min: 0, max: 200 }), data }), { minLength: 1, maxLength: 30 }),
        fc.integer(),
        (records, seed) => {
          const size = Math.max(0, ...records.map((r) => r.offset + r.data.length));
          const plain = new Uint8Array(size);
          for (const r of records) plain.set(r.data, r.offset);
          const source = open(records);
          expect(source.size).toBe(size);
          expect(whole(source)).toEqual(plain);
          const random = new Random(seed);
          for (let i = 0; i < 20; i++) {
            const offset = random.below(size + 5);
            const piece = new Uint8Array(random.below(30)).fill(0xcc);
            const count = source.readInto(piece, offset);
            expect(count).toBe(Math.max(0, Math.min(piece.length, size - offset)));
            expect(piece.subarray(0, count)).toEqual(plain.subarray(offset, offset + count));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("lets the later record win, and reads gaps of a whole stream as zero", () => {
    expect(whole(open([record(0, 1, 2, 3, 4), record(6, 7), record(1, 9, 9)]))).toEqual(Uint8Array.of(1, 9, 9, 4, 0, 0, 7));
  });

  it("opens a stream without its end, says so, and stops at what is missing", () => {
    const source = open([record(0, 1, 2), record(4, 5, 6)], { end: false });
    expect(source.truncated).toBe("the flattened stream ends after 2 records without its end mark");
    const target = new Uint8Array(8).fill(0xcc);
    expect(source.readInto(target, 0)).toBe(2);
    expect(source.readInto(target, 3)).toBe(0);
    expect(source.readInto(target, 5)).toBe(1);
  });

  it("keeps the part of a record that is there", () => {
    const bytes = buildFlattened([record(0, 1, 2), record(2, 3, 4, 5, 6)], { end: false });
    const source = openFlattened(new MemorySource("flat", bytes.subarray(0, bytes.length - 3)));
    expect(source.truncated).toBe("the flattened stream ends 3 bytes before the end of its record 1");
    expect(whole(source)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("stops at a damaged record header", () => {
    const bytes = buildFlattened([record(0, 1, 2), record(2, 3)]);
    bytes[4096 + 18] = 0x80;
    const source = openFlattened(new MemorySource("flat", bytes));
    expect(source.truncated).toMatch(/damaged at byte 4114: record 1 has offset/);
    expect(whole(source)).toEqual(Uint8Array.of(1, 2));
    expect(() => open([])).toThrow(FormatError);
    expect(() => openFlattened(new MemorySource("flat", buildFlattened([]).subarray(0, 4100)))).toThrow("ends after 0 records");
  });

  it("scans 100,000 records with one short read each at most", () => {
    const file = new Uint8Array(1_000_000);
    const inner = new MemorySource("flat", buildFlattened(cutIntoRecords(file, 10)));
    let bytes = 0;
    const source = openFlattened({
      name: "flat",
      size: inner.size,
      close() {},
      readInto(target, offset) {
        bytes += target.length;
        return inner.readInto(target, offset);
      },
    });
    expect(source.records).toBe(100_000);
    expect(bytes).toBeLessThan(inner.size * 1.1);
  });
});
