/**
 * `kmem ADDRESS`: everything that an address is, in crash's sections.
 *
 *   ffffffffba8114f4 (T) schedule+4                       a symbol
 *   CACHE … SLAB … FREE / [ALLOCATED]                     the slab and the object
 *       PID: 1 …                                          the task whose task_struct or stack it is
 *      VMAP_AREA … ADDRESS RANGE                          the vmalloc area
 *   ZONE … AREA … (address is 3rd of 256 pages)           the free block
 *         PAGE       PHYSICAL …                           its struct page
 */
import { hex16, physical, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { regionText, roleText } from "../../identity/describe.ts";
import { identifyAddress } from "../../identity/identify.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AddressIdentity, AddressRole } from "../../linux/address-identity.ts";
import { type PageInfo, PageMap, readPage } from "../../linux/page.ts";
import { Slabs } from "../../linux/slab.ts";
import { vmallocAreaOf, vmallocAreas } from "../../linux/vmalloc.ts";
import { identitiesApi } from "../api/views.ts";
import type { Session } from "../command.ts";
import { parseAddress, parseHex } from "../support/numbers.ts";
import { contextLines, type TaskContext, taskContext } from "../support/task-context.ts";
import { pageText } from "../vtop.ts";
import { type FreeOperand, findOperand, operandLines } from "./free-pages.ts";
import { CACHE_HEADER, cacheLines, cacheRow, type SlabCacheRow, SlabListing, slabLines } from "./slab-format.ts";
import { defineView } from "./view.ts";
import { AREA_HEADER, type AreaRow, areaLine, areaRow, maps } from "./vmalloc.ts";

export interface LookedUp {
  readonly operand: string;
  readonly identity: AddressIdentity;
  readonly symbol?: { readonly text: string };
  readonly cache?: SlabCacheRow;
  readonly slab?: SlabListing;
  readonly task?: TaskContext;
  readonly area?: AreaRow;
  readonly free?: FreeOperand;
  readonly page?: PageInfo;
  /** What has no section in crash, and what could not be read; one line each. */
  readonly notes: readonly string[];
}

export interface KmemLookUp {
  readonly addresses: readonly LookedUp[];
  readonly pageSize: number;
}

export const addressLookUp = defineView<KmemLookUp>({
  options: [],
  synopsis: ["[-P] address…"],
  description: [
    "An address alone: its symbol, the slab object that it lies in and whether that is in use, the task whose task_struct or stack it is, the vmalloc area, the block of free pages, and its struct page. The address of a struct page stands for the page. A small number is a physical address, as with -P; an address of user memory is looked up in the context task.",
  ],
  examples: [
    ["kmem ffff888003a4c010", "what an address is"],
    ["kmem -P 3a4c010", "what a physical address is"],
  ],
  differences: [
    "An address without an option may be a symbol, and one of user memory. Per-CPU variables, the CPUs' own stacks, error pointers and poison are named.",
    "Free pages that a CPU keeps for itself are found.",
    "Symbols have the letters of /proc/kallsyms.",
  ],
  run(session, args) {
    return { addresses: args.operands.map((operand) => lookUp(session, operand, args.has("-P"))), pageSize: session.kernel.arch.pageSize };
  },
  api: ({ kernel }, args) => identitiesApi(args.has("-P") ? [] : args.operands.map((word) => [word, parseAddress(kernel, word)]), kernel),
  *text({ addresses, pageSize }) {
    for (const [i, each] of addresses.entries()) {
      if (i > 0) yield "";
      yield* lines(each, pageSize);
    }
  },
});

function lookUp(session: Session, operand: string, isPhysical: boolean): LookedUp {
  const { kernel } = session;
  const value = isPhysical ? parseHex(operand) : parseAddress(kernel, operand);
  const map = PageMap.of(kernel);
  const small = value < BigInt(map?.maxPfn ?? 0) << BigInt(kernel.arch.pageShift);
  const raw = isPhysical || (small && !kernel.arch.isKernelAddress(value));
  const notes: string[] = [];
  const pfnOfPage = raw ? undefined : exactPage(map, virtual(value));
  const address = raw ? mappedAt(kernel, value) : virtual(value);
  const task = session.context;
  const identity = identifyAddress(kernel, address ?? value, raw ? {} : { task });
  const found: AddressIdentity = raw ? { ...identity, address: virtual(value), physical: physical(value) } : identity;
  const note = (text: string) => notes.includes(text) || notes.push(text);
  const pfn = pfnOfPage ?? (found.physical === undefined ? undefined : Number(found.physical >> BigInt(kernel.arch.pageShift)));
  const shown = attempt(note, () => (pfn === undefined || pfn >= (map?.maxPfn ?? 0) ? undefined : readPage(kernel, pfn)));
  const freed =
    pfn !== undefined && shown !== undefined
      ? attempt(note, () => findOperand(kernel, (BigInt(pfn) << BigInt(kernel.arch.pageShift)).toString(16), true, note))
      : undefined;
  const free = freed?.block === undefined ? undefined : { ...freed, operand: value.toString(16) };
  return {
    operand,
    identity: found,
    ...symbolPart(kernel, found, raw),
    ...(pfnOfPage === undefined ? slabPart(kernel, found) : slabOfPage(kernel, virtual(value))),
    ...taskPart(kernel, found.roles, note),
    ...areaPart(kernel, found, raw ? value : undefined),
    ...(free === undefined ? {} : { free }),
    ...(shown === undefined ? {} : { page: shown }),
    notes: [...ownNotes(found, pfnOfPage !== undefined), ...notes],
  };
}

function attempt<T>(note: (text: string) => void, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    note(error.message);
    return undefined;
  }
}

/** The frame whose struct page begins at the address. */
function exactPage(map: PageMap | undefined, address: VirtualAddress): number | undefined {
  return map?.offsetInPage(address) === 0 ? map.pfnOf(address) : undefined;
}

/** Where a physical address is seen: in the vmalloc area that maps its page, else in the linear map. */
function mappedAt(kernel: Kernel, address: bigint): VirtualAddress | undefined {
  try {
    const area = vmallocAreas(kernel).busy.find((each) => each.physical === undefined && each.pageCount > 0 && maps(kernel, each, address));
    if (area !== undefined) {
      const page = BigInt(kernel.arch.pageSize);
      for (let at = area.start; at < area.end; at = virtual(at + page)) {
        if (kernel.memory.tryU64(at) !== undefined && kernel.memory.translate(at) === (address & -page))
          return virtual(at + (address & (page - 1n)));
      }
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return kernel.arch.toLinear(physical(address));
}

function symbolPart(kernel: Kernel, { roles, address, region }: AddressIdentity, raw: boolean): Pick<LookedUp, "symbol"> {
  const role = roles[0];
  if (raw) return {};
  if (role?.kind === "symbol") {
    const at = kernel.arch.stripPointer(address);
    const type = kernel.symbols.byAddress(at)?.symbol.type ?? "?";
    const owner = role.module === undefined ? "" : ` [${role.module}]`;
    const line = kernel.debugInfo.present && "tTwW".includes(type) ? kernel.debugInfo.line(at) : undefined;
    const source = line === undefined ? "" : ` ${line.file}: ${line.line}`;
    return { symbol: { text: `${hex16(address)} (${type}) ${role.name}${role.offset === 0 ? "" : `+${role.offset}`}${owner}${source}` } };
  }
  const module = region === "modules" ? roles.find((each) => each.kind === "module") : undefined;
  return module === undefined ? {} : { symbol: { text: `${hex16(address)} (m) (${module.module} module)` } };
}

function slabPart(kernel: Kernel, { roles }: AddressIdentity): Pick<LookedUp, "cache" | "slab"> {
  const role = roles.find((each) => each.kind === "slab object" || each.kind === "slab");
  if (role === undefined) return {};
  const slabs = Slabs.of(kernel);
  const object = role.kind === "slab object" ? slabs?.objectOf(role.object) : undefined;
  const slab = role.kind === "slab object" ? slabs?.slabOf(role.object) : slabs?.slabAt(role.page);
  if (slab === undefined) return {};
  return { cache: cacheRow(kernel, slab.cache), slab: new SlabListing(kernel, slab, object?.index ?? true) };
}

/** A struct page stands for its slab with all objects. */
function slabOfPage(kernel: Kernel, page: VirtualAddress): Pick<LookedUp, "cache" | "slab"> {
  const slab = Slabs.of(kernel)?.slabAt(page);
  return slab === undefined || slab.page !== page ? {} : { cache: cacheRow(kernel, slab.cache), slab: new SlabListing(kernel, slab, true) };
}

function taskPart(kernel: Kernel, roles: readonly AddressRole[], note: (text: string) => void): Pick<LookedUp, "task"> {
  const role = roles.find((each) => (each.kind === "task" || each.kind === "task stack") && each.task !== undefined);
  if (role === undefined || !("task" in role) || role.task === undefined) return {};
  const { address } = role.task;
  const task = attempt(note, () => taskContext(kernel, address));
  return task === undefined ? {} : { task };
}

function areaPart(kernel: Kernel, { roles }: AddressIdentity, device: bigint | undefined): Pick<LookedUp, "area"> {
  const role = roles.find((each) => each.kind === "vmalloc area");
  const area = role === undefined ? undefined : vmallocAreaOf(kernel, role.start);
  if (area !== undefined) return { area: areaRow(kernel, area) };
  if (device === undefined) return {};
  try {
    const mapped = vmallocAreas(kernel).busy.find((each) => maps(kernel, each, device));
    return mapped === undefined ? {} : { area: areaRow(kernel, mapped) };
  } catch (error) {
    if (error instanceof InquestError) return {};
    throw error;
  }
}

/** Roles that crash has no section for, and why nothing can be read. */
function ownNotes(identity: AddressIdentity, isPage: boolean): string[] {
  const told = identity.roles.filter(({ kind }) => ["per-CPU variable", "CPU stack", "mapping", "poison", "error pointer"].includes(kind));
  const notes = told.map((role) => `${hex16(identity.address)}: ${roleText(role)}`);
  if (notes.length === 0 && identity.roles.length === 0 && identity.physical === undefined)
    notes.push(`${hex16(identity.address)}: ${regionText(identity)}`);
  return identity.unreadable === undefined || isPage ? notes : [...notes, identity.unreadable];
}

function* lines({ symbol, cache, slab, task, area, free, page, notes }: LookedUp, pageSize: number): Iterable<string> {
  const sections: Iterable<string>[] = [];
  if (symbol !== undefined) sections.push([symbol.text]);
  if (cache !== undefined && slab !== undefined) sections.push(slabSection(cache, slab));
  if (task !== undefined) sections.push(contextLines(task));
  if (area !== undefined) sections.push([AREA_HEADER, areaLine(area)]);
  if (free !== undefined) sections.push(operandLines(free, pageSize));
  if (page !== undefined) sections.push(pageText(page));
  if (notes.length > 0) sections.push(notes.map((note) => `(${note})`));
  for (const [i, section] of sections.entries()) {
    if (i > 0) yield "";
    yield* section;
  }
}

function* slabSection(cache: SlabCacheRow, slab: SlabListing): Iterable<string> {
  yield CACHE_HEADER;
  yield* cacheLines(cache);
  yield* slabLines(slab);
}
