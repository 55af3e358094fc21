import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";
import { vmallocAreaOf, vmallocAreas } from "./vmalloc.ts";

const VM_STRUCT = {
  addr: [8, "u64"],
  size: [16, "u64"],
  flags: [24, "u64"],
  pages: [32, "u64"],
  nr_pages: [40, "u32"],
  phys_addr: [48, "u64"],
  caller: [56, "u64"],
} as const;
const VMAP_AREA = { va_start: [0, "u64"], va_end: [8, "u64"], rb_node: [16, "bytes24"], list: [40, "bytes16"], vm: [56, "u64"] } as const;
const MODERN = { vmap_area: { ...VMAP_AREA, subtree_max_size: [56, "u64"] }, vm_struct: VM_STRUCT } as const;

const AREAS = 0xffff_8880_0100_0000n;
const HEAD = 0xffff_ffff_8200_0000n;
const SPACE = 0xffff_c900_0000_0000n;

/** Areas of two pages, four apart, on a list; and in a tree that leans right. */
function kernelWith(table: StructTable, count: number): FakeKernel {
  const kernel = new FakeKernel(table);
  const { memory } = kernel;
  const at = (i: number) => AREAS + BigInt(i) * 0x100n;
  for (let i = 0; i < count; i++) {
    memory.put64(at(i), SPACE + BigInt(i) * 0x4000n);
    memory.put64(at(i) + 8n, SPACE + BigInt(i) * 0x4000n + 0x2000n);
    memory.put64(at(i) + 56n, at(i) + 0x80n);
    memory.put64(at(i) + 0x80n + 24n, 0x2n);
    memory.put32(at(i) + 0x80n + 40n, 1);
    memory.put64(at(i) + 0x80n + 56n, 0xffff_ffff_8100_1000n + BigInt(i));
  }
  link(
    kernel,
    HEAD,
    Array.from({ length: count }, (_, i) => at(i) + 40n),
  );
  kernel.symbol("vmap_area_list", HEAD);
  kernel.symbol("purge_vmap_area_list", HEAD + 0x40n);
  link(kernel, HEAD + 0x40n, []);
  return kernel;
}

function link(kernel: FakeKernel, head: bigint, nodes: readonly bigint[]): void {
  const ring = [head, ...nodes];
  for (const [i, node] of ring.entries()) {
    kernel.memory.put64(node, ring[(i + 1) % ring.length] as bigint);
    kernel.memory.put64(node + 8n, ring.at(i - 1) as bigint);
  }
}

const starts = (areas: readonly { readonly start: bigint }[]) => areas.map(({ start }) => Number((start - SPACE) / 0x4000n));

describe("vmalloc areas", () => {
  it("reads an area and its vm_struct", () => {
    const { busy, unpurged } = vmallocAreas(kernelWith(MODERN, 3).kernel);
    expect(starts(busy)).toEqual([0, 1, 2]);
    expect(busy[1]).toMatchObject({ flags: 2, flagNames: ["vmalloc"], pageCount: 1, caller: 0xffff_ffff_8100_1001n, unpurged: false });
    expect(busy[1]?.physical).toBeUndefined();
    expect(unpurged).toEqual([]);
  });

  it("finds the area that holds an address, and none between areas", () => {
    const { kernel } = kernelWith(MODERN, 3);
    expect(vmallocAreaOf(kernel, virtual(SPACE + 0x4000n))?.area).toBe(AREAS + 0x100n);
    expect(vmallocAreaOf(kernel, virtual(SPACE + 0x5fffn))?.area).toBe(AREAS + 0x100n);
    expect(vmallocAreaOf(kernel, virtual(SPACE + 0x6000n))).toBeUndefined();
    expect(vmallocAreaOf(kernel, virtual(SPACE - 1n))).toBeUndefined();
  });

  it("tells where the list breaks, and takes the rest from the tree", () => {
    const kernel = kernelWith(MODERN, 3);
    kernel.memory.put64(AREAS + 40n, 0xdead_0000_0000_0100n);
    const rest = vmallocAreas(kernel.kernel);
    expect(starts(rest.busy)).toEqual([0]);
    expect(rest.notes.join()).toContain("dead000000000100");

    const both = kernelWith(MODERN, 3);
    both.memory.put64(AREAS + 40n, 0xdead_0000_0000_0100n);
    const root = 0xffff_ffff_8200_0100n;
    both.symbol("vmap_area_root", root);
    const node = (i: number) => AREAS + BigInt(i) * 0x100n + 16n;
    both.memory.put64(root, node(1));
    for (const [i, parent, right, left] of [
      [1, 0n, node(2), node(0)],
      [0, node(1), 0n, 0n],
      [2, node(1), 0n, 0n],
    ] as const) {
      both.memory.put64(node(i), parent | 1n);
      both.memory.put64(node(i) + 8n, right);
      both.memory.put64(node(i) + 16n, left);
    }
    expect(starts(vmallocAreas(both.kernel).busy)).toEqual([0, 1, 2]);
  });

  it("believes vm up to 5.1 only where the area's flags say so", () => {
    const kernel = kernelWith({ vmap_area: { ...VMAP_AREA, flags: [64, "u64"] }, vm_struct: VM_STRUCT }, 2);
    kernel.memory.put64(AREAS + 64n, 4n);
    kernel.memory.put64(AREAS + 0x80n + 24n, 0x12n);
    const { busy } = vmallocAreas(kernel.kernel);
    expect(busy.map(({ vm }) => vm)).toEqual([AREAS + 0x80n, undefined]);
    expect(busy[0]?.flagNames).toEqual(["vmalloc", "vpages"]);
  });

  it("walks every vmap_node of 6.9, busy and lazy", () => {
    const list = { root: [0, "u64"], head: [8, "bytes16"] } as const;
    const node = { busy: [0, "rb_list"], lazy: [24, "rb_list"], purge_list: [48, "bytes16"] } as const;
    const kernel = kernelWith({ ...MODERN, rb_list: list, vmap_node: { ...node, $size: [128, ""] } }, 4);
    const nodes = 0xffff_8880_0200_0000n;
    kernel.symbol("vmap_nodes", HEAD + 0x100n);
    kernel.memory.put64(HEAD + 0x100n, nodes);
    kernel.symbol("nr_vmap_nodes", HEAD + 0x108n);
    kernel.memory.put32(HEAD + 0x108n, 2);
    const of = (i: number) => AREAS + BigInt(i) * 0x100n + 40n;
    const heads = [nodes + 8n, nodes + 32n, nodes + 48n, nodes + 136n, nodes + 160n, nodes + 176n];
    const lists = [[of(3)], [of(1)], [], [of(0)], [], [of(2)]];
    for (const [i, head] of heads.entries()) link(kernel, head, lists[i] ?? []);
    for (const root of [nodes, nodes + 24n, nodes + 128n, nodes + 152n]) kernel.memory.put64(root, 0n);
    const { busy, unpurged, notes } = vmallocAreas(kernel.kernel);
    expect([starts(busy), starts(unpurged), notes]).toEqual([[0, 3], [1, 2], []]);
    expect(unpurged.every((area) => area.unpurged && area.vm === undefined)).toBe(true);
    expect(vmallocAreaOf(kernel.kernel, virtual(SPACE + 0x4000n))?.unpurged).toBe(true);
  });
});
