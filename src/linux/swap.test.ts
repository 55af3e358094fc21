import { describe, expect, it } from "vitest";
import { swapAreas } from "./swap.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const TABLE = {
  swap_info_struct: {
    flags: [0, "u64"],
    prio: [8, "s16"],
    pages: [12, "u32"],
    inuse_pages: [16, "u64"],
    swap_file: [24, "u64"],
  },
  file: { f_inode: [0, "u64"] },
  inode: { i_mode: [0, "u16"] },
} as const;
const INFO = 0xffff_ffff_8200_0000n;
const AREAS = 0xffff_8880_0100_0000n;

function machine(): FakeKernel {
  const kernel = new FakeKernel(TABLE);
  const { memory } = kernel;
  kernel.symbol("si_swapinfo", 0xffff_ffff_8100_0000n);
  kernel.symbol("swap_info", INFO);
  kernel.symbol("nr_swapfiles", INFO + 0x400n);
  memory.put32(INFO + 0x400n, 3);
  for (const [i, mode] of [0o060660, 0o100600, 0o100600].entries()) {
    const area = AREAS + BigInt(i) * 0x100n;
    memory.put64(INFO + BigInt(i) * 8n, area);
    memory.put64(area, 3n);
    memory.put16(area + 8n, i === 0 ? 0xfffe : 5);
    memory.put32(area + 12n, 1000 * (i + 1));
    memory.put64(area + 16n, BigInt(10 * (i + 1)));
    memory.put64(area + 24n, area + 0x40n);
    memory.put64(area + 0x40n, area + 0x80n);
    memory.put16(area + 0x80n, mode);
  }
  return kernel;
}

describe("swap areas", () => {
  it("reads size, use, priority and kind", () => {
    const { areas, notes } = swapAreas(machine().kernel);
    expect(areas.map(({ kind, pages, used, priority }) => [kind, pages, used, priority])).toEqual([
      ["PARTITION", 1000, 10, -2],
      ["FILE", 2000, 20, 5],
      ["FILE", 3000, 30, 5],
    ]);
    expect(notes).toEqual([]);
  });

  it("leaves out areas that were switched off, and the mark of one that is off its list", () => {
    const kernel = machine();
    kernel.memory.put64(AREAS, 1n);
    kernel.memory.put64(AREAS + 0x100n + 16n, (1n << 62n) | 2000n);
    expect(swapAreas(kernel.kernel).areas.map(({ used }) => used)).toEqual([2000, 30]);
  });

  it("tells an area that cannot be read and shows the others", () => {
    const kernel = machine();
    kernel.memory.put64(INFO + 8n, 0x4141_4141_4141_4141n);
    const { areas, notes } = swapAreas(kernel.kernel);
    expect(areas).toHaveLength(2);
    expect(notes.join()).toContain("swap area 1:");
  });

  it("knows a kernel without swap", () => {
    expect(swapAreas(new FakeKernel(TABLE).kernel)).toEqual({ areas: [], notes: ["the kernel was built without swap (no CONFIG_SWAP)"] });
  });
});
