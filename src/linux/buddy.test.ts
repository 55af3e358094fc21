import { describe, expect, it } from "vitest";
import type { InquestError } from "../bytes/errors.ts";
import { countBlocks, freeAreas, freePlaceOf, migrateNames, perCpuPages } from "./buddy.ts";
import { ZonedKernel } from "./testing/zoned-kernel.ts";
import { globalZoneCounters, zoneCounters } from "./vmstat.ts";
import { memoryNodes, type Zone } from "./zone.ts";

const lowZone = (kernel: ZonedKernel) => memoryNodes(kernel.kernel).nodes[0]?.zones[0] as Zone;
const counts = (kernel: ZonedKernel) =>
  freeAreas(kernel.kernel, lowZone(kernel)).map(({ lists }) => lists.map((list) => countBlocks(kernel.kernel, list).blocks));

describe("zones", () => {
  it("reads sizes, watermarks and reserves", () => {
    const kernel = new ZonedKernel();
    const { nodes, notes } = memoryNodes(kernel.kernel);
    expect(notes).toEqual([]);
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({ id: 0, startPfn: 16, present: 100, spanned: 112 });
    expect(nodes[0]?.zones.map(({ name, spanned }) => [name, spanned])).toEqual([
      ["Low", 112],
      ["High", 0],
    ]);
    expect(lowZone(kernel)).toMatchObject({
      startPfn: 16,
      managed: 90,
      watermarks: { min: 5, low: 6, high: 7, promo: undefined },
      boost: 3,
    });
  });

  it("shows a zone whose name cannot be read", () => {
    const kernel = new ZonedKernel();
    kernel.memory.put64(lowZone(kernel).address + 96n, 0x10n);
    const again = new ZonedKernel();
    again.memory.put64(lowZone(kernel).address + 96n, 0x10n);
    expect(memoryNodes(again.kernel).nodes[0]?.zones.map(({ name }) => name)).toEqual(["?", "High"]);
  });

  it("adds what CPUs hold back, with its sign, and names items by their last name", () => {
    const kernel = new ZonedKernel();
    kernel.setPending(0, 0, 5);
    kernel.setPending(1, 0, -3);
    expect(zoneCounters(kernel.kernel, lowZone(kernel)).counters).toEqual([
      { name: "NR_FREE_PAGES", value: 6, pending: 2 },
      { name: "NR_ZONE_FILE", value: 0, pending: 0 },
    ]);
    expect(() => globalZoneCounters(kernel.kernel)).toThrow();
  });
});

describe("free lists", () => {
  it("counts blocks by order and migratetype", () => {
    const kernel = new ZonedKernel();
    expect(counts(kernel)).toEqual([
      [0, 2],
      [1, 0],
      [0, 1],
    ]);
    expect(freeAreas(kernel.kernel, lowZone(kernel)).map(({ told }) => told)).toEqual([2, 1, 1]);
    expect(migrateNames(kernel.kernel)).toEqual(["Unmovable", "Movable"]);
  });

  it.each([
    ["a cut list", (kernel: ZonedKernel) => kernel.memory.put64(kernel.page(20) + 8n, 0n), 1, "NULL"],
    ["a wild pointer", (kernel: ZonedKernel) => kernel.memory.put64(kernel.page(20) + 8n, 0xdead_0000_0000_0100n), 1, "cannot be read"],
    ["a circle", (kernel: ZonedKernel) => kernel.memory.put64(kernel.page(22) + 8n, kernel.page(20) + 8n), 2, "circle"],
    ["a page of no zone", (kernel: ZonedKernel) => kernel.link(kernel.area(0) + 16n, [20, 200]), 1, "none of its pages"],
    ["text over a page", (kernel: ZonedKernel) => kernel.memory.putText(kernel.page(20), "A".repeat(64)), 0, "prev is"],
  ])("ends at %s and says so", (_what, damage, blocks, reason) => {
    const kernel = new ZonedKernel();
    damage(kernel);
    const list = freeAreas(kernel.kernel, lowZone(kernel))[0]?.lists[1];
    if (list === undefined) throw new Error("no list");
    const counted = countBlocks(kernel.kernel, list);
    expect(counted.blocks).toBe(blocks);
    expect(counted.broken).toContain(reason);
    expect(counts(kernel).slice(1)).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it("finds the block that holds a frame", () => {
    const { kernel } = new ZonedKernel();
    expect(freePlaceOf(kernel, 35)).toMatchObject({ firstPfn: 32, order: 2, list: { migrateType: 1 } });
    expect(freePlaceOf(kernel, 25)).toMatchObject({ firstPfn: 24, order: 1 });
    for (const frame of [19, 21, 26, 36, 0]) expect(freePlaceOf(kernel, frame)).toBeUndefined();
  });

  it("finds a page on a CPU's own list", () => {
    const kernel = new ZonedKernel();
    kernel.link(kernel.perCpuList(1, 0), [40]);
    const broken: InquestError[] = [];
    expect(perCpuPages(kernel.kernel, lowZone(kernel), (error) => broken.push(error)).map(({ cpu }) => cpu)).toEqual([0, 1]);
    expect(freePlaceOf(kernel.kernel, 40, (error) => broken.push(error))).toMatchObject({ firstPfn: 40, order: 0, cpu: 1 });
    expect(broken).toEqual([]);
  });
});
