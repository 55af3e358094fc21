import { expect, it } from "vitest";
import { physicalMap } from "./memory-map.ts";
import { PagedKernel } from "./testing/paged-kernel.ts";

const E820 = {
  e820_table: { nr_entries: [0, "u32"], entries: [4, "bytes60"] },
  e820_entry: { addr: [0, "u64"], size: [8, "u64"], type: [16, "u32"], $size: [20, ""] },
} as const;
const RESOURCE = { resource: { start: [0, "u64"], end: [8, "u64"], name: [16, "u64"], sibling: [24, "u64"], child: [32, "u64"] } } as const;
const MEMBLOCK = {
  memblock: { memory: [0, "memblock_type"], reserved: [24, "memblock_type"] },
  memblock_type: { cnt: [0, "u64"], regions: [8, "u64"], $size: [24, ""] },
  memblock_region: { base: [0, "u64"], size: [8, "u64"], flags: [16, "u32"], $size: [24, ""] },
} as const;
const AT = 0xffff_8880_0010_0000n;

function resources(kernel: PagedKernel): void {
  kernel.symbol("iomem_resource", AT);
  kernel.memory.put64(AT + 32n, AT + 0x100n);
  kernel.memory.put64(AT + 0x100n, 0x1000n);
  kernel.memory.put64(AT + 0x108n, 0x1fffn);
  kernel.memory.put64(AT + 0x110n, AT + 0x200n);
  kernel.memory.put64(AT + 0x118n, 0n);
  kernel.memory.putText(AT + 0x200n, "System RAM\0");
}

it("reads e820, not beyond its array whatever its count says", () => {
  const kernel = new PagedKernel({ ...E820, ...RESOURCE }, { e820_type: { E820_TYPE_RAM: 1n, E820_TYPE_RESERVED: 2n } });
  resources(kernel);
  kernel.symbol("e820_table", AT + 0x1000n);
  kernel.memory.put64(AT + 0x1000n, AT + 0x2000n);
  kernel.memory.put32(AT + 0x2000n, 1000);
  [
    [0n, 0x9fc00n, 1],
    [0xf0000n, 0x10000n, 2],
    [0x100000n, 0x1000n, 99],
  ].forEach(([start, size, type], i) => {
    const at = AT + 0x2004n + BigInt(i) * 20n;
    kernel.memory.put64(at, start as bigint);
    kernel.memory.put64(at + 8n, size as bigint);
    kernel.memory.put32(at + 16n, type as number);
  });
  expect(physicalMap(kernel.kernel)).toEqual({
    source: "e820_table",
    ranges: [
      { start: 0n, end: 0x9fc00n, type: "E820_RAM" },
      { start: 0xf0000n, end: 0x100000n, type: "E820_RESERVED" },
      { start: 0x100000n, end: 0x101000n, type: "type 99" },
    ],
  });
});

it("reads memblock on arm64, and the resource tree where neither is there", () => {
  const kernel = new PagedKernel({ ...MEMBLOCK, ...RESOURCE });
  resources(kernel);
  Object.defineProperty(kernel, "arch", { value: { ...kernel.arch, name: "aarch64" } });
  expect(physicalMap(kernel.kernel)).toEqual({ source: "iomem_resource", ranges: [{ start: 0x1000n, end: 0x2000n, type: "System RAM" }] });
  kernel.symbol("memblock", AT + 0x1000n);
  kernel.memory.put64(AT + 0x1000n, 1n);
  kernel.memory.put64(AT + 0x1008n, AT + 0x2000n);
  kernel.memory.put64(AT + 0x1018n, 1n);
  kernel.memory.put64(AT + 0x1020n, AT + 0x3000n);
  for (const [at, base, flags] of [
    [AT + 0x2000n, 0x40000000n, 0],
    [AT + 0x3000n, 0x48000000n, 4],
  ] as const) {
    kernel.memory.put64(at, base);
    kernel.memory.put64(at + 8n, 0x1000n);
    kernel.memory.put32(at + 16n, flags);
  }
  expect(physicalMap(kernel.kernel)?.ranges).toEqual([
    { start: 0x40000000n, end: 0x40001000n, type: "MEMORY" },
    { start: 0x48000000n, end: 0x48001000n, type: "RESERVED (not mapped)" },
  ]);
});

it("does not run in circles of resources", () => {
  const kernel = new PagedKernel(RESOURCE);
  resources(kernel);
  kernel.memory.put64(AT + 0x118n, AT + 0x100n);
  expect(physicalMap(kernel.kernel)?.ranges).toHaveLength(1);
});

it.each(["itself", "behind a pointer (4.9)"])("reads e820map, %s", (form) => {
  const kernel = new PagedKernel({
    e820map: { nr_map: [0, "u32"], map: [4, "bytes60"] },
    e820entry: { addr: [0, "u64"], size: [8, "u64"], type: [16, "u32"], $size: [20, ""] },
  });
  const table = form === "itself" ? AT : AT + 0x100n;
  kernel.symbol("e820", AT);
  if (table !== AT) kernel.memory.put64(AT, table);
  kernel.memory.put32(table, 2);
  for (const [i, [start, size, type]] of [[0n, 0x9fc00n, 1] as const, [0x100000n, 0x1000n, 4] as const].entries()) {
    const at = table + 4n + BigInt(i) * 20n;
    kernel.memory.put64(at, start);
    kernel.memory.put64(at + 8n, size);
    kernel.memory.put32(at + 16n, type);
  }
  expect(physicalMap(kernel.kernel)?.ranges).toEqual([
    { start: 0n, end: 0x9fc00n, type: "E820_RAM" },
    { start: 0x100000n, end: 0x101000n, type: "E820_NVS" },
  ]);
});
