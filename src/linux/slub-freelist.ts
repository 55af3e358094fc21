/**
 * SLUB's chains of free objects: each free object holds the address of the next at kmem_cache.offset (mm/slub.c, get_freepointer).
 *
 *   slab.freelist ─► object 5 ──► object 2 ──► NULL           stored in an object, with CONFIG_SLAB_FREELIST_HARDENED:
 *                                                             next ^ kmem_cache.random ^ address of the pointer itself   4.14, 2482ddec670f
 *                                                             next ^ kmem_cache.random ^ swab(address)                   5.7,  1ad53d9fa3f6
 *
 * Stable kernels took the swab over, and nothing in the types tells: both are tried on the first objects of many lists, and the one that
 * leads to objects is believed.
 */
import { add, distance, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SlabCache } from "./slab-cache.ts";

/** Where a chain lies: a slab's memory. */
export interface ObjectRange {
  /** First byte of the slab's memory. */
  readonly start: VirtualAddress;
  readonly objects: number;
}

const turned = new DataView(new ArrayBuffer(8));

function swab(value: bigint): bigint {
  turned.setBigUint64(0, value, true);
  return turned.getBigUint64(0, false);
}

/** The next object as it was stored in `word` at `at`. */
export function decodeFreePointer(word: bigint, at: bigint, random: bigint, swabbed: boolean): bigint {
  return random === 0n ? word : word ^ random ^ (swabbed ? swab(at) : at);
}

/**
 * Walks a chain and tells the number of each object in its slab.
 * @returns where and how the chain breaks; undefined when it ends as it should
 */
export function walkFreelist(
  kernel: Kernel,
  cache: SlabCache,
  swabbed: boolean,
  range: ObjectRange,
  first: VirtualAddress,
  seen: (index: number) => boolean,
): string | undefined {
  const { memory, arch } = kernel;
  const { stride, random } = cache;
  const base = add(range.start, cache.redLeftPad);
  const pointerOffset = BigInt(cache.freePointer);
  let pointer = first;
  let from: bigint | undefined;
  // One step for each object, and one for the end.
  for (let step = 0; step <= range.objects; step++) {
    if (pointer === 0n) return undefined;
    const object = arch.stripPointer(pointer);
    const index = distance(object, base) / stride;
    const origin = from === undefined ? "it begins with" : `object ${hex16(from)} leads to`;
    if (!Number.isInteger(index) || index < 0 || index >= range.objects) return `${origin} ${hex16(pointer)}, no object of this slab`;
    if (!seen(index)) return `${origin} ${hex16(object)}, which is free already`;
    const at = BigInt.asUintN(64, object + pointerOffset) as VirtualAddress;
    try {
      pointer = decodeFreePointer(memory.u64(at), at, random, swabbed) as VirtualAddress;
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      return `object ${hex16(object)} cannot be read (${error.reason})`;
    }
    from = object;
  }
  return "it does not end";
}

/** A first object of some chain, for the trial. */
export interface FreelistSample {
  readonly cache: SlabCache;
  readonly object: VirtualAddress;
}

/** Votes that settle it; a wrong decoding hits an object of the slab by chance once in 2^48. */
const ENOUGH = 8;
const MAX_SAMPLES = 4096;

/** Whether free pointers are byte-swapped, by trial; the newer form where nothing can be tried. */
export function freelistsAreSwabbed(kernel: Kernel, samples: Iterable<FreelistSample>): boolean {
  let balance = 0;
  let tried = 0;
  for (const { cache, object } of samples) {
    if (cache.random === 0n) continue;
    if (Math.abs(balance) >= ENOUGH || ++tried > MAX_SAMPLES) break;
    const start = kernel.arch.stripPointer(object);
    const at = add(start, cache.freePointer);
    const word = kernel.memory.tryU64(at);
    if (word === undefined) continue;
    const leads = (swabbed: boolean): boolean => {
      const next = decodeFreePointer(word, at, cache.random, swabbed);
      if (next === 0n) return true;
      const away = distance(kernel.arch.stripPointer(virtual(next)), start);
      return away % cache.stride === 0 && Math.abs(away) < cache.objectsPerSlab * cache.stride;
    };
    balance += (leads(true) ? 1 : 0) - (leads(false) ? 1 : 0);
  }
  return balance >= 0;
}
