/**
 * Pages that some part of the kernel took from the page allocator itself and that nobody refers to: neither by their address in the linear map nor by
 * their struct page. They are in no account (slab, processes, page cache, vmalloc); how many there are is told by frames drawn from all memory.
 *
 *   frames drawn ─► "allocated by the kernel", no area's page, no stack ─► share of all memory ─► some of them: who refers to them, whose words
 *                                                                                                 they hold
 */
import { hex16, type Pfn, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PageMap } from "../../linux/page.ts";
import { pageOwnerLack } from "../../linux/page-owner.ts";
import { PageUses } from "../../linux/page-use.ts";
import { vmallocAreas } from "../../linux/vmalloc.ts";
import { guarded } from "../guarded.ts";
import { askedForPages } from "./asked-for.ts";
import { ENOUGH, LARGE, type Lost, NEARLY_ALL } from "./lost.ts";
import { provedByContents, provedByTarget } from "./module-proof.ts";
import { referrersOf, stackFrames } from "./referrers.ts";
import { type Sample, samplesOf } from "./samples.ts";

/** Frames drawn from all memory, and pages of them that are looked for. */
const DRAWN = 8192;
const LOOKED_FOR = 48;
/** Pages of areas that are remembered. */
const MAX_AREA_PAGES = 1 << 21;

/** @param unaccounted pages that are in no account; @param total of the machine */
export function lostPages(
  kernel: Kernel,
  unaccounted: number,
  total: number,
  progress?: (done: number, of: number) => void,
): Lost | undefined {
  const map = PageMap.of(kernel);
  if (map === undefined || unaccounted < total * LARGE) return undefined;
  const frames = plainFrames(kernel, map);
  const step = Math.max(1, frames.length / LOOKED_FOR);
  const chosen: { readonly pfn: Pfn; readonly start: VirtualAddress; readonly page: VirtualAddress }[] = [];
  for (let i = 0; i < frames.length && chosen.length < LOOKED_FOR; i += step) {
    const pfn = frames[Math.floor(i)] as Pfn;
    const [start, page] = [map.linearAddress(pfn), map.pageOf(pfn)];
    if (start !== undefined && page !== undefined) chosen.push({ pfn, start, page });
  }
  if (chosen.length < ENOUGH) return undefined;
  const { others } = samplesOf(kernel, new Set());
  const { pageSize } = kernel.arch;
  const targets = [
    ...chosen.map(({ start }) => ({ start, size: pageSize })),
    ...chosen.map(({ page }) => ({ start: page, size: map.size })),
  ];
  const found = referrersOf(kernel, [...targets, ...others], undefined, progress);
  if (found === undefined) return undefined;
  const count = chosen.length;
  // A word of a struct page about itself (an empty list) is no user.
  const inMap = inPageMap(kernel, map);
  const unheld = chosen.filter(
    (_, i) => found.held[i]?.length === 0 && (found.held[count + i] ?? []).every(({ physical }) => inMap(physical)),
  ).length;
  if (unheld < count * NEARLY_ALL) return undefined;
  const samples: Sample[] = chosen.map(({ start }) => ({ cache: virtual(0n), name: "", start, size: pageSize }));
  const asked = pageOwnerLack(kernel) === undefined ? askedForPages(kernel) : undefined;
  const proof =
    asked === undefined ? (provedByContents(kernel, samples, "pages drawn") ?? provedByTarget(kernel, samples, "pages drawn")) : undefined;
  const owner = asked ?? proof;
  const example = chosen[0] as (typeof chosen)[number];
  return {
    what: "pages that are in no account",
    pages: unaccounted,
    drawn: count,
    unheld,
    others: others.length,
    othersUnheld: others.filter((_, i) => found.held[2 * count + i]?.length === 0).length,
    whole: found.whole,
    ...(owner === undefined
      ? {}
      : {
          owner: {
            ...(owner.function === undefined ? {} : { function: owner.function }),
            ...(owner.module === undefined ? {} : { module: owner.module }),
            text: owner.text,
          },
        }),
    name: "unaccounted",
    object: { type: "struct page", address: example.page },
    story: [`Of ${DRAWN} frames drawn from all memory ${frames.length} are such pages.`],
    evidence: [
      {
        claim: `one of them (search -k ${hex16(example.start)} finds nothing that leads to it)`,
        command: `kmem ${hex16(example.start)}`,
        values: [],
      },
      ...(owner?.evidence ?? []),
    ],
  };
}

/** Of frames drawn evenly from all memory those that the kernel has and that belong to nothing that is counted. */
function plainFrames(kernel: Kernel, map: PageMap): Pfn[] {
  const areas = areaFrames(kernel, map);
  const stacks = stackFrames(kernel);
  const uses = PageUses.of(kernel);
  const found: Pfn[] = [];
  const { pageSize } = kernel.arch;
  const pages = kernel.dump.ranges.reduce((sum, { start, end }) => sum + Number(end - start) / pageSize, 0);
  const step = Math.max(1, pages / DRAWN);
  for (const { start, end } of kernel.dump.ranges) {
    for (let at = Number(start) / pageSize; at < Number(end) / pageSize; at += step) {
      const pfn = Math.floor(at);
      if (areas.has(pfn) || stacks.has(pfn)) continue;
      const use = uses?.use(pfn);
      if (use?.use.startsWith("allocated by the kernel") === true && use.page === map.pageOf(pfn)) found.push(pfn);
    }
  }
  return found;
}

/** Pages that areas of the vmalloc space hold, per-CPU memory among them: those have no table of their pages. */
function areaFrames(kernel: Kernel, map: PageMap): ReadonlySet<Pfn> {
  const found = new Set<Pfn>();
  const { pageSize } = kernel.arch;
  for (const { pages, pageCount, start, end, physical } of guarded(() => vmallocAreas(kernel))?.busy ?? []) {
    if (physical !== undefined) continue;
    if (pages !== 0n && pageCount > 0) {
      const table = kernel.memory.tryBytes(pages, Math.min(pageCount, MAX_AREA_PAGES) * 8);
      if (table === undefined) continue;
      const view = new DataView(table.buffer, table.byteOffset, table.length);
      for (let i = 0; i + 8 <= table.length && found.size < MAX_AREA_PAGES; i += 8) {
        const pfn = map.pfnOf(virtual(view.getBigUint64(i, true)));
        if (pfn !== undefined) found.add(pfn);
      }
      continue;
    }
    for (let at: bigint = start; at < end && at - start < 64n << 20n && found.size < MAX_AREA_PAGES; at += BigInt(pageSize)) {
      const frame = guarded(() => kernel.memory.translate(virtual(at)));
      if (frame !== undefined) found.add(Math.floor(Number(frame) / pageSize));
    }
  }
  return found;
}

/** Whether a word lies in the map of page structures. */
function inPageMap(kernel: Kernel, map: PageMap): (physical: number) => boolean {
  const frames = new Set<Pfn>();
  const { pageSize } = kernel.arch;
  for (const { start, end } of kernel.dump.ranges) {
    const [first, last] = [map.pageOf(Math.floor(Number(start) / pageSize)), map.pageOf(Math.ceil(Number(end) / pageSize) - 1)];
    if (first === undefined || last === undefined) continue;
    for (let at: bigint = first & -BigInt(pageSize); at <= last && frames.size < MAX_AREA_PAGES; at += BigInt(pageSize)) {
      const frame = guarded(() => kernel.memory.translate(virtual(at)));
      if (frame !== undefined) frames.add(Math.floor(Number(frame) / pageSize));
    }
  }
  return (physical) => frames.has(Math.floor(physical / pageSize));
}
