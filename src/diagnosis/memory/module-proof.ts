/**
 * Whose memory is: what proves that objects, or pages, belong to one module.
 *
 *   tracks      slub_debug=U, KASAN, page_owner: the function that asked for them
 *   contents    at one place of nearly every object stands a pointer into the module's code or data (a table of functions, a callback)
 *   cache       the cache's address stands in the module's data, or its constructor is the module's
 *   asking      the task that found no memory was asking for one more of them, on the module's behalf
 *
 * That a module is loaded, or stands on some stack, proves nothing.
 */
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { KernelModule } from "../../kernel/modules.ts";
import type { Evidence } from "../verdict.ts";

export interface ModuleProof {
  readonly module: string;
  readonly function?: string;
  /** A sentence. */
  readonly text: string;
  readonly evidence: readonly Evidence[];
}

/** Of the samples that must hold such a pointer. */
const NEARLY_ALL = 0.75;
/** Bytes of one that are looked at. */
const MAX_BYTES = 4096;
/** Words of a module's data. */
const MAX_DATA = 4 << 20;

interface Piece {
  readonly start: bigint;
  readonly end: bigint;
  readonly module: KernelModule;
}

function pieces(kernel: Kernel): readonly Piece[] {
  return kernel.memo(pieces, () =>
    kernel.modules
      .flatMap((module) => module.regions.map(({ start, size }) => ({ start, end: start + BigInt(size), module })))
      .sort((a, b) => (a.start < b.start ? -1 : 1)),
  );
}

/** The module whose memory an address lies in. */
export function moduleAt(kernel: Kernel, address: bigint): KernelModule | undefined {
  return pieces(kernel).find(({ start, end }) => address >= start && address < end)?.module;
}

/** "clip_grey [cliprec]". */
function nameAt(kernel: Kernel, address: bigint): string {
  return kernel.symbolize(virtual(address)) ?? `${hex16(address)} [${moduleAt(kernel, address)?.name ?? "?"}]`;
}

/** A pointer into one module at the same place of nearly all samples. */
export function provedByContents(
  kernel: Kernel,
  samples: readonly { readonly start: VirtualAddress; readonly size: number }[],
  what: string,
): ModuleProof | undefined {
  const found = new Map<string, { readonly module: KernelModule; readonly offset: number; count: number; at: bigint; value: bigint }>();
  for (const { start, size } of samples) {
    for (let offset = 0; offset + 8 <= Math.min(size, MAX_BYTES); offset += 8) {
      const value = kernel.memory.tryU64(add(start, offset));
      const module = value === undefined ? undefined : moduleAt(kernel, value);
      if (value === undefined || module === undefined) continue;
      const key = `${offset} ${module.name}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { module, offset, count: 1, at: add(start, offset), value });
      else known.count++;
    }
  }
  const [best] = [...found.values()]
    .filter(({ count }) => count >= 3 && count >= samples.length * NEARLY_ALL)
    .sort((a, b) => b.count - a.count);
  if (best === undefined) return undefined;
  const name = nameAt(kernel, best.value);
  return {
    module: best.module.name,
    text: `${best.count} of ${samples.length} ${what} hold a pointer to ${name} at offset 0x${best.offset.toString(16)}`,
    evidence: [
      {
        claim: `a pointer to ${name}`,
        command: `rd -s ${hex16(best.at)}`,
        values: [{ address: best.at, value: best.value }],
      },
    ],
  };
}

/** The only module in whose data the address of the cache stands. */
export function provedByCache(kernel: Kernel, cache: VirtualAddress, name: string): ModuleProof | undefined {
  const made = kernel.types.tryStruct("kmem_cache")?.tryField("ctor");
  const called = made === undefined ? undefined : kernel.memory.tryU64(made.address(cache));
  const maker = called === undefined || called === 0n ? undefined : moduleAt(kernel, called);
  if (made !== undefined && called !== undefined && maker !== undefined)
    return {
      module: maker.name,
      text: `the constructor of ${name} is ${nameAt(kernel, called)}`,
      evidence: [
        {
          claim: `the constructor of ${name} is module ${maker.name}'s`,
          command: `struct kmem_cache.ctor ${hex16(cache)}`,
          values: [{ address: made.address(cache), value: called }],
        },
      ],
    };
  const places: { readonly module: KernelModule; readonly at: VirtualAddress }[] = [];
  for (const module of kernel.modules) {
    for (const { kind, start, size } of module.regions) {
      if (/text/.test(kind)) continue;
      for (let offset = 0; offset + 8 <= Math.min(size, MAX_DATA); offset += 8)
        if (kernel.memory.tryU64(add(start, offset)) === cache) places.push({ module, at: add(start, offset) });
    }
  }
  const [first] = places;
  if (first === undefined || places.some(({ module }) => module !== first.module)) return undefined;
  const variable = nameAt(kernel, first.at);
  return {
    module: first.module.name,
    text: `the cache ${name} stands in ${variable} and in no other module's data`,
    evidence: [
      {
        claim: `${variable} is the cache ${name}`,
        command: `rd -s ${hex16(first.at)}`,
        values: [{ address: first.at, value: cache }],
      },
    ],
  };
}

/** Bytes of what they all point to that are looked at. */
const MAX_TARGET = 1024;

/** Nearly all hold the same pointer at one place, and what it leads to holds pointers into one module only: packets of one device. */
export function provedByTarget(
  kernel: Kernel,
  samples: readonly { readonly start: VirtualAddress; readonly size: number }[],
  what: string,
): ModuleProof | undefined {
  const found = new Map<string, { readonly offset: number; readonly value: bigint; count: number; readonly at: bigint }>();
  for (const { start, size } of samples) {
    for (let offset = 0; offset + 8 <= Math.min(size, MAX_BYTES); offset += 8) {
      const value = kernel.memory.tryU64(add(start, offset));
      if (value === undefined || !kernel.arch.isKernelAddress(value)) continue;
      const key = `${offset} ${value}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { offset, value, count: 1, at: add(start, offset) });
      else known.count++;
    }
  }
  for (const { offset, value, count, at } of [...found.values()].sort((a, b) => b.count - a.count)) {
    if (count < 3 || count < samples.length * NEARLY_ALL) return undefined;
    const modules = new Map<string, { readonly place: bigint; readonly pointer: bigint }>();
    for (let i = 0; i + 8 <= MAX_TARGET; i += 8) {
      const pointer = kernel.memory.tryU64(add(virtual(value), i));
      const module = pointer === undefined ? undefined : moduleAt(kernel, pointer);
      if (pointer !== undefined && module !== undefined && !modules.has(module.name))
        modules.set(module.name, { place: add(virtual(value), i), pointer });
    }
    const [only] = modules;
    if (only === undefined || modules.size > 1) continue;
    const [module, { place, pointer }] = only;
    const name = nameAt(kernel, pointer);
    return {
      module,
      text: `${count} of ${samples.length} ${what} lead to ${hex16(value)} at offset 0x${offset.toString(16)}, which has ${name}`,
      evidence: [
        { claim: `all lead to ${hex16(value)}`, command: `rd ${hex16(at)}`, values: [{ address: at, value }] },
        { claim: `which has ${name}`, command: `rd -s ${hex16(place)}`, values: [{ address: place, value: pointer }] },
      ],
    };
  }
  return undefined;
}
