/**
 * Names the words of a stack: `bt -f` wants them plain, `-F` as symbol+offset or [slab cache], `-FF` as [address:slab cache].
 * The same answer serves -r, where text and data symbols are shown and slab objects are not.
 */
import { add, distance, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { StackWords } from "../../identity/stack-words.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { slabCacheName } from "../../linux/slab.ts";
import { symbolLabeller } from "../support/symbol-label.ts";
import type { BtWord } from "./result.ts";

export interface AnnotateOptions {
  readonly symbols: boolean;
  readonly slabs: boolean;
  /** --annotate: everything that is known of each word. */
  readonly notes?: boolean;
}

/** More words than any stack holds. */
const MAX_WORDS = 1 << 17;

/** Words from `first` to before `end`. @param notes what is known of the stack that they lie on (--annotate) */
export function stackWordList(
  kernel: Kernel,
  first: VirtualAddress,
  end: VirtualAddress,
  options: AnnotateOptions,
  notes?: StackWords,
): BtWord[] {
  const count = Math.min(MAX_WORDS, Math.max(0, Math.ceil(distance(end, first) / 8)));
  const label = symbolLabeller(kernel);
  const words: BtWord[] = [];
  for (let i = 0; i < count; i++) {
    const address = add(first, i * 8);
    const value = kernel.memory.tryU64(address) ?? null;
    const symbol = value === null || !options.symbols ? undefined : label(value, false);
    const cache = value === null || symbol !== undefined || !options.slabs ? undefined : cacheOf(kernel, value);
    const note = value === null ? undefined : notes?.note(address, value);
    words.push({ address, value, symbol, cache, ...(note === undefined ? {} : { note }) });
  }
  return words;
}

function cacheOf(kernel: Kernel, value: bigint): string | undefined {
  if (!kernel.arch.isKernelAddress(value)) return undefined;
  try {
    return slabCacheName(kernel, virtual(value))?.cache;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
