/**
 * A word of memory by name: the symbol or the slab cache it points into (`rd -s`, `-S`, `-SS`).
 *
 *   -s    posix_cpu_timers_work   init_fs   vfs_read+159        symbols, with a decimal offset as crash has it
 *   -S    [task_struct]                                         …and the slab cache of an object
 *   -SS   [ff26c5f701200b68:task_struct]                        …with the word itself
 */
import { FaultError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { slabCacheName } from "../../linux/slab.ts";
import { symbolLabeller } from "./symbol-label.ts";

export type AnnotationDepth = "symbols" | "slabs" | "slabs with addresses";

/** Namer of words; undefined for a word that is just a number. */
export function wordAnnotator(kernel: Kernel, depth: AnnotationDepth): (word: bigint) => string | undefined {
  const label = symbolLabeller(kernel);
  return (word) => {
    const symbol = label(word, false);
    if (symbol !== undefined) return `${symbol.name}${symbol.offset === 0 ? "" : `+${symbol.offset}`}`;
    if (depth === "symbols" || !kernel.arch.isKernelAddress(word)) return undefined;
    const cache = cacheOf(kernel, word);
    if (cache === undefined) return undefined;
    return depth === "slabs" ? `[${cache}]` : `[${word.toString(16)}:${cache}]`;
  };
}

function cacheOf(kernel: Kernel, word: bigint): string | undefined {
  try {
    return slabCacheName(kernel, word)?.cache;
  } catch (error) {
    // The page's own description may be missing from the dump: then the word stays a number.
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}
