import { expect, test } from "vitest";
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import { vmallocAreas } from "../../linux/vmalloc.ts";
import { perCpuMemory } from "./per-cpu-memory.ts";

const [POPULATED, UNITS, GIVER, AREA] = [0xffff_8000_0000_1000n, 0xffff_8000_0000_1008n, 0xffff_8000_0000_2000n, 0xffff_c900_0000_0000n];

function counting(pages: bigint, units: number) {
  const fake = new FakeKernel({});
  fake.symbol("pcpu_nr_populated", POPULATED);
  fake.symbol("pcpu_nr_units", UNITS);
  fake.memory.put64(POPULATED, pages);
  fake.memory.put32(UNITS, units);
  return fake.kernel;
}

test("the kernel counts a page once for all units of a chunk", () => {
  expect(perCpuMemory(counting(300n, 4))).toMatchObject({ pages: 1200, evidence: [{ values: [{ address: POPULATED, value: 300n }] }] });
});

test("a count that cannot be is none", () => {
  expect(perCpuMemory(counting(300n, 0))).toBeUndefined();
  expect(perCpuMemory(counting(300n, 1 << 20))).toBeUndefined();
});

test("without the counter the pages that are mapped in its areas are counted, and nobody else's", () => {
  const { kernel } = new FakeKernel({});
  const area = (start: bigint, caller: bigint) => ({ start, end: start + 0x4000n, caller: virtual(caller) });
  kernel.memo(vmallocAreas, () => ({ busy: [area(AREA, GIVER), area(AREA + 0x10000n, GIVER + 0x100n)] }) as never);
  Object.assign(kernel.symbols, {
    byAddress: (at: VirtualAddress) => ({ symbol: { name: at === GIVER ? "pcpu_get_vm_areas" : "snap_make" }, offset: 0 }),
  });
  Object.assign(kernel.memory, {
    translate: (at: VirtualAddress) => {
      if (at === AREA + 0x1000n) throw new FaultError(at, "virtual", "unmapped");
      return at;
    },
  });
  expect(perCpuMemory(kernel)?.pages).toBe(3);
});
