import { describe, expect, it } from "vitest";
import { Slabs } from "./slab.ts";
import { slabObjectState } from "./slab-state.ts";
import { slabNumbers } from "./slab-statistics.ts";
import type { SlabFreeMap } from "./slub.ts";
import { OBJECTS, SLABS, type SlabName, SlubKernel } from "./testing/slub-kernel.ts";

function mapOf(kernel: SlubKernel, name: SlabName): SlabFreeMap {
  const slab = Slabs.of(kernel.kernel)?.slabAt(kernel.page(SLABS[name]) as never);
  if (slab === undefined) throw new Error("no slab there");
  return kernel.slub.freeMap(slab);
}

/** Indices of free objects by the name of the place they wait in. */
function places(kernel: SlubKernel, name: SlabName): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  for (const [index, place] of mapOf(kernel, name).places.entries()) {
    if (place !== 0) found[kernel.slub.placeName(place)] = [...(found[kernel.slub.placeName(place)] ?? []), index];
  }
  return found;
}

/** CPU 0 allocates from A, CPU 1 from B, which it took whole; C is on the node's list. */
function build(kernel = new SlubKernel()): SlubKernel {
  kernel.slab("A", [3, 9]);
  kernel.slab("B", []);
  kernel.slab("C", [15, 0, 7]);
  kernel.cpu(0, "A", [1, 2]);
  kernel.cpu(1, "B", [5, 4, 6]);
  kernel.partial([kernel.page(SLABS.C)], 3);
  return kernel;
}

describe("SLUB", () => {
  it("adds the freelist of a CPU to that of its slab", () => {
    const kernel = build();
    expect(places(kernel, "A")).toEqual({ "slab freelist": [3, 9], "cpu 0 freelist": [1, 2] });
    expect(places(kernel, "B")).toEqual({ "cpu 1 freelist": [4, 5, 6] });
    expect(places(kernel, "C")).toEqual({ "slab freelist": [0, 7, 15] });
    for (const name of ["A", "B", "C"] as const) expect(mapOf(kernel, name).problems).toEqual([]);
  });

  it("tells the state of one object, from any address in it", () => {
    const kernel = build();
    expect(slabObjectState(kernel.kernel, kernel.object("A", 1) + 5n)).toEqual({ state: "free", where: "cpu 0 freelist" });
    expect(slabObjectState(kernel.kernel, kernel.object("A", 0))).toEqual({ state: "allocated" });
    expect(slabObjectState(kernel.kernel, kernel.at(20))).toBeUndefined();
  });

  it.each([
    ["plain xor (4.14)", false],
    ["xor with the swapped place (5.7)", true],
  ])("finds out how free pointers are stored: %s", (_, swabbed) => {
    const kernel = new SlubKernel();
    kernel.random = 0x1234_5678_9abc_def0n;
    kernel.swabbed = swabbed;
    kernel.memory.put64(kernel.cacheAddress + 48n, kernel.random);
    build(kernel);
    expect(places(kernel, "A")).toEqual({ "slab freelist": [3, 9], "cpu 0 freelist": [1, 2] });
    expect(places(kernel, "C")).toEqual({ "slab freelist": [0, 7, 15] });
  });

  it("counts as slabinfo does, and what CPUs keep apart", () => {
    const kernel = build();
    const numbers = slabNumbers(kernel.kernel, kernel.slub.cache);
    // Three of C are free; CPU 0 keeps two and slab A two more, CPU 1 three.
    expect(numbers).toEqual({ total: 48, slabs: 3, active: 45, allocated: 38, problems: [] });
  });

  it("counts slabs that wait for a CPU", () => {
    const kernel = build();
    kernel.memory.put64(kernel.page(SLABS.C) + 40n, 0n);
    kernel.cpu(0, "A", [1, 2], kernel.page(SLABS.C));
    kernel.partial([], 3);
    kernel.memory.put64(kernel.page(SLABS.C) + 40n, 0n);
    expect(kernel.slub.cpus[0]?.partial).toEqual([kernel.page(SLABS.C)]);
    expect(slabNumbers(kernel.kernel, kernel.slub.cache)).toMatchObject({ active: 48, allocated: 38, problems: [] });
  });
});

describe("SLUB with sheaves", () => {
  it("finds free objects in the sheaves of CPUs and the barn", () => {
    const kernel = new SlubKernel("sheaves");
    kernel.slab("A", [3]);
    kernel.slab("B", []);
    kernel.partial([kernel.page(SLABS.A)], 2);
    const cpu = kernel.at(3);
    kernel.memory.put64(cpu, kernel.sheaf(kernel.at(5), [kernel.object("A", 1), kernel.object("B", 2)]));
    kernel.memory.put64(cpu + 16n, kernel.sheaf(kernel.at(6), [kernel.object("B", 4)]));
    kernel.memory.put64(kernel.node + 64n, kernel.at(7));
    const waiting = kernel.sheaf(kernel.at(11), [kernel.object("B", 15)]);
    kernel.ring(kernel.at(7), [waiting]);
    kernel.ring(kernel.at(7, 16), []);
    kernel.memory.put32(kernel.at(7, 36), 2);
    expect(places(kernel, "A")).toEqual({ "slab freelist": [3], "cpu 0 main sheaf": [1] });
    expect(places(kernel, "B")).toEqual({ "cpu 0 main sheaf": [2], "cpu 0 rcu_free sheaf": [4], "barn of node 0": [15] });
    expect(kernel.slub.nodes[0]?.barn).toMatchObject({ empty: 2, full: [{ objects: [kernel.object("B", 15)] }] });
    expect(slabNumbers(kernel.kernel, kernel.slub.cache)).toMatchObject({ total: 32, active: 31, allocated: 27 });
  });

  it("tells what lies in a sheaf and is no object, and a size that cannot be", () => {
    const kernel = new SlubKernel("sheaves");
    kernel.slab("A", [3]);
    kernel.partial([kernel.page(SLABS.A)], 1);
    kernel.memory.put64(
      kernel.at(3),
      kernel.sheaf(kernel.at(5), [kernel.object("A", 1) + 8n, kernel.object("A", 3), kernel.object("A", 6)]),
    );
    kernel.memory.put64(kernel.at(3, 8), kernel.sheaf(kernel.at(6), []));
    kernel.memory.put32(kernel.at(6, 24), 1_000_000);
    expect(places(kernel, "A")).toEqual({ "slab freelist": [3], "cpu 0 main sheaf": [6] });
    expect(mapOf(kernel, "A").problems).toEqual([expect.stringContaining("is free already")]);
    expect(kernel.slub.problems).toEqual([
      expect.stringContaining("says to hold 1000000"),
      expect.stringContaining("is no object of this cache"),
    ]);
  });
});

describe("damage in SLUB", () => {
  it("a wild pointer in a freelist: objects before it are free, the others unknown, other lists go on", () => {
    const kernel = build();
    kernel.memory.put64(kernel.page(SLABS.A) + 32n, kernel.chain([kernel.object("A", 3)], 0xdead_beef_0000n));
    expect(places(kernel, "A")).toEqual({ "slab freelist": [3], "cpu 0 freelist": [1, 2] });
    const state = (index: number) => slabObjectState(kernel.kernel, kernel.object("A", index));
    expect(state(3)).toEqual({ state: "free", where: "slab freelist" });
    expect(state(9)).toEqual({ state: "unknown", reason: expect.stringContaining("leads to 0000deadbeef0000, no object of this slab") });
    expect(slabObjectState(kernel.kernel, kernel.object("B", 0))).toEqual({ state: "allocated" });
  });

  it("a pointer into the middle of an object is none", () => {
    const kernel = build();
    kernel.memory.put64(kernel.page(SLABS.C) + 32n, kernel.object("C", 3) + 8n);
    expect(mapOf(kernel, "C").problems).toEqual([expect.stringContaining("it begins with")]);
  });

  it("a freelist that runs in a circle ends", () => {
    const kernel = build();
    const [first, second] = [kernel.object("C", 0), kernel.object("C", 7)];
    kernel.memory.put64(kernel.page(SLABS.C) + 32n, kernel.chain([first, second], first));
    expect(mapOf(kernel, "C")).toMatchObject({ free: 2, problems: [expect.stringContaining("which is free already")] });
  });

  it("an object in two freelists is told", () => {
    const kernel = build();
    kernel.cpu(0, "A", [1, 9]);
    expect(mapOf(kernel, "A").problems).toEqual([expect.stringContaining("cpu 0 freelist")]);
  });

  it("counters that disagree with the list are told", () => {
    const kernel = build();
    kernel.memory.put16(kernel.page(SLABS.C) + 26n, OBJECTS - 5);
    expect(mapOf(kernel, "C").problems).toEqual([expect.stringContaining("5 of 16 objects should be free, its freelist holds 3")]);
  });

  it("an unreadable object ends its list at its place", () => {
    const kernel = build();
    kernel.memory.drop(kernel.object("C", 0));
    expect(mapOf(kernel, "C")).toMatchObject({ free: 1, problems: [expect.stringContaining("cannot be read (unmapped)")] });
  });

  it("more objects in use than there are count as none free", () => {
    const kernel = build();
    kernel.memory.put16(kernel.page(SLABS.C) + 26n, OBJECTS + 4);
    expect(slabNumbers(kernel.kernel, kernel.slub.cache)).toMatchObject({
      active: 48,
      problems: [expect.stringContaining("4 more objects in use than it holds")],
    });
  });

  it("a cut list of partial slabs keeps what came before, and its count is told", () => {
    const kernel = build();
    kernel.partial([kernel.page(SLABS.C), kernel.page(SLABS.B)], 3);
    kernel.memory.put64(kernel.page(SLABS.C) + 40n, 0n);
    expect(kernel.slub.nodes[0]?.partial).toEqual([kernel.page(SLABS.C)]);
    expect(kernel.slub.problems).toEqual([
      expect.stringContaining("node 0 partial: list_head"),
      "node 0: nr_partial is 2, the list holds 1 slabs",
    ]);
  });

  it("a page of another cache on the list ends it", () => {
    const kernel = build();
    kernel.memory.put64(kernel.page(SLABS.C) + 16n, kernel.at(40));
    expect(kernel.slub.nodes[0]?.partial).toEqual([]);
    expect(kernel.slub.problems[0]).toContain("is no slab of this cache");
  });

  it("a circle of per-CPU partial slabs ends", () => {
    const kernel = build();
    kernel.cpu(0, "A", [1, 2], kernel.page(SLABS.B));
    kernel.memory.put64(kernel.page(SLABS.B) + 40n, kernel.page(SLABS.B));
    expect(kernel.slub.cpus[0]?.partial).toEqual([kernel.page(SLABS.B)]);
    expect(kernel.slub.problems).toEqual([expect.stringContaining("the list runs in a circle")]);
  });
});
