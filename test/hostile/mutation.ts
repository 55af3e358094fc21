/** Seeded damage: to the bytes of a dump file (overlay over a ByteSource) and to the memory that a dump holds (overlay over a Dump). */
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import type { Dump, PageFault } from "../../src/dump/dump.ts";

/** mulberry32: small, seeded, good enough to spread damage. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const INTERESTING = [0, 0xff, 0x7f, 0x80, 1, 0x20];

/** A source whose bytes at some places are others, or that ends early. */
export class DamagedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #base: ByteSource;
  readonly #changes: ReadonlyMap<number, number>;

  constructor(base: ByteSource, changes: ReadonlyMap<number, number>, size = base.size) {
    this.#base = base;
    this.#changes = changes;
    this.name = base.name;
    this.size = Math.min(size, base.size);
  }

  readInto(target: Uint8Array, offset: number): number {
    const wanted = target.subarray(0, Math.max(0, Math.min(target.length, this.size - offset)));
    const count = wanted.length === 0 ? 0 : this.#base.readInto(wanted, offset);
    for (const [at, value] of this.#changes) if (at >= offset && at < offset + count) target[at - offset] = value;
    return count;
  }

  close(): void {}
}

/** One to eight changed bytes: half of them in the first 64 KiB, where headers and tables lie. Sometimes a whole word. */
export function damageFile(base: ByteSource, seed: number): DamagedSource {
  const next = random(seed);
  const changes = new Map<number, number>();
  const places = 1 + Math.floor(next() * 8);
  for (let i = 0; i < places; i++) {
    const reach = next() < 0.5 ? Math.min(base.size, 65536) : base.size;
    const at = Math.floor(next() * reach);
    const width = next() < 0.3 ? 8 : 1;
    const value = next() < 0.5 ? (INTERESTING[Math.floor(next() * INTERESTING.length)] as number) : Math.floor(next() * 256);
    for (let j = 0; j < width; j++) changes.set(at + j, value);
  }
  return new DamagedSource(base, changes);
}

/** The file ends at a seeded place. */
export function truncateFile(base: ByteSource, seed: number): DamagedSource {
  const next = random(seed);
  const size = Math.floor(next() < 0.5 ? next() * Math.min(base.size, 65536) : next() * base.size);
  return new DamagedSource(base, new Map(), size);
}

/**
 * Damages memory: one to sixteen words on pages of the given list (those that an undamaged run reads) get another value: zero, all
 * ones, a random word, another word of the same page, or text.
 */
export function damageMemory(base: Dump, pages: readonly number[], seed: number): Dump {
  const next = random(seed);
  const changes = new Map<number, { readonly at: number; readonly kind: number; readonly value: bigint }[]>();
  const places = 1 + Math.floor(next() * 16);
  for (let i = 0; i < places; i++) {
    const pfn = pages[Math.floor(next() * pages.length)] as number;
    const list = changes.get(pfn) ?? [];
    changes.set(pfn, list);
    list.push({
      at: Math.floor(next() * (base.pageSize / 8)) * 8,
      kind: Math.floor(next() * 5),
      value: BigInt(Math.floor(next() * 2 ** 32)) * BigInt(Math.floor(next() * 2 ** 32)),
    });
  }
  const readPage = (pfn: number, target: Uint8Array): PageFault | undefined => {
    const fault = base.readPage(pfn, target);
    const list = fault === undefined ? changes.get(pfn) : undefined;
    if (list === undefined) return fault;
    const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
    for (const { at, kind, value } of list) {
      const other = view.getBigUint64(Number(value % BigInt(base.pageSize / 8)) * 8, true);
      const words = [0n, 2n ** 64n - 1n, value, other, 0x4141_4141_4141_4141n];
      view.setBigUint64(at, words[kind] as bigint, true);
    }
    return undefined;
  };
  return { ...overlay(base), readPage };
}

/** Reports the pages that are read through it. */
export function recordPages(base: Dump, pages: Set<number>): Dump {
  return {
    ...overlay(base),
    readPage: (pfn, target) => {
      pages.add(pfn);
      return base.readPage(pfn, target);
    },
  };
}

/** Keeps pages that were read, so that they are unpacked once for all seeds: damage is laid over it. */
export function keepPages(base: Dump, most = 16_384): Dump {
  const kept = new Map<number, Uint8Array>();
  const readPage = (pfn: number, target: Uint8Array): PageFault | undefined => {
    const known = kept.get(pfn);
    if (known !== undefined) {
      target.set(known);
      return undefined;
    }
    const fault = base.readPage(pfn, target);
    if (fault === undefined && kept.size < most) kept.set(pfn, target.slice());
    return fault;
  };
  return { ...overlay(base), readPage };
}

/** A plain object over a dump whose properties may be getters of a class. */
export function overlay(base: Dump): Dump {
  return {
    format: base.format,
    files: base.files,
    machine: base.machine,
    littleEndian: base.littleEndian,
    pageSize: base.pageSize,
    maxPfn: base.maxPfn,
    readPage: (pfn, target) => base.readPage(pfn, target),
    ranges: base.ranges,
    virtualRanges: base.virtualRanges,
    notes: base.notes,
    vmcoreinfo: base.vmcoreinfo,
    utsname: base.utsname,
    timestamp: base.timestamp,
    dumpLevel: base.dumpLevel,
    physBase: base.physBase,
    partial: base.partial,
    incomplete: base.incomplete,
    warnings: base.warnings,
    eraseInfo: base.eraseInfo,
    facts: base.facts,
    live: base.live,
    close: () => {},
  };
}
