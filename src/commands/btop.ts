/** `btop`: physical addresses to page frame numbers. */
import { UsageError } from "../bytes/errors.ts";
import { pagesApi } from "./api/memory.ts";
import { defineCommand } from "./command.ts";
import { parseHex } from "./support/numbers.ts";

export interface BtopResult {
  readonly pages: readonly { readonly address: bigint; readonly pfn: bigint }[];
}

export const btop = defineCommand<BtopResult>({
  spec: {
    name: "btop",
    summary: "bytes to pages: physical address to page frame number",
    synopsis: ["address…"],
    description: ["Shows the page frame number of each hexadecimal address, in hexadecimal."],
    options: [],
    operands: ["number"],
    examples: [["btop 512a000", "512a000: 512a"]],
    minimal: true,
  },
  run({ kernel }, { operands }) {
    if (operands.length === 0) throw new UsageError("usage: btop address…");
    const shift = BigInt(kernel.arch.pageShift);
    return { pages: operands.map(parseHex).map((address) => ({ address, pfn: address >> shift })) };
  },
  api: (_session, { operands }) => pagesApi("address", operands.map(parseHex)),
  *text({ pages }) {
    for (const { address, pfn } of pages) yield `${address.toString(16)}: ${pfn.toString(16)}`;
  },
});
