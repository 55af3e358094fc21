/**
 * A word of a structure that cannot be what the kernel left there, and what class of trouble that is.
 *
 *   found                    expected (an independent witness)
 *   ff11000004c7db40         ff11000004c79b40                       one bit: bit-flip
 *   "s down, "               ff11000004c79b40                       text: overwritten-pointer
 *   dead000000000100         ff11000004c79b40                       list-corruption: the entry had been taken off
 *   6b6b6b6b6b6b6b6b                                                use-after-free: the object had been freed
 */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { poisonOf } from "../../linux/poison.ts";
import type { VerdictClass } from "../verdict.ts";
import { singleBit, textOver } from "./look.ts";

/** What proves the value that should be there: another word of the dump, or a rule that only one value obeys. */
export interface Witness {
  /** "its neighbour's prev leads back to it". */
  readonly what: string;
  readonly address?: VirtualAddress;
  readonly value?: bigint;
}

export interface Damage {
  /** What was walked: "the task list", "open files". */
  readonly structure: string;
  /** "task_struct", without struct; undefined for a plain head. */
  readonly type?: string;
  /** Path in the type: "tasks.next". */
  readonly member?: string;
  /** Start of the object, where it is known. */
  readonly object?: VirtualAddress;
  /** Slab cache, where no object is known. */
  readonly cache?: string;
  /** The damaged word. */
  readonly address: VirtualAddress;
  /** Bytes of it: 4 for counters, else 8. */
  readonly size: 4 | 8;
  readonly found: bigint;
  readonly expected?: bigint;
  readonly witness?: Witness;
  readonly class: VerdictClass;
  /** A sentence: what is wrong. */
  readonly why: string;
  /** Only the structure tells that it is wrong: nothing says what should be there. */
  readonly unproved?: true;
}

/** The class of a wrong pointer. @param list it links a list or a tree */
export function pointerClass(
  kernel: Kernel,
  address: VirtualAddress,
  found: bigint,
  expected: bigint | undefined,
  list: boolean,
): { readonly class: VerdictClass; readonly why: string } {
  const bit = expected === undefined ? undefined : singleBit(found, expected);
  if (bit !== undefined) return { class: "bit-flip", why: `${hex16(found)} differs from ${hex16(expected as bigint)} in bit ${bit} alone` };
  const poison = poisonOf(found);
  if (poison !== undefined && poison.offset === 0) {
    if (poison.name === "POISON_FREE") return { class: "use-after-free", why: `${hex16(found)} is the poison of ${poison.meaning}` };
    return { class: list ? "list-corruption" : "use-after-free", why: `${hex16(found)} is ${poison.name}: ${poison.meaning}` };
  }
  const text = textOver(kernel, address);
  if (text !== undefined)
    return { class: "overwritten-pointer", why: `text runs over it from ${hex16(text.start)}: ${JSON.stringify(text.text.slice(0, 40))}` };
  if (list) return { class: "list-corruption", why: `${hex16(found)} is no neighbour of it` };
  return { class: "overwritten-pointer", why: `${hex16(found)} is no such object` };
}
