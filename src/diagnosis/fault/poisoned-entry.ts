/**
 * The list entry that a poisoned link was read from, when the loop has gone on from it and no register holds it any more:
 *
 *   list_for_each_entry(e, head, node) { … frees e … }        e = LIST_POISON1 - offsetof(node): the entry before was freed
 *
 * What the loop's body called left pointers to it below the stack pointer, callers may hold it above; else it lies in the slab of an entry
 * that is known, or is the object that this CPU gave back last: SLUB puts that in front of its free ones (mm/slub.c, slab_free()). Such an
 * object is the entry when the link in it is the very poison.
 */
import { add, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Slabs } from "../../linux/slab.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import { SlubCache } from "../../linux/slub.ts";

export interface PoisonedEntry {
  /** Start of the structure around the link. */
  readonly base: bigint;
  /** Where the poison lies. */
  readonly address: bigint;
}

/** Bytes of the stack that are searched: what was called lies below, callers above. */
const BELOW = 4096;
const ABOVE = 1024;
/** Objects of a slab. */
const MAX_OBJECTS = 512;

/** What is looked for, and where. */
export interface PoisonedLink {
  /** As the link holds it. */
  readonly poison: bigint;
  /** Of the link from the structure's start. */
  readonly offset: bigint;
  readonly sp: bigint | undefined;
  /** Words that may lead to the entry, or to others of its list. */
  readonly words: readonly bigint[];
  /** That of the fault. */
  readonly cpu: number | undefined;
}

export function poisonedEntry(kernel: Kernel, { poison, offset, sp, words, cpu }: PoisonedLink): PoisonedEntry | undefined {
  try {
    const slabs = Slabs.of(kernel);
    const holds = (base: bigint): boolean =>
      kernel.arch.isKernelAddress(base) &&
      kernel.memory.tryU64(virtual(BigInt.asUintN(64, base + offset))) === poison &&
      slabs?.objectOf(virtual(base)) !== undefined;
    for (const word of [...words, ...stackWords(kernel, sp)]) {
      // A pointer to the structure, or to the link in it.
      if (holds(word)) return { base: word, address: word + offset };
      const around = BigInt.asUintN(64, word - offset);
      if (offset !== 0n && holds(around)) return { base: around, address: word };
    }
    // A neighbour of entries that are known; only one that alone is in question.
    const found = new Map<bigint, PoisonedEntry>();
    for (const word of words) {
      const slab = kernel.arch.isKernelAddress(word) ? slabs?.slabOf(virtual(word)) : undefined;
      const object = slab === undefined ? undefined : slabs?.objectOf(virtual(word));
      if (slab === undefined || object === undefined) continue;
      // Where in its object a structure of the list begins.
      const into = [0n, BigInt(object.offset), BigInt(object.offset) - offset].filter((each) => each >= 0n);
      for (let i = 0; i < Math.min(slab.objects, MAX_OBJECTS); i++) {
        const start = add(slab.start, i * slab.cache.stride + slab.cache.redLeftPad);
        for (const each of into) if (holds(start + each)) found.set(start + each, { base: start + each, address: start + each + offset });
      }
    }
    const entries = [...found.values()];
    if (entries.length === 0) {
      const [last, ...others] = [...lastFreed(kernel, cpu)].filter(holds);
      return last === undefined || others.length > 0 ? undefined : { base: last, address: last + offset };
    }
    const cacheOf = (address: bigint) =>
      kernel.arch.isKernelAddress(address) ? slabs?.objectOf(virtual(address))?.cacheAddress : undefined;
    const [first] = entries;
    const cache = first === undefined ? undefined : cacheOf(first.base);
    return likest(
      kernel,
      entries,
      words.filter((word) => cache !== undefined && cacheOf(word) === cache),
    );
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** The object of each cache that a CPU gave back last, as far as it went to the slab that the CPU takes from. */
function* lastFreed(kernel: Kernel, cpu: number | undefined): Generator<bigint> {
  for (const cache of cpu === undefined ? [] : slabCaches(kernel).caches) {
    const head = SlubCache.of(kernel, cache)?.cpus.find((each) => each.cpu === cpu)?.freelist;
    if (head !== undefined && head !== 0n) yield head;
  }
}

/** Words of an object that are compared. */
const COMPARED = 32;

/** Of several the one that has most words in common with entries that are on the list; none when two have as many. */
function likest(kernel: Kernel, found: readonly PoisonedEntry[], words: readonly bigint[]): PoisonedEntry | undefined {
  if (found.length < 2) return found[0];
  const wordsAt = (base: bigint) =>
    Array.from({ length: COMPARED }, (_, i) => kernel.memory.tryU64(virtual(BigInt.asUintN(64, base + BigInt(i * 8)))));
  const models = words.map(wordsAt);
  const scored = found
    .map((entry) => {
      const own = wordsAt(entry.base);
      const alike = models.map((model) => model.filter((word, i) => word !== undefined && word !== 0n && word === own[i]).length);
      return { entry, score: Math.max(0, ...alike) };
    })
    .sort((a, b) => b.score - a.score);
  const [first, second] = scored;
  return first !== undefined && first.score > (second?.score ?? 0) ? first.entry : undefined;
}

/** The nearest below come first: the last that was called. */
function* stackWords(kernel: Kernel, sp: bigint | undefined): Generator<bigint> {
  if (sp === undefined) return;
  for (const [from, to, step] of [
    [-8, -BELOW, -8],
    [0, ABOVE, 8],
  ] as const) {
    for (let at = from; at !== to; at += step) {
      const word = kernel.memory.tryU64(virtual(BigInt.asUintN(64, sp + BigInt(at))));
      if (word === undefined) break;
      yield word;
    }
  }
}
