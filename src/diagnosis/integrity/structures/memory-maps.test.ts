import { beforeEach, describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { taskTable } from "../../../linux/task.ts";
import { FakeKernel } from "../../../linux/testing/fake-kernel.ts";
import { Survey } from "../survey.ts";
import type { Targets } from "../targets.ts";
import { surveyMemoryMaps } from "./memory-maps.ts";

const BASE = 0xffff_8880_0001_0000n;
const at = (n: number): VirtualAddress => virtual(BASE + BigInt(n) * 0x100n);
const MM = at(1);
const LEAF = at(2);
const VMAS = [at(4), at(5), at(6)];
/** First addresses and ends; a gap between the second and the third. */
const AREAS = [
  [0x1000n, 0x3000n],
  [0x3000n, 0x4000n],
  [0x8000n, 0x9000n],
] as const;
const PIVOTS = 8n;
const SLOTS = 128n;

let kernel: FakeKernel;

beforeEach(() => {
  kernel = new FakeKernel({
    mm_struct: { mm_mt: [64, "maple_tree"] },
    maple_tree: { ma_root: [0, "u64"], $size: [8, ""] },
    vm_area_struct: { vm_start: [0, "u64"], vm_end: [8, "u64"], vm_mm: [16, "u64"] },
    maple_node: { slot: [8, "u64[31]"], $size: [256, ""] },
    maple_range_64: { pivot: [8, "u64[15]"], slot: [128, "u64[16]"], $size: [256, ""] },
    maple_arange_64: { pivot: [8, "u64[9]"], slot: [80, "u64[10]"], $size: [256, ""] },
  });
  kernel.memory.write(BASE, new Uint8Array(0x2000));
  Object.assign(kernel.arch, {
    pageSize: 4096,
    stripPointer: (address: bigint) => virtual(address),
    isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n,
  });
  kernel.kernel.memo(taskTable, () => ({ tasks: [{ mm: MM }] }) as never);
  kernel.memory.put64(MM + 64n, LEAF | (1n << 3n) | 2n);
  // gap, two maps, gap, a map, the rest
  const slots = [0n, VMAS[0], VMAS[1], 0n, VMAS[2], 0n] as readonly bigint[];
  const pivots = [0xfffn, 0x2fffn, 0x3fffn, 0x7fffn, 0x8fffn, (1n << 64n) - 1n];
  for (const [i, slot] of slots.entries()) kernel.memory.put64(LEAF + SLOTS + BigInt(i) * 8n, slot);
  for (const [i, pivot] of pivots.entries()) kernel.memory.put64(LEAF + PIVOTS + BigInt(i) * 8n, pivot);
  for (const [i, [start, end]] of AREAS.entries()) {
    kernel.memory.put64((VMAS[i] as bigint) + 0n, start);
    kernel.memory.put64((VMAS[i] as bigint) + 8n, end);
    kernel.memory.put64((VMAS[i] as bigint) + 16n, MM);
  }
});

function found() {
  const survey = new Survey(kernel.kernel, {} as Targets);
  surveyMemoryMaps(survey);
  return [...survey.damage, ...survey.settled()];
}

describe("trees of memory maps", () => {
  it("that are whole", () => {
    expect(found()).toEqual([]);
  });

  it("with a pivot that is not the end of its map", () => {
    const address = LEAF + PIVOTS + 16n;
    kernel.memory.put64(address, 0x3fffn ^ 0x20n);
    expect(found()).toMatchObject([{ class: "bit-flip", member: "mr64.pivot", object: LEAF, address, expected: 0x3fffn }]);
  });

  it("with a gap that does not end where the next map begins", () => {
    const address = LEAF + PIVOTS + 24n;
    kernel.memory.put64(address, 0x7fffn ^ 0x1n);
    expect(found()).toMatchObject([{ class: "bit-flip", member: "mr64.pivot", address, expected: 0x7fffn }]);
  });

  it("whose map has another end is not the tree's fault", () => {
    kernel.memory.put64((VMAS[1] as bigint) + 8n, 0x4001n);
    expect(found()).toEqual([]);
  });

  it("with a slot that leads to no map, and the one it should lead to", () => {
    const address = LEAF + SLOTS + 16n;
    kernel.memory.put64(address, (VMAS[1] as bigint) ^ (1n << 30n));
    expect(found()).toMatchObject([{ class: "bit-flip", member: "mr64.slot", address, expected: VMAS[1] }]);
  });

  it("with text over its slots", () => {
    kernel.memory.putText(LEAF + SLOTS + 16n, "link is down, retry");
    expect(found()[0]).toMatchObject({ class: "overwritten-pointer", unproved: true, address: LEAF + SLOTS + 16n });
  });
});
