import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import { queuedIrqWork } from "./queued-irq-work.ts";

const [LIST, AREA, ITEM, CODE] = [0x2_0000n, 0xffff_8880_4000_0000n, 0xffff_8880_0100_0000n, 0xffff_ffff_c000_1000n];

function world(called: bigint): FakeKernel {
  const fake = new FakeKernel({ irq_work: { llnode: [0, "u64"], func: [16, "u64"] } });
  const patched = fake.kernel as unknown as Record<string, unknown>;
  patched.tryAddress = (name: string) => (name === "raised_list" ? LIST : undefined);
  patched.perCpuAddress = (address: bigint) => virtual(AREA + address);
  (fake.symbols as unknown as { byAddress: unknown }).byAddress = (address: bigint) =>
    address >= CODE && address < CODE + 0x40n ? { offset: Number(address - CODE), symbol: { name: "pmu_drain" } } : undefined;
  fake.memory.put64(AREA + LIST, ITEM);
  fake.memory.put64(ITEM, 0n);
  fake.memory.put64(ITEM + 16n, called);
  return fake;
}

test("what is queued on a CPU, with its function", () => {
  expect(queuedIrqWork(world(CODE).kernel, 0)).toEqual([{ item: ITEM, function: CODE, at: ITEM + 16n }]);
});

test("nothing whose function is none", () => {
  expect(queuedIrqWork(world(CODE + 4n).kernel, 0)).toEqual([]);
  expect(queuedIrqWork(world(0n).kernel, 0)).toEqual([]);
});
