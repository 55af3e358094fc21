import { describe, expect, it } from "vitest";
import { physical } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { Random } from "../bytes/testing/random.ts";
import type { PageFault } from "./dump.ts";
import { openKdump } from "./kdump.ts";
import { PhysicalMemory } from "./physical-memory.ts";
import { HEADERLESS } from "./raw.ts";
import { buildKdump } from "./testing/build-kdump.ts";
import { testPage } from "./testing/test-pages.ts";

const pages = `${"d".repeat(2000)}x-dd`;
const dump = () => openKdump([{ source: new MemorySource("vmcore", buildKdump({ pages, compression: "raw" })), flattened: false }]);
const memoryBytes = new Uint8Array(2000 * 4096);
for (let pfn = 0; pfn < 2000; pfn++) memoryBytes.set(testPage(pfn), pfn * 4096);
const word = (address: number) => new DataView(memoryBytes.buffer).getBigUint64(address, true);

describe("PhysicalMemory", () => {
  it("reads words at random through the smallest cache", () => {
    const memory = new PhysicalMemory(dump(), { cacheBytes: 0 });
    const random = new Random(4);
    for (let i = 0; i < 20_000; i++) {
      const address = random.below(1999) * 4096 + random.below(4096);
      expect(memory.u64(physical(BigInt(address)))).toBe(word(address));
      expect(memory.u32(physical(BigInt(address)))).toBe(Number(word(address) & 0xffffffffn));
    }
  });

  it("reads words across pages, and faults when the second page is missing", () => {
    const memory = new PhysicalMemory(dump());
    expect(memory.u64(physical(0x1ffcn))).toBe(word(0x1ffc));
    expect(memory.u32(physical(0x1ffen))).toBe(Number(word(0x1ffe) & 0xffffffffn));
    expect(() => memory.u64(physical(2000n * 4096n - 4n))).toThrow(FaultError);
    const bytes = new Uint8Array(10_000);
    memory.readInto(bytes, physical(0x1800n));
    expect(bytes.subarray(0x800, 0x1800)).toEqual(testPage(2));
  });

  it("does not answer from a slot that a failed read has spoiled", () => {
    const spoiling = {
      ...HEADERLESS,
      format: "test",
      files: [],
      maxPfn: 1000,
      ranges: [],
      warnings: [],
      facts: [],
      close() {},
      readPage(pfn: number, target: Uint8Array): PageFault | undefined {
        target.fill(pfn);
        return pfn === 64 ? { reason: "corrupt" } : undefined;
      },
    };
    const memory = new PhysicalMemory(spoiling, { cacheBytes: 0 });
    // All of one set of four; the first is the next to be replaced.
    for (const pfn of [0x10, 0x20, 0x30, 0, 0x10]) memory.page(pfn);
    expect(memory.page(64)).toEqual({ reason: "corrupt" });
    expect(memory.u32(physical(0x10n << 12n))).toBe(0x10101010);
  });

  it("tells why a page cannot be read", () => {
    const memory = new PhysicalMemory(dump());
    const reason = (address: bigint) => {
      try {
        memory.u64(physical(address));
        return "read";
      } catch (error) {
        return (error as FaultError).reason;
      }
    };
    expect([reason(2000n << 12n), reason(2001n << 12n), reason(2002n << 12n), reason(0xffff_ffff_ffff_fff8n), reason(1n << 52n)]).toEqual([
      "excluded",
      "absent",
      "read",
      "absent",
      "absent",
    ]);
  });

  it("forgets zeroes for left-out pages when asked to tell the truth again", () => {
    const memory = new PhysicalMemory(dump(), { zeroExcluded: true });
    expect(memory.u64(physical(2000n << 12n))).toBe(0n);
    memory.zeroExcluded = false;
    expect(() => memory.u64(physical(2000n << 12n))).toThrow("left out of the dump");
  });
});
