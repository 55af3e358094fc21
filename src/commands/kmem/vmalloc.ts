/** `kmem -v`: the areas of the vmalloc space. */
import { add, hex16, pageNumber, type VirtualAddress } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PageMap } from "../../linux/page.ts";
import { type VmallocArea, vmallocAreaOf, vmallocAreas } from "../../linux/vmalloc.ts";
import { viewApi } from "../api/views.ts";
import { noteLines } from "./columns.ts";
import { operandPhysical } from "./page-operand.ts";
import { defineView } from "./view.ts";

/** An area as a row. */
export interface AreaRow {
  /** vmap_area. */
  readonly area: VirtualAddress;
  /** vm_struct; absent for ranges of vm_map_ram(). */
  readonly vm?: VirtualAddress;
  readonly start: VirtualAddress;
  /** Exclusive. */
  readonly end: VirtualAddress;
  readonly size: number;
  readonly flags: readonly string[];
  /** Who asked for it: "load_module+0x8ae". */
  readonly caller?: string;
  readonly pages: number;
  /** Device memory behind it. */
  readonly physical?: bigint;
  /** Given back and not yet flushed. */
  readonly unpurged?: true;
}

export interface VmallocView {
  readonly areas: readonly AreaRow[];
  /** Areas given back whose mappings are not yet flushed; not listed in the text unless an address asks for one. */
  readonly unpurged: number;
  readonly notes: readonly string[];
}

export const vmallocView = defineView<VmallocView>({
  options: [{ flag: "-v", help: "areas allocated by vmalloc() and mapped by ioremap() and vmap(); with addresses, those that hold them" }],
  synopsis: ["-v [-P] [address]…"],
  description: [
    "-v lists vmap_areas by address. As JSON each has its flags, pages and the caller that asked for it, as in /proc/vmallocinfo. A physical address finds every area that maps its page.",
  ],
  examples: [["kmem -v ffffc90000010000", "the area that holds an address"]],
  differences: [
    "-v ADDRESS also finds areas that were given back and are still mapped until the next flush: they are marked (given back).",
  ],
  run({ kernel }, args) {
    const { busy, unpurged, notes: damage } = vmallocAreas(kernel);
    const notes = [...damage];
    if (args.operands.length === 0) return { areas: busy.map((area) => areaRow(kernel, area)), unpurged: unpurged.length, notes };
    const found = args.operands.flatMap((text) => {
      const { virtual: address, physical } = operandPhysical(kernel, text, args.has("-P"));
      const one = address === undefined ? undefined : vmallocAreaOf(kernel, address);
      const mapping = address !== undefined || physical === undefined ? [] : busy.filter((area) => maps(kernel, area, physical));
      const areas = one === undefined ? mapping : [one];
      if (areas.length === 0) notes.push(`${text}: in no vmalloc area`);
      return areas;
    });
    return { areas: found.map((area) => areaRow(kernel, area)), unpurged: unpurged.length, notes };
  },
  api: viewApi("return { areas: kernel.vmallocAreas().filter(({ unpurged }) => !unpurged) };", ["-v"]),
  *text({ areas, notes }) {
    yield AREA_HEADER;
    for (const area of areas) yield areaLine(area);
    yield* noteLines(notes);
  },
});

export const AREA_HEADER = "   VMAP_AREA         VM_STRUCT                 ADDRESS RANGE                SIZE";

export function areaLine({ area, vm, start, end, size, unpurged }: AreaRow): string {
  const mark = unpurged ? "  (given back)" : "";
  return `${hex16(area)}  ${hex16(vm ?? 0n)}  ${hex16(start)} - ${hex16(end)}  ${String(size).padStart(7)}${mark}`;
}

export function areaRow(kernel: Kernel, area: VmallocArea): AreaRow {
  const caller = area.caller === 0n ? undefined : (kernel.symbolize(area.caller) ?? hex16(area.caller));
  return {
    area: area.area,
    ...(area.vm === undefined ? {} : { vm: area.vm }),
    start: area.start,
    end: area.end,
    size: Number(area.end - area.start),
    flags: area.flagNames,
    ...(caller === undefined ? {} : { caller }),
    pages: area.pageCount,
    ...(area.physical === undefined ? {} : { physical: area.physical }),
    ...(area.unpurged ? { unpurged: true as const } : {}),
  };
}

/** Most pages of an area that are looked at: 64 GiB of pages of 4 KiB. */
const MAX_PAGES = 1 << 24;
/** Pages translated of an area that names none, and faults after which it is left. */
const MAX_TRANSLATED = 1 << 14;
const MAX_FAULTS = 16;
/** Bytes of the array of pages in one read. */
const PIECE = 1 << 15;

/** Does one of the area's pages lie at the physical address? What was overwritten may tell any size and any number of pages. */
export function maps(kernel: Kernel, area: VmallocArea, physical: bigint): boolean {
  const page = BigInt(kernel.arch.pageSize);
  const size = area.end - area.start;
  // Device memory is in one piece; elsewhere pages are anywhere.
  if (area.physical !== undefined) return physical >= (area.physical & -page) && physical < area.physical + size - page;
  const room = Number(size / page);
  const wanted = PageMap.of(kernel)?.pageOf(pageNumber(physical, kernel.arch.pageShift));
  if (area.pages !== 0n && area.pageCount > 0 && wanted !== undefined)
    return names(kernel, area.pages, Math.min(area.pageCount, room, MAX_PAGES), wanted);
  return translates(kernel, area.start, Math.min(room, MAX_TRANSLATED), physical & -page);
}

/** Is the page among those of a vm_struct's array? */
function names(kernel: Kernel, array: VirtualAddress, count: number, page: VirtualAddress): boolean {
  for (let done = 0; done < count * 8; done += PIECE) {
    const bytes = kernel.memory.tryBytes(add(array, done), Math.min(PIECE, count * 8 - done));
    if (bytes === undefined) return false;
    const view = new DataView(bytes.buffer);
    for (let at = 0; at + 8 <= bytes.length; at += 8) if (view.getBigUint64(at, true) === page) return true;
  }
  return false;
}

function translates(kernel: Kernel, start: VirtualAddress, count: number, wanted: bigint): boolean {
  const page = kernel.arch.pageSize;
  for (let i = 0, faults = 0; i < count && faults < MAX_FAULTS; i++) {
    try {
      if ((kernel.memory.translate(add(start, i * page)) & -BigInt(page)) === wanted) return true;
    } catch (error) {
      // The guard page, and what was never mapped.
      if (!(error instanceof FaultError)) throw error;
      faults++;
    }
  }
  return false;
}
