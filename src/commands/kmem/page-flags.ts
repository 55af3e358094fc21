/** `kmem -g`: the bits of struct page's flags by name, and what a value of them means. */

import { UnsupportedError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { parseHex } from "../support/numbers.ts";
import { defineView } from "./view.ts";

interface FlagBit {
  readonly name: string;
  readonly bit: number;
}

export interface PageFlagsView {
  /** All bits; absent when values were given. */
  readonly flags?: readonly FlagBit[];
  readonly values?: readonly { readonly value: bigint; readonly flags: readonly FlagBit[] }[];
  /** Longest name, for the column. */
  readonly width: number;
}

export const pageFlags = defineView<PageFlagsView>({
  options: [{ flag: "-g", help: "bits of struct page's flags; with hexadecimal values, which are set in each" }],
  synopsis: ["-g [flags]…"],
  examples: [["kmem -g 17ffffc0010200", "names of the bits that are set"]],
  differences: ["-g decodes any number of values."],
  run({ kernel }, args) {
    const flags = flagBits(kernel);
    const width = Math.max(0, ...flags.map(({ name }) => name.length));
    if (args.operands.length === 0) return { flags, width };
    const values = args.operands.map((text) => {
      const value = parseHex(text);
      return { value, flags: flags.filter(({ bit }) => ((value >> BigInt(bit)) & 1n) === 1n) };
    });
    return { values, width };
  },
  *text({ flags, values = [], width }) {
    if (flags !== undefined) yield* table(flags, width, "");
    for (const [i, { value, flags }] of values.entries()) {
      if (i > 0) yield "";
      yield `FLAGS: ${value.toString(16)}`;
      yield* table(flags, width, "  ");
      if (flags.length === 0) yield "  (none found)";
    }
  },
});

/** enum pageflags, other names of the same bits included. */
function flagBits(kernel: Kernel): readonly FlagBit[] {
  const found = kernel.types.find("enum", "pageflags", { modules: false });
  if (found === undefined || found.kind !== "enum")
    throw kernel.types.lack ?? new UnsupportedError("kmem -g: the kernel's types have no enum pageflags");
  return found.enumerators
    .filter(({ name, value }) => name.startsWith("PG_") && value >= 0n && value < 64n)
    .map(({ name, value }) => ({ name, bit: Number(value) }));
}

function* table(flags: readonly FlagBit[], width: number, indent: string): Iterable<string> {
  yield `${indent}${"PAGE-FLAG".padEnd(width)} BIT  VALUE`;
  for (const { name, bit } of flags)
    yield `${indent}${name.padEnd(width)}  ${String(bit).padStart(2)}  ${(1n << BigInt(bit)).toString(16).padStart(7, "0")}`;
}
