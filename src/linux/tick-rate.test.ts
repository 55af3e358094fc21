import { expect, it } from "vitest";
import { FakeKernel } from "./testing/fake-kernel.ts";
import { tickRate } from "./tick-rate.ts";

const CLOCK = { clocksource: { mult: [0, "u32"], shift: [4, "u32"] } } as const;
const AT = 0xffff_ffff_8200_0000n;

it.each([
  [100, 10_000_000],
  [250, 4_000_000],
  [300, 3_333_333],
  [1000, 1_000_000],
])("reads HZ %i from the clock source of the tick", (hz, period) => {
  const fake = new FakeKernel(CLOCK);
  fake.symbol("clocksource_jiffies", AT);
  fake.memory.put32(AT, period << 8);
  fake.memory.put32(AT + 4n, 8);
  expect(tickRate(fake.kernel)).toBe(hz);
});

it("does not make a rate out of nonsense", () => {
  const fake = new FakeKernel(CLOCK);
  fake.symbol("clocksource_jiffies", AT);
  fake.memory.put32(AT, 12345);
  fake.memory.put32(AT + 4n, 8);
  expect(tickRate(fake.kernel)).toBeUndefined();
});
