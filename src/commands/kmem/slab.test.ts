import { describe, expect, it } from "vitest";
import { SLABS, SlubKernel } from "../../linux/testing/slub-kernel.ts";
import { parseArguments } from "../arguments.ts";
import type { Session } from "../command.ts";
import { kmem } from "../kmem.ts";

function text(kernel: SlubKernel, line: string): string[] {
  const session = { kernel: kernel.kernel } as unknown as Session;
  const words = line.split(" ");
  return [...kmem.text(kmem.run(session, parseArguments(kmem.spec, words, line)), { radix: 10 })];
}

/** CPU 0 allocates from A and has B aside; C is on the node's list. */
function build(): SlubKernel {
  const kernel = new SlubKernel();
  kernel.slab("A", [3]);
  const aside = kernel.slab("B", [0]);
  kernel.memory.put64(aside + 40n, 0n);
  kernel.slab("C", [15, 0, 7]);
  kernel.cpu(0, "A", [1, 2], aside);
  kernel.partial([kernel.page(SLABS.C)], 3);
  return kernel;
}

describe("kmem -s and -S", () => {
  it("show numbers as crash lays them out", () => {
    expect(text(build(), "-s")).toEqual([
      "CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME",
      "ffff888000001000       60         41        48      3     4k  filp",
    ]);
    expect(text(build(), "-s list")).toEqual(["ffff888000001000 filp"]);
    expect(text(build(), "-s -I filp")[1]).toBe(`ffff888000001000 [IGNORED]${" ".repeat(36)}filp`);
  });

  it("list the slabs of CPUs with their objects, and those of nodes without", () => {
    const lines = text(build(), "-S=0 filp");
    const from = lines.indexOf("CPU 0 SLAB:");
    expect(lines.slice(from, from + 8)).toEqual([
      "CPU 0 SLAB:",
      "  SLAB              MEMORY            NODE  TOTAL  ALLOCATED  FREE",
      "  ffffea0000000200  ffff888000008000     0     16         13     3",
      "  FREE / [ALLOCATED]",
      "  [ffff888000008000]",
      "   ffff888000008040  (cpu 0 cache)",
      "   ffff888000008080  (cpu 0 cache)",
      "   ffff8880000080c0  ",
    ]);
    expect(lines).toContain("CPU 0 PARTIAL:");
    expect(lines.some((line) => line.startsWith("CPU 1"))).toBe(false);
    expect(lines.slice(lines.indexOf("NODE 0 PARTIAL:"))).toEqual([
      "NODE 0 PARTIAL:",
      "  SLAB              MEMORY            NODE  TOTAL  ALLOCATED  FREE",
      "  ffffea0000000280  ffff88800000a000     0     16         13     3",
      "NODE 0 FULL:",
      "  (not tracked)",
      "",
    ]);
  });

  it("show the object that an address lies in", () => {
    const kernel = build();
    expect(text(kernel, `-s ${(kernel.object("A", 1) + 4n).toString(16)}`).at(-1)).toBe("   ffff888000008040  (cpu 0 cache)");
    expect(text(kernel, `-S ${kernel.object("A", 1).toString(16)}`).filter((line) => line.startsWith("  ["))).toHaveLength(13);
    expect(() => text(kernel, "-s ffff888000020000")).toThrow("lies in no slab");
    expect(() => text(kernel, "-s nosuch")).toThrow('no slab cache named "nosuch"');
  });

  it("tell damage at its place and go on", () => {
    const kernel = build();
    kernel.memory.put64(kernel.page(SLABS.A) + 32n, 0xdead_beef_0000n);
    kernel.memory.put64(kernel.page(SLABS.C) + 32n, kernel.chain([kernel.object("C", 0)], kernel.object("C", 0)));
    const lines = text(kernel, "-S");
    const damage = lines.filter((line) => line.includes("not whole:"));
    expect(damage).toEqual([
      expect.stringContaining("slab freelist of slab ffffea0000000200: it begins with 0000deadbeef0000, no object of this slab"),
      expect.stringContaining(
        "slab freelist of slab ffffea0000000280: object ffff88800000a000 leads to ffff88800000a000, which is free already",
      ),
    ]);
    expect(lines.indexOf(damage[0] as string)).toBe(lines.indexOf("CPU 0 SLAB:") + 3);
    expect(lines.at(-2)).toBe("  (not tracked)");
  });

  it("a freelist of a CPU that leads nowhere is told below the cache", () => {
    const kernel = build();
    kernel.memory.put64(kernel.at(3), kernel.object("C", 2));
    expect(text(kernel, "-s")[2]).toContain("not whole: cpu 0 freelist of slab ffffea0000000200: it begins with");
  });

  it("-r says that there are no root caches", () => {
    expect(() => text(build(), "-r")).toThrow("no root slab caches");
  });
});
