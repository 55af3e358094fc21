/** `ptob`: page frame numbers to physical addresses. */
import { UsageError } from "../bytes/errors.ts";
import { pagesApi } from "./api/memory.ts";
import { defineCommand } from "./command.ts";
import { evaluate } from "./support/evaluate.ts";

export interface PtobResult {
  /** `operand` is the page frame number as it was typed. */
  readonly pages: readonly { readonly operand: string; readonly pfn: bigint; readonly address: bigint }[];
}

export const ptob = defineCommand<PtobResult>({
  spec: {
    name: "ptob",
    summary: "page to bytes: page frame number to physical address",
    synopsis: ["pfn…"],
    description: [
      "Shows the physical address of each page frame. A page frame number is decimal, or hexadecimal with 0x or when it holds a-f; the answer is hexadecimal.",
    ],
    options: [],
    operands: ["number"],
    examples: [
      ["ptob 512a", "512a: 512a000"],
      ["ptob 1204", "4b4: 4b4000"],
    ],
    minimal: true,
  },
  run({ kernel }, { operands }) {
    if (operands.length === 0) throw new UsageError("usage: ptob pfn…");
    const shift = BigInt(kernel.arch.pageShift);
    return {
      pages: operands.map((operand) => {
        const pfn = evaluate(operand, { radix: 10 });
        if (pfn < 0n || pfn >> (64n - shift) !== 0n) throw new UsageError(`${operand} is no page frame number`);
        return { operand, pfn, address: pfn << shift };
      }),
    };
  },
  api: (_session, { operands }) =>
    pagesApi(
      "pfn",
      operands.map((operand) => evaluate(operand, { radix: 10 })),
    ),
  *text({ pages }) {
    for (const { pfn, address } of pages) yield `${pfn.toString(16)}: ${address.toString(16)}`;
  },
});
