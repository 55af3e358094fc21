/**
 * Looks at words of a dump that may lie: what is there, what cannot be told, and what can be no memory at all are three answers.
 *
 *   number     the word
 *   unknown    the page was left out of the dump, or cut off: nothing may be said
 *   nowhere    no page table leads there, or no kernel address: a pointer that says so is wrong
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";

export type Word = bigint | "unknown" | "nowhere";

/** Pointers of the list of tasks that are looked at for tags. */
const SAMPLES = 8;

/**
 * Whether pointers of this kernel carry tags in their top byte (KASAN on arm64). Where they do not, a top byte of its own is damage, and
 * must not be taken away.
 */
function hasTags(kernel: Kernel): boolean {
  return kernel.memo(hasTags, () => {
    const first = kernel.tryAddress("init_task");
    const field = kernel.types.tryStruct("task_struct")?.tryField("tasks");
    let node: bigint | undefined = first === undefined || field === undefined ? undefined : field.address(first);
    let tagged = 0;
    for (let i = 0; node !== undefined && i < SAMPLES; i++) {
      const word: bigint | undefined = kernel.memory.tryU64(kernel.arch.stripPointer(node));
      if (word !== undefined && word !== kernel.arch.stripPointer(word)) tagged++;
      node = word;
    }
    return tagged > 1;
  });
}

/** The word at an address. */
export function wordAt(kernel: Kernel, address: bigint): Word {
  const plain = pointerOf(kernel, address);
  if (!kernel.arch.isKernelAddress(plain)) return "nowhere";
  try {
    return kernel.memory.u64(plain);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    return error.reason === "unmapped" ? "nowhere" : "unknown";
  }
}

/** The number of the one bit in which two words differ; undefined when it is none or several. */
export function singleBit(a: bigint, b: bigint): number | undefined {
  const different = a ^ b;
  if (different === 0n || (different & (different - 1n)) !== 0n) return undefined;
  return different.toString(2).length - 1;
}

/** Characters that make a text longer than chance does. */
const SURE_TEXT = 12;
const REACH = 64;

/** The printable text that runs over the word at an address, or into it, when there is enough of it to be no chance. */
export function textOver(kernel: Kernel, address: VirtualAddress): { readonly text: string; readonly start: VirtualAddress } | undefined {
  const around = kernel.memory.tryBytes(add(address, -REACH), 2 * REACH);
  const bytes = around ?? kernel.memory.tryBytes(address, 8);
  if (bytes === undefined) return undefined;
  const origin = around === undefined ? 0 : REACH;
  // A kernel address has no character in its highest byte; its lowest may be one by chance.
  for (const inside of [origin + 7, origin + 1]) {
    let [start, end] = [inside, inside];
    while (start > 0 && isPrintable(bytes[start - 1] as number)) start--;
    while (end < bytes.length && isPrintable(bytes[end] as number)) end++;
    if (end === inside || end - start < SURE_TEXT) continue;
    return { text: String.fromCharCode(...bytes.subarray(start, end)), start: add(address, start - origin) };
  }
  return undefined;
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x09;
}

/** A word as a pointer: without its tag, in a kernel whose pointers have one. */
export function pointerOf(kernel: Kernel, word: bigint): VirtualAddress {
  return hasTags(kernel) ? kernel.arch.stripPointer(word) : virtual(word);
}
