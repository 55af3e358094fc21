import { describe, expect, it } from "vitest";
import { physical } from "../bytes/address.ts";
import { Random } from "../bytes/testing/random.ts";
import { openKdump } from "./kdump.ts";
import { PhysicalMemory } from "./physical-memory.ts";
import { syntheticKdump } from "./testing/synthetic-kdump.ts";

/** Bytes held by typed arrays and the heap. */
function held(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

describe("a dump of 64 GiB", () => {
  it("opens by reading its bitmaps once, in a few megabytes, and finds any page in two reads", () => {
    const pages = 2 ** 24;
    const source = syntheticKdump(pages);
    const before = held();
    const dump = openKdump([{ source, flattened: false }]);
    expect(dump).toMatchObject({ maxPfn: pages, incomplete: false, warnings: [] });
    // One of the two bitmaps is 2 MiB; the other is not needed yet.
    expect(source.reads.bytes).toBeLessThan(2.5 * 2 ** 20);
    const memory = new PhysicalMemory(dump);
    const random = new Random(9);
    for (let i = 0; i < 3000; i++) {
      const pfn = random.below(pages);
      const slot = memory.page(pfn);
      if (pfn % 3 === 0) expect(memory.u64(physical(BigInt(pfn) * 4096n))).toBe(BigInt(pfn));
      else expect(slot).toMatchObject({ reason: pfn % 3 === 1 ? "excluded" : "absent" });
    }
    // The page cache is 16 MiB of it.
    expect(held() - before).toBeLessThan(48 * 2 ** 20);
  });
});
