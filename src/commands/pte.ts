/** `pte`: what a page-table entry says. */
import { UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type SwapEntry, swapEntry } from "../linux/pte.ts";
import { defineCommand } from "./command.ts";
import { parseHex } from "./support/numbers.ts";
import { mappedEntry, swappedEntry } from "./support/pte-text.ts";

export interface PageTableEntry {
  readonly value: bigint;
  readonly present: boolean;
  /** Of a present entry. */
  readonly physical?: bigint;
  readonly flags?: readonly string[];
  /** Of an entry that is not present and not empty. */
  readonly swap?: SwapEntry;
}

export interface PteResult {
  readonly entries: readonly PageTableEntry[];
}

export const pte = defineCommand<PteResult>({
  spec: {
    name: "pte",
    summary: "translate a page-table entry",
    synopsis: ["contents…"],
    description: [
      "Shows what the hexadecimal contents of page-table entries say: the physical page and the flags of one that maps a page; the swap area and the slot of one whose page was swapped out.",
    ],
    options: [],
    operands: ["number"],
    examples: [
      ["pte 800000003f1ab067", "a page of a process"],
      ["pte 7fffffffffffc0a", "a page in a swap area"],
    ],
    differences: [
      "An entry that is neither present nor a slot of a swap area is explained: a page under migration, a poisoned one.",
      "The page of a PROT_NONE entry is its true one: the kernel stores it inverted.",
      "An expression in parentheses may stand for the contents.",
    ],
  },
  run({ kernel }, { operands }) {
    if (operands.length === 0) throw new UsageError("usage: pte contents…");
    return { entries: operands.map((text) => entryOf(kernel, parseHex(text))) };
  },
  *text({ entries }) {
    for (const { value, physical, flags, swap } of entries) {
      if (swap !== undefined && swap.marker === undefined) yield* swappedEntry(value, swap);
      else if (swap !== undefined) yield* mappedEntry(value, 0n, `type ${swap.type}, offset ${swap.offset}: ${swap.marker}`);
      else yield* mappedEntry(value, physical ?? 0n, flags === undefined ? "no mapping" : flags.join("|"));
    }
  },
});

function entryOf(kernel: Kernel, value: bigint): PageTableEntry {
  const { arch } = kernel;
  if (arch.entryPresent(value)) return { value, present: true, physical: arch.entryFrame(value), flags: arch.entryFlags(value) };
  const swap = swapEntry(kernel, value);
  return swap === undefined ? { value, present: false } : { value, present: false, swap };
}
