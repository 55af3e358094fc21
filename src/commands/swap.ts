/** `swap`: the swap areas in use. */
import { hex16 } from "../bytes/address.ts";
import { UsageError } from "../bytes/errors.ts";
import { type SwapArea, swapAreas } from "../linux/swap.ts";
import { swapApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { centre, noteLines } from "./kmem/columns.ts";

export interface SwapResult {
  readonly areas: readonly (Omit<SwapArea, "pages" | "used"> & {
    /** In KiB, as in /proc/swaps. */
    readonly size: number;
    readonly used: number;
  })[];
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

export const swap = defineCommand<SwapResult>({
  spec: {
    name: "swap",
    summary: "swap areas",
    synopsis: [""],
    description: [
      "Shows each swap area in use as /proc/swaps does: its swap_info_struct, whether it is a partition or a file, size and use in KiB, priority and path.",
    ],
    options: [],
    examples: [["swap", "how much swap is used, and where"]],
    differences: ["An area that cannot be read is told, and the others are shown."],
  },
  run({ kernel }, args) {
    if (args.operands.length > 0) throw new UsageError("usage: swap");
    const { areas, notes } = swapAreas(kernel);
    const kib = kernel.arch.pageSize / 1024;
    return {
      areas: areas.map(({ address, kind, pages, used, priority, path }) => ({
        address,
        kind,
        size: pages * kib,
        used: used * kib,
        priority,
        path,
      })),
      notes,
    };
  },
  api: swapApi,
  *text({ areas, notes }) {
    yield "SWAP_INFO_STRUCT    TYPE       SIZE       USED     PCT  PRI  FILENAME";
    for (const { address, kind, size, used, priority, path } of areas) {
      const share = `${size === 0 ? 0 : Math.floor((used * 100) / size)}%`;
      const numbers = `${centre(`${size}k`, 10, "left")}${centre(`${used}k`, 12, "left")}${share.padStart(4)}`;
      yield `${hex16(address)}  ${centre(kind, 9)} ${numbers} ${String(priority).padStart(4)}  ${path ?? "(unknown)"}`;
    }
    yield* noteLines(notes);
  },
});
