/** `kmem -f`: the buddy allocator's free lists, counted and held against what the kernel counts; `kmem -F`: with every block. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { UsageError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { countBlocks, type FreeList, freeAreas, freeBlocks, freePlaceOf } from "../../linux/buddy.ts";
import { PageMap } from "../../linux/page.ts";
import { unlessBroken, untilBroken } from "../../linux/until-broken.ts";
import { zoneCounters } from "../../linux/vmstat.ts";
import { memoryNodes, type Zone } from "../../linux/zone.ts";
import type { Session } from "../command.ts";
import { lazy } from "../support/lazy.ts";
import { centre, noteLines } from "./columns.ts";
import { operandFrame } from "./page-operand.ts";
import { defineView } from "./view.ts";

interface ListRow {
  readonly order: number;
  readonly migrateType: string;
  /** Its list_head. */
  readonly head: VirtualAddress;
  readonly blocks: number;
  readonly pages: number;
  /** Why the list ends early. */
  readonly broken?: string;
  /** With -F: first page of each block. */
  readonly list?: Iterable<VirtualAddress>;
}

interface ZoneRow {
  readonly node: number;
  readonly zone: number;
  readonly name: string;
  readonly size: number;
  /** NR_FREE_PAGES, as shared; what CPUs hold back of it is `pending`. */
  readonly free: number;
  readonly pending: number;
  readonly memMap: bigint;
  readonly start: bigint;
  /** First frame, counted from the node's. */
  readonly startMapNumber: number;
  readonly lists: readonly ListRow[];
}

/** An address and the free block that it lies in. */
export interface FreeOperand {
  readonly operand: string;
  readonly zone?: Omit<ZoneRow, "lists">;
  readonly list?: ListRow;
  /** First page of the free block, and which of its pages the address is (from 1). */
  readonly block?: VirtualAddress;
  readonly place?: number;
  /** The page waits on this CPU's list, not on one of the zone's. */
  readonly cpu?: number;
  readonly reason?: string;
}

export interface FreePagesView {
  readonly zones?: readonly ZoneRow[];
  /** Pages that all zones count, and pages that lie on their lists. */
  readonly free?: number;
  readonly found?: number;
  readonly operands?: readonly FreeOperand[];
  readonly everyBlock: boolean;
  readonly pageSize: number;
  readonly notes: readonly string[];
}

export const freePages = defineView<FreePagesView>({
  options: [
    { flag: "-f", help: "free lists of each zone, counted and held against nr_free; with addresses, the free block each lies in" },
    { flag: "-F", help: "the same with every free block" },
  ],
  synopsis: ["-f [-P] [address]…", "-F"],
  description: [
    "-f and -F walk every free list and compare: with nr_free of each order, and with the zone's count of free pages and what CPUs hold back of it.",
  ],
  examples: [
    ["kmem -f", "free pages by zone, order and migratetype"],
    ["kmem -f 120000", "the free block that holds a physical address"],
  ],
  differences: [
    "-f: a broken list is told, and the others are counted. Pages on a CPU's own list are found by address.",
    "-f: the counts are verified when the CPUs' parts are added; crash compares with the shared value alone and often finds more.",
  ],
  run(session, args) {
    const { kernel } = session;
    const everyBlock = args.has("-F");
    if (everyBlock && args.operands.length > 0) throw new UsageError("kmem: -F takes no address");
    const pageSize = kernel.arch.pageSize;
    const { nodes, notes } = memoryNodes(kernel);
    const all = [...notes];
    const note = (text: string) => all.includes(text) || all.push(text);
    if (args.operands.length > 0) {
      const operands = args.operands.map((text) => findOperand(kernel, text, args.has("-P"), note));
      return { operands, everyBlock, pageSize, notes: all };
    }
    const zones = nodes.flatMap((node) => node.zones.map((zone) => zoneRow(session, zone, node.startPfn, everyBlock, note)));
    return {
      zones,
      free: zones.reduce((sum, zone) => sum + zone.free, 0),
      found: zones.flatMap(({ lists }) => lists).reduce((sum, { pages }) => sum + pages, 0),
      everyBlock,
      pageSize,
      notes: all,
    };
  },
  *text({ zones = [], operands, free = 0, found = 0, everyBlock, pageSize, notes }) {
    if (operands !== undefined) {
      for (const [i, operand] of operands.entries()) {
        if (i > 0) yield "";
        yield* operandLines(operand, pageSize);
      }
      yield* noteLines(notes);
      return;
    }
    const several = zones.some(({ node }) => node !== zones[0]?.node);
    for (const [i, zone] of zones.entries()) {
      if (several && zone.node !== zones[i - 1]?.node) {
        yield "NODE";
        yield String(zone.node).padStart(3);
      }
      yield* zoneHead(zone);
      if (!everyBlock && zone.lists.length > 0) yield "AREA    SIZE  FREE_AREA_STRUCT  BLOCKS  PAGES";
      for (const list of zone.lists) {
        if (everyBlock) yield "AREA    SIZE  FREE_AREA_STRUCT";
        yield listLine(list, pageSize, everyBlock);
        for (const page of list.list ?? []) yield hex16(page);
        if (list.broken !== undefined) yield `(the list is broken: ${list.broken})`;
      }
      yield "";
    }
    const pending = zones.reduce((sum, zone) => sum + zone.pending, 0);
    yield `nr_free_pages: ${free}  ${notes.length === 0 ? freeVerdict(free, pending, found) : `(found ${found}: not verified, see below)`}`;
    yield* noteLines(notes);
  },
});

/** crash's words; with the CPUs' parts the counts agree unless something is damaged. */
function freeVerdict(free: number, pending: number, found: number): string {
  if (found === free) return "(verified)";
  if (found === free + pending) return `(found ${found}: verified, CPUs hold back ${pending > 0 ? "+" : ""}${pending})`;
  return `(found ${found})`;
}

/** A zone without its lists. */
function zoneHeader(kernel: Kernel, zone: Zone, nodeStart: number, note: (text: string) => void): Omit<ZoneRow, "lists"> {
  const told = unlessBroken(
    () => zoneCounters(kernel, zone).counters.find(({ name }) => name === "NR_FREE_PAGES"),
    ({ message }) => note(message),
  );
  const empty = zone.spanned === 0;
  return {
    node: zone.node,
    zone: zone.index,
    name: zone.name,
    size: zone.spanned,
    free: told?.value ?? 0,
    pending: told?.pending ?? 0,
    memMap: empty ? 0n : (PageMap.of(kernel)?.pageOf(zone.startPfn) ?? 0n),
    start: empty ? 0n : BigInt(zone.startPfn) * BigInt(kernel.arch.pageSize),
    startMapNumber: empty ? 0 : zone.startPfn - nodeStart,
  };
}

function zoneRow(session: Session, zone: Zone, nodeStart: number, everyBlock: boolean, note: (text: string) => void): ZoneRow {
  const { kernel } = session;
  const told = ({ message }: Error) => note(message);
  const areas = zone.spanned === 0 ? [] : (unlessBroken(() => freeAreas(kernel, zone), told) ?? []);
  const lists = areas.flatMap((area) => {
    session.progress?.("counting free blocks", area.order, areas.length);
    const counted = area.lists.map((list) => listRow(kernel, list, everyBlock));
    const blocks = counted.reduce((sum, list) => sum + list.blocks, 0);
    if (blocks !== area.told)
      note(`zone ${zone.name}, order ${area.order}: nr_free is ${area.told}, and ${blocks} blocks are on its lists`);
    return counted;
  });
  return { ...zoneHeader(kernel, zone, nodeStart, note), lists };
}

function listRow(kernel: Kernel, list: FreeList, everyBlock: boolean): ListRow {
  const counted = countBlocks(kernel, list);
  return {
    order: list.order,
    migrateType: list.migrateName,
    head: list.head,
    blocks: counted.blocks,
    pages: counted.blocks * 2 ** list.order,
    ...(counted.broken === undefined ? {} : { broken: counted.broken }),
    ...(everyBlock ? { list: lazy(() => untilBroken(freeBlocks(kernel, list), () => {})) } : {}),
  };
}

/** The free block that an operand lies in, or why it lies in none. */
export function findOperand(kernel: Kernel, text: string, isPhysical: boolean, note: (text: string) => void): FreeOperand {
  const { pfn, reason, address } = operandFrame(kernel, text, isPhysical);
  const operand = address.toString(16);
  if (pfn === undefined) return { operand, reason: reason ?? "it names no page" };
  const found = freePlaceOf(kernel, pfn, ({ message }) => note(message));
  if (found === undefined) return { operand, reason: "its page is not free" };
  const { list, zone, firstPfn, cpu } = found;
  const node = memoryNodes(kernel).nodes.find(({ id }) => id === zone.node);
  return {
    operand,
    zone: zoneHeader(kernel, zone, node?.startPfn ?? 0, note),
    ...(list === undefined ? {} : { list: listRow(kernel, list, false) }),
    block: PageMap.of(kernel)?.pageOf(firstPfn) ?? (0n as VirtualAddress),
    place: pfn - firstPfn + 1,
    ...(cpu === undefined ? {} : { cpu }),
  };
}

/** Zone, area and block as crash shows them. */
export function* operandLines({ operand, zone, list, block, place, cpu, reason }: FreeOperand, pageSize: number): Iterable<string> {
  if (zone === undefined || block === undefined || place === undefined) {
    yield `(${operand}: ${reason ?? "not free"})`;
    return;
  }
  yield* zoneHead(zone);
  if (list === undefined) {
    yield `${hex16(block)}  (${operand} is on CPU ${cpu}'s own list of free pages)`;
    return;
  }
  yield "AREA    SIZE  FREE_AREA_STRUCT";
  yield listLine(list, pageSize, true);
  yield `${hex16(block)}  (${operand} is ${ordinal(place)} of ${2 ** list.order} pages)`;
}

function* zoneHead({ zone, name, size, free, memMap, start, startMapNumber }: Omit<ZoneRow, "lists">): Iterable<string> {
  yield "ZONE  NAME        SIZE    FREE      MEM_MAP       START_PADDR  START_MAPNR";
  const map = memMap === 0n ? centre("0", 16) : hex16(memMap);
  const place = `${centre(start.toString(16), 11, "left")}  ${centre(String(startMapNumber), 11, "left")}`;
  yield `${String(zone).padStart(3)}   ${name.padEnd(8)} ${String(size).padStart(7)} ${String(free).padStart(7)}  ${map}  ${place}`;
}

function listLine({ order, head, blocks, pages }: ListRow, pageSize: number, short: boolean): string {
  const size = `${(pageSize * 2 ** order) / 1024}k`;
  const place = `${String(order).padStart(3)}  ${size.padStart(7)}  ${hex16(head)}  `;
  return short ? place : `${place}${String(blocks).padStart(6)} ${String(pages).padStart(6)}`;
}

/** "1st", "2nd", "11th". */
function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
}
