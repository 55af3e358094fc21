import { describe, expect, test } from "vitest";
import type { VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { slabsLeftOut } from "./slab-left-out.ts";
import { SlubKernel } from "./testing/slub-kernel.ts";

/** Slabs A and B of two pages each, of which some are left out. */
function machine(without: readonly number[]): SlubKernel {
  const fake = new SlubKernel();
  fake.memory.put32(fake.cacheAddress + 24n, (1 << 16) | 16);
  fake.slab("A", []);
  const { memory } = fake;
  const read = memory.u64.bind(memory);
  memory.u64 = (address: VirtualAddress) => {
    if (without.some((frame) => address === fake.at(frame))) throw new FaultError(address, "virtual", "excluded");
    return read(address);
  };
  return fake;
}

describe("slabs that a dump lacks pages of", () => {
  test("are told by any of their pages", () => {
    const whole = machine([]);
    whole.memory.write(whole.at(9), new Uint8Array(4096));
    expect(slabsLeftOut(whole.kernel, [whole.object("A", 3), whole.object("A", 4)])).toEqual({ slabs: 1, lacking: 0 });
    const tail = machine([9]);
    expect(slabsLeftOut(tail.kernel, [tail.object("A", 3)])).toEqual({ slabs: 1, lacking: 1 });
  });

  test("memory that is missing for another reason is no sign", () => {
    const absent = machine([]);
    absent.memory.drop(absent.at(9));
    expect(slabsLeftOut(absent.kernel, [absent.object("A", 3)])).toEqual({ slabs: 1, lacking: 0 });
  });

  test("objects of slabs of one page, and addresses outside slabs, say nothing", () => {
    const fake = new SlubKernel();
    fake.slab("A", []);
    expect(slabsLeftOut(fake.kernel, [fake.object("A", 3), fake.at(200)])).toEqual({ slabs: 0, lacking: 0 });
  });
});
