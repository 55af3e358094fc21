/** `kmem -i`: how memory is used, in crash's table. */
import { UsageError } from "../../bytes/errors.ts";
import { type MemoryUsage, memoryUsage, sharedPages } from "../../linux/memory-usage.ts";
import { unlessBroken } from "../../linux/until-broken.ts";
import { viewApi } from "../api/views.ts";
import { noteLines, sizeText } from "./columns.ts";
import { defineView } from "./view.ts";

export interface Usage extends MemoryUsage {
  /** Bytes of a page. */
  readonly pageSize: number;
  readonly used: number | undefined;
  /** Only with -i=shared. */
  readonly shared?: number;
  readonly swapUsed: number | undefined;
}

export const usage = defineView<Usage>({
  options: [
    { flag: "-i", attached: "shared", help: "how memory is used; =shared also counts pages with several users, which takes longer" },
  ],
  synopsis: ["-i[=shared]"],
  description: [
    "-i counts as /proc/meminfo does: FREE, BUFFERS, CACHED (page cache without swap cache), SLAB, huge pages, swap, and the commit limit.",
  ],
  examples: [["kmem -i", "how memory is used"]],
  differences: [
    "-i: COMMITTED is exact as in /proc/meminfo (5.9 and newer): what CPUs hold back is added. crash shows the shared part alone.",
    "-i: what cannot be told is shown as (unknown) with the reason.",
  ],
  run(session, args) {
    if (args.operands.length > 0) throw new UsageError("kmem: -i takes no address");
    const { kernel } = session;
    const found = memoryUsage(kernel);
    const notes = [...found.notes];
    const total = kernel.dump.maxPfn;
    const shared =
      args.value("-i") !== "shared"
        ? undefined
        : unlessBroken(
            () =>
              sharedPages(
                kernel,
                ({ message }) => notes.includes(message) || notes.push(message),
                (pfn) => session.progress?.("counting shared pages", pfn, total),
              ),
            ({ message }) => notes.push(message),
          );
    return {
      ...found,
      pageSize: kernel.arch.pageSize,
      used: less(found.total, found.free),
      ...(shared === undefined ? {} : { shared }),
      swapUsed: less(found.swapTotal, found.swapFree),
      notes,
    };
  },
  api: viewApi((args) => (args.value("-i") ? undefined : "return kernel.memoryUsage();"), ["-i"]),
  *text(usage) {
    yield "                 PAGES        TOTAL      PERCENTAGE";
    const row = (label: string, pages: number | undefined, whole?: readonly [name: string, pages: number | undefined]) =>
      usageRow(label, pages, usage.pageSize, whole);
    const memory = ["TOTAL MEM", usage.total] as const;
    yield row("TOTAL MEM", usage.total);
    yield row("FREE", usage.free, memory);
    yield row("USED", usage.used, memory);
    if (usage.shared !== undefined) yield row("SHARED", usage.shared, memory);
    yield row("BUFFERS", usage.buffers, memory);
    yield row("CACHED", usage.cached, memory);
    yield row("SLAB", usage.slab, memory);
    yield "";
    yield row("TOTAL HUGE", usage.hugeTotal);
    yield row("HUGE FREE", usage.hugeFree, ["TOTAL HUGE", usage.hugeTotal]);
    yield "";
    yield row("TOTAL SWAP", usage.swapTotal);
    yield row("SWAP USED", usage.swapUsed, ["TOTAL SWAP", usage.swapTotal]);
    yield row("SWAP FREE", usage.swapFree, ["TOTAL SWAP", usage.swapTotal]);
    yield "";
    yield row("COMMIT LIMIT", usage.commitLimit);
    yield row("COMMITTED", usage.committed, ["TOTAL LIMIT", usage.commitLimit]);
    yield* noteLines(usage.notes);
  },
});

function less(whole: number | undefined, part: number | undefined): number | undefined {
  return whole === undefined || part === undefined ? undefined : whole - part;
}

function usageRow(
  label: string,
  pages: number | undefined,
  pageSize: number,
  whole: readonly [name: string, pages: number | undefined] | undefined,
): string {
  if (pages === undefined) return `${label.padStart(13)}  (unknown)`;
  const head = `${label.padStart(13)}  ${String(pages).padStart(7)}  ${sizeText(pages * pageSize).padStart(11)}  `;
  if (whole === undefined) return `${head}       ----`;
  const [name, all] = whole;
  if (all === undefined) return `${head}  ?% of ${name}`;
  return `${head}${String(all === 0 ? 0 : Math.floor((pages / all) * 100)).padStart(3)}% of ${name}`;
}
