import { expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { cgroupUsage } from "./cgroup-usage.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const MEMCG = 0xffff800000001000n;
const TABLE = {
  cgroup: { flags: [0, "u64"] },
  atomic_long_t: { counter: [0, "s64"] },
  page_counter: {
    usage: [0, "atomic_long_t"],
    high: [8, "u64"],
    max: [16, "u64"],
    min: [24, "u64"],
    low: [32, "u64"],
    watermark: [40, "u64"],
  },
  mem_cgroup: { css: [0, "u64"], memory: [16, "page_counter"] },
} as const;

function memory(pageSize: number, maxPages: bigint, level: number) {
  const fake = new FakeKernel(TABLE);
  (fake.arch as { pageSize: number }).pageSize = pageSize;
  fake.memory.put64(MEMCG + 16n, 3n);
  fake.memory.put64(MEMCG + 24n, ((1n << 63n) - 1n) / BigInt(pageSize));
  fake.memory.put64(MEMCG + 32n, maxPages);
  const controllers = [{ name: "memory", state: virtual(MEMCG) }];
  return cgroupUsage(fake.kernel, { address: virtual(MEMCG), path: "/", level, controllers, dying: false }).memory;
}

it.each([4096, 16384, 65536])("no limit is no number with pages of %i bytes", (pageSize) => {
  expect(memory(pageSize, 2n, 1)).toMatchObject({ current: 3 * pageSize, max: 2 * pageSize, high: undefined });
  expect(memory(pageSize, ((1n << 63n) - 1n) / BigInt(pageSize), 1)?.max).toBeUndefined();
});

it("the topmost group is not charged: nothing is said of its use", () => {
  expect(memory(4096, 2n, 0)).toMatchObject({ current: undefined, peak: undefined });
});
