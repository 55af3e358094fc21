/**
 * The machine's physical memory map as the kernel keeps it.
 *
 *   x86-64   e820_table ─► { nr_entries, entries[]: addr, size, type }                    arch/x86/include/asm/e820/types.h
 *            e820, a struct e820map { nr_map, map[] } or from 4.9 on a pointer to one     before 4.12
 *   arm64    memblock { memory, reserved } ─► memblock_type { cnt, regions[]: base, size, flags }        mm/memblock.c
 *   either   iomem_resource ─► child ─► sibling …  resource { start, end (inclusive), name }             kernel/resource.c, exported
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** A range of physical addresses. */
export interface PhysicalRange {
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  /** "E820_RAM", "MEMORY", "RESERVED", "System RAM" … */
  readonly type: string;
}

/** The machine's physical memory, and which of the kernel's tables tells it. */
export interface PhysicalMap {
  readonly source: "e820_table" | "memblock" | "iomem_resource";
  readonly ranges: readonly PhysicalRange[];
}

/** E820_MAX_ENTRIES is 3200; memblock and resources grow with the machine. */
const MAX_RANGES = 1 << 16;

/** The map from the best source there is; undefined when none can be read. */
export function physicalMap(kernel: Kernel): PhysicalMap | undefined {
  for (const [source, read] of [
    ["e820_table", e820],
    ["memblock", memblock],
    ["iomem_resource", iomem],
  ] as const) {
    try {
      const ranges = read(kernel);
      if (ranges !== undefined && ranges.length > 0) return { source, ranges };
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
    }
  }
  return undefined;
}

/** Macros before 4.12. */
const E820_TYPES: ReadonlyMap<number, string> = new Map([
  [1, "E820_RAM"],
  [2, "E820_RESERVED"],
  [3, "E820_ACPI"],
  [4, "E820_NVS"],
  [5, "E820_UNUSABLE"],
]);

function e820(kernel: Kernel): PhysicalRange[] | undefined {
  const symbol = kernel.tryAddress("e820_table") ?? kernel.tryAddress("e820");
  const table = kernel.types.tryStruct("e820_table") ?? kernel.types.tryStruct("e820map");
  const entry = kernel.types.tryStruct("e820_entry") ?? kernel.types.tryStruct("e820entry");
  const counter = table?.firstField("nr_entries", "nr_map");
  const entries = table?.firstField("entries", "map");
  if (symbol === undefined || entry === undefined || counter === undefined || entries === undefined) return undefined;
  const fields = { start: entry.field("addr"), size: entry.field("size"), type: entry.field("type") };
  // The table itself begins with a count and an address of zero, which no pointer looks like.
  const word = kernel.memory.u64(symbol);
  const at = kernel.arch.isKernelAddress(word) ? virtual(word) : symbol;
  const count = Math.min(counter.number(at), Math.floor(entries.size / entry.size));
  const known = enumNames(kernel, "e820_type");
  const names = known.size > 0 ? known : E820_TYPES;
  const ranges: PhysicalRange[] = [];
  for (let i = 0; i < count; i++) {
    const here = add(entries.address(at), i * entry.size);
    const type = Number(BigInt.asUintN(32, fields.type.bigint(here)));
    const start = fields.start.pointer(here);
    ranges.push({
      start,
      end: add(start, fields.size.pointer(here)),
      type: names.get(type)?.replace("E820_TYPE_", "E820_") ?? `type ${type}`,
    });
  }
  return ranges;
}

function enumNames(kernel: Kernel, name: string): ReadonlyMap<number, string> {
  const type = kernel.types.find("enum", name, { modules: false });
  if (type === undefined || type.kind !== "enum") return new Map();
  return new Map(type.enumerators.map((each) => [Number(BigInt.asUintN(32, each.value)), each.name]));
}

/** memory and reserved are kept where ARCH_KEEP_MEMBLOCK is set: arm64, not x86-64, which discards the regions and maybe their array. */
function memblock(kernel: Kernel): PhysicalRange[] | undefined {
  const address = kernel.tryAddress("memblock");
  const whole = kernel.types.tryStruct("memblock");
  const type = kernel.types.tryStruct("memblock_type");
  const region = kernel.types.tryStruct("memblock_region");
  if (address === undefined || whole === undefined || type === undefined || region === undefined || kernel.arch.name === "x86_64")
    return undefined;
  const fields = {
    count: type.field("cnt"),
    regions: type.field("regions"),
    base: region.field("base"),
    size: region.field("size"),
    flags: region.tryField("flags"),
  };
  const noMap = Number(kernel.types.constant("MEMBLOCK_NOMAP") ?? 4n);
  const ranges: PhysicalRange[] = [];
  for (const kind of ["memory", "reserved"]) {
    const list = whole.field(kind).address(address);
    const count = Math.min(fields.count.number(list), MAX_RANGES);
    const regions = fields.regions.pointer(list);
    for (let i = 0; i < count; i++) {
      const here = add(regions, i * region.size);
      const start = fields.base.pointer(here);
      const unmapped = ((fields.flags?.number(here) ?? 0) & noMap) !== 0 ? " (not mapped)" : "";
      ranges.push({ start, end: add(start, fields.size.pointer(here)), type: kind.toUpperCase() + unmapped });
    }
  }
  return ranges;
}

/** The top level of the resource tree, as /proc/iomem shows it. */
function iomem(kernel: Kernel): PhysicalRange[] | undefined {
  const root = kernel.tryAddress("iomem_resource");
  const resource = kernel.types.tryStruct("resource");
  if (root === undefined || resource === undefined) return undefined;
  const fields = {
    start: resource.field("start"),
    end: resource.field("end"),
    name: resource.field("name"),
    child: resource.field("child"),
    sibling: resource.field("sibling"),
  };
  const ranges: PhysicalRange[] = [];
  const seen = new Set<bigint>();
  for (
    let at: VirtualAddress = fields.child.pointer(root);
    at !== 0n && !seen.has(at) && seen.size < MAX_RANGES;
    at = fields.sibling.pointer(at)
  ) {
    seen.add(at);
    const name = fields.name.pointer(at);
    ranges.push({
      start: fields.start.pointer(at),
      end: fields.end.pointer(at) + 1n,
      type: name === 0n ? "?" : kernel.memory.cString(name, 64),
    });
  }
  return ranges;
}
