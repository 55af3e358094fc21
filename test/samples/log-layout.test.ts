/** The log is read without type information too: what VMCOREINFO tells of the ring is what the types tell. */
import { describe, expect, test } from "vitest";
import type { Field } from "../../src/kernel/field.ts";
import { type RingLayout, ringLayout } from "../../src/linux/printk-ring.ts";
import { vmcoreinfoRingLayout } from "../../src/linux/printk-ring-vmcoreinfo.ts";
import { openSample, samples } from "./samples.ts";

function places(layout: RingLayout | undefined): unknown {
  const place = (part: number | Field | undefined) =>
    typeof part === "object" ? { at: part.offset, bit: part.bitShift, bits: part.bitSize, size: part.size } : part;
  return Object.entries(layout ?? {}).map(([name, part]) => [
    name,
    Object.fromEntries(Object.entries(part as Record<string, number | Field | undefined>).map(([member, value]) => [member, place(value)])),
  ]);
}

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (_name, sample) => {
  test("the ring's layout", async () => {
    const { kernel } = await openSample(sample);
    const { vmcoreinfo } = kernel;
    expect(vmcoreinfo).toBeDefined();
    const told = vmcoreinfoRingLayout(kernel.memory, vmcoreinfo as NonNullable<typeof vmcoreinfo>);
    expect(told).toBeDefined();
    expect(places(told)).toEqual(places(ringLayout(kernel.types)));
    kernel.dump.close();
  });
});
