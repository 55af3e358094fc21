import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { memorySections } from "./mem-section.ts";
import { percpuCounterSum, sharedPages } from "./memory-usage.ts";
import { pageRuns } from "./page-scan.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";
import { FRAMES, PagedKernel, VMEMMAP } from "./testing/paged-kernel.ts";

const ROOTS = 0xffff_8880_0000_2000n;
const ROOT = 0xffff_8880_0000_3000n;

/** One section of 256 frames (SECTION_SIZE_BITS of 20) and one that is absent. */
function machine(): PagedKernel {
  const kernel = new PagedKernel(
    {
      page: { flags: [0, "u64"], _mapcount: [48, "s32"], _refcount: [52, "s32"], $size: [64, ""] },
      mem_section: { section_mem_map: [0, "u64"], usage: [8, "u64"] },
    },
    { pageflags: { PG_locked: 0n, PG_reserved: 12n, __NR_PAGEFLAGS: 23n } },
  );
  kernel.vmcoreinfoValues.set("NUMBER(SECTION_SIZE_BITS)", 20n);
  kernel.vmcoreinfoValues.set("SYMBOL(mem_section)", ROOTS);
  kernel.memory.put64(ROOTS, ROOT);
  kernel.memory.put64(ROOT, VMEMMAP | 0xfn);
  return kernel;
}

describe("memory sections", () => {
  it("shows state and map of those present", () => {
    const broken: string[] = [];
    const all = [...memorySections(machine().kernel, ({ message }) => broken.push(message))];
    expect(all).toEqual([{ number: 0, address: ROOT, coded: VMEMMAP, startPfn: 0, state: "PMOE" }]);
    expect(broken).toEqual([]);
  });

  it("tells a root that cannot be read, and passes over one that is no address", () => {
    const kernel = machine();
    kernel.memory.put64(ROOTS, 0xffff_8880_dead_0000n);
    const broken: string[] = [];
    expect([...memorySections(kernel.kernel, ({ message }) => broken.push(message))]).toEqual([]);
    expect(broken.join()).toContain("ffff8880dead0000");
    kernel.memory.put64(ROOTS, 0x4141_4141_4141_4141n);
    expect([...memorySections(kernel.kernel, ({ message }) => broken.push(message))]).toEqual([]);
    expect(broken).toHaveLength(1);
  });
});

describe("all page structures", () => {
  const frames = (kernel: PagedKernel) => [...pageRuns(kernel.kernel, () => {})].map(({ firstPfn, count }) => [firstPfn, count]);

  it("reads a section in pieces", () => {
    expect(frames(machine())).toEqual([[0, FRAMES]]);
  });

  it("goes round page structures that are not there", () => {
    const kernel = machine();
    kernel.memory.drop(kernel.page(64));
    expect(frames(kernel)).toEqual([
      [0, 64],
      [128, 128],
    ]);
  });

  it("counts pages of several users, reserved ones left out", () => {
    const kernel = machine();
    for (const [frame, count, flags] of [
      [3, 2, 0n],
      [4, 1, 0n],
      [5, 7, 1n << 12n],
      [6, -1, 0n],
      [200, 3, 1n],
    ] as const) {
      kernel.memory.put32(kernel.page(frame) + 52n, count);
      kernel.memory.put64(kernel.page(frame), flags);
    }
    expect(sharedPages(kernel.kernel, () => {})).toBe(2);
  });
});

describe("per-CPU counters", () => {
  const AT = 0xffff_ffff_8200_0000n;
  const PARTS = 0xffff_8880_0000_0000n;

  it("adds the parts of all CPUs, which may be negative", () => {
    const kernel = new FakeKernel({ percpu_counter: { count: [8, "s64"], counters: [32, "u64"] } });
    kernel.perCpuOffsets = [virtual(0n), undefined as never, virtual(0x1000n), virtual(0x9000n)];
    kernel.memory.put64(AT + 8n, 100n);
    kernel.memory.put64(AT + 32n, PARTS);
    kernel.memory.put32(PARTS, 7);
    kernel.memory.put32(PARTS + 0x1000n, -30);
    const notes: string[] = [];
    expect(percpuCounterSum(kernel.kernel, virtual(AT), ({ message }) => notes.push(message))).toBe(77);
    // CPU 3's part cannot be read.
    expect(notes).toHaveLength(1);
  });

  it("is the count alone without SMP", () => {
    const kernel = new FakeKernel({ percpu_counter: { count: [0, "s64"] } });
    kernel.memory.put64(AT, -5n);
    expect(percpuCounterSum(kernel.kernel, virtual(AT), () => {})).toBe(-5);
  });
});
