/** Builder for tests: a physical memory of a few pages, written word by word, and page tables composed in it. */
import { type PhysicalAddress, physical } from "../../bytes/address.ts";
import type { Dump, PageFault } from "../../dump/dump.ts";
import { PhysicalMemory } from "../../dump/physical-memory.ts";

export class MemoryBuilder {
  readonly pageSize: number;
  readonly pages = new Map<number, Uint8Array>();
  /** Pages that answer "excluded". */
  readonly excluded = new Set<number>();
  #next: number;

  constructor(pageSize = 4096, firstPfn = 0x100) {
    this.pageSize = pageSize;
    this.#next = firstPfn;
  }

  /** A fresh zeroed page; its physical address. */
  allocate(count = 1): bigint {
    const pfn = this.#next;
    this.#next += count;
    for (let i = 0; i < count; i++) this.pages.set(pfn + i, new Uint8Array(this.pageSize));
    return BigInt(pfn) * BigInt(this.pageSize);
  }

  writeU64(address: bigint, value: bigint): void {
    const pfn = Number(address / BigInt(this.pageSize));
    let page = this.pages.get(pfn);
    if (page === undefined) {
      page = new Uint8Array(this.pageSize);
      this.pages.set(pfn, page);
    }
    new DataView(page.buffer).setBigUint64(Number(address % BigInt(this.pageSize)), value, true);
  }

  readU64(address: bigint): bigint {
    const page = this.pages.get(Number(address / BigInt(this.pageSize)));
    return page === undefined ? 0n : new DataView(page.buffer).getBigUint64(Number(address % BigInt(this.pageSize)), true);
  }

  dump(machine: Dump["machine"] = "x86_64"): Dump {
    return {
      format: "test memory",
      files: ["test"],
      machine,
      littleEndian: true,
      pageSize: this.pageSize,
      maxPfn: 2 ** 40,
      readPage: (pfn: number, target: Uint8Array): PageFault | undefined => {
        if (this.excluded.has(pfn)) return { reason: "excluded" };
        const page = this.pages.get(pfn);
        if (page === undefined) return { reason: "absent" };
        target.set(page);
        return undefined;
      },
      ranges: [...this.pages.keys()]
        .sort((a, b) => a - b)
        .map((pfn) => ({ start: BigInt(pfn) * BigInt(this.pageSize), end: BigInt(pfn + 1) * BigInt(this.pageSize) })),
      virtualRanges: [],
      notes: [],
      vmcoreinfo: undefined,
      utsname: undefined,
      timestamp: undefined,
      dumpLevel: undefined,
      physBase: undefined,
      partial: false,
      incomplete: false,
      warnings: [],
      eraseInfo: undefined,
      facts: [],
      live: false,
      close() {},
    };
  }

  memory(machine: Dump["machine"] = "x86_64"): PhysicalMemory {
    return new PhysicalMemory(this.dump(machine), { cacheBytes: 1 << 20 });
  }
}

/** Shape of the tables that `mapPage` composes. */
export interface TableShape {
  /** Bits resolved by each level, top first. */
  readonly bits: readonly number[];
  readonly pageShift: number;
  /** Entry that points to the next table. */
  readonly table: (address: bigint) => bigint;
  /** Entry that maps a page at `depth` levels below the top. */
  readonly leaf: (address: bigint, depth: number) => bigint;
  /** Inverse of `table`. */
  readonly next: (entry: bigint) => bigint;
}

/** Maps a virtual to a physical page in the tables at `root`; `depth` is the level of the leaf (last level = 4 KiB or so). */
export function mapPage(
  builder: MemoryBuilder,
  root: PhysicalAddress,
  shape: TableShape,
  from: bigint,
  to: bigint,
  depth = shape.bits.length - 1,
): void {
  let table = root as bigint;
  let shift = shape.pageShift + shape.bits.reduce((sum, bits) => sum + bits, 0);
  for (let level = 0; level <= depth; level++) {
    const bits = shape.bits[level] as number;
    shift -= bits;
    const index = (from >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n);
    const at = table + index * 8n;
    if (level === depth) {
      builder.writeU64(at, shape.leaf(to, level));
      return;
    }
    const entry = builder.readU64(at);
    table = entry === 0n ? builder.allocate() : shape.next(entry);
    if (entry === 0n) builder.writeU64(at, shape.table(table));
  }
}

/** A root table. */
export function rootTable(builder: MemoryBuilder): PhysicalAddress {
  return physical(builder.allocate());
}
