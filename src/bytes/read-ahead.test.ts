import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ByteSource } from "./byte-source.ts";
import { ReadAhead } from "./read-ahead.ts";

const BYTES = Uint8Array.from({ length: 400_000 }, (_, i) => (i * 2654435761) >>> 24);

class Counting implements ByteSource {
  readonly name = "counted";
  readonly size = BYTES.length;
  reads = 0;
  readInto(target: Uint8Array, offset: number): number {
    this.reads++;
    const part = BYTES.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  }
  close(): void {}
}

function read(source: ByteSource, offset: number, length: number): Uint8Array {
  const target = new Uint8Array(length);
  return target.subarray(0, source.readInto(target, offset));
}

describe("ReadAhead", () => {
  test("any mix of reads gives the source's bytes, also past its end", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: BYTES.length + 10 })), fc.integer({ min: 1, max: 50_000 })), {
          maxLength: 60,
        }),
        (reads) => {
          const source = new ReadAhead(new Counting());
          let next = 0;
          for (const [where, length] of reads) {
            const offset = where < 0 ? next : where;
            const bytes = read(source, offset, length);
            expect(Buffer.compare(bytes, BYTES.subarray(offset, offset + length))).toBe(0);
            next = offset + bytes.length;
          }
        },
      ),
    );
  });

  test("pages in a row cost few reads, scattered ones one each", () => {
    const counting = new Counting();
    const source = new ReadAhead(counting);
    for (let page = 0; page < 64; page++) read(source, page * 4096, 4096);
    expect(counting.reads).toBeLessThan(5);
    const before = counting.reads;
    for (const page of [90, 70, 80, 60]) read(source, page * 4096 + 262144 - 65536, 4096);
    expect(counting.reads - before).toBe(4);
  });
});
