/**
 * What an address is: the one answer of `kmem ADDRESS`, `whatis ADDRESS`, annotated memory, and everything else that meets an address.
 *
 *   word ─► region (null, error pointer, poison, non-canonical, user, linear map, vmalloc, modules, vmemmap, image, fixed)
 *        └► roles, the most telling first: symbol, stack, task, slab object, per-CPU variable, module, vmalloc area, struct page, page
 *
 * All tables are made once per dump; a look-up is some binary searches and, for the linear map, a few reads of page structures that are
 * remembered. Damaged memory costs the role that needed it, never the answer.
 */
import { add, distance, hex16, type PhysicalAddress, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AddressIdentity, AddressRegion, AddressRole } from "../linux/address-identity.ts";
import { AddressRegions } from "../linux/address-regions.ts";
import { AddressTable } from "../linux/address-table.ts";
import { errnoName } from "../linux/errno.ts";
import { PageMap } from "../linux/page.ts";
import { PageUses } from "../linux/page-use.ts";
import { PerCpuAreas } from "../linux/per-cpu-areas.ts";
import { poisonOf } from "../linux/poison.ts";
import { Slabs } from "../linux/slab.ts";
import { symbolPlaces } from "../linux/symbol-place.ts";
import type { Task } from "../linux/task.ts";
import { vmallocAreaOf } from "../linux/vmalloc.ts";
import { type ModulePiece, modulePieces } from "./module-pieces.ts";
import { objectState } from "./object-state.ts";
import { stackTable, taskStructTable } from "./stacks.ts";
import { userPlace } from "./user-mapping.ts";

export interface IdentifyOptions {
  /** task_struct of the process whose memory a user address is looked up in. */
  readonly task?: VirtualAddress;
  /** Only the most telling role, and nothing of how it can be read: for the words of stacks. */
  readonly brief?: boolean;
}

/** What an address is. Never throws for damaged memory. */
export function identifyAddress(kernel: Kernel, address: bigint, options: IdentifyOptions = {}): AddressIdentity {
  return kernel.memo(Identifier, () => new Identifier(kernel)).identify(address, options);
}

/** Types can be damaged too: then nothing is said of pages. */
function pageMapOf(kernel: Kernel): PageMap | undefined {
  try {
    return PageMap.of(kernel);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** Brief answers that are remembered: words repeat on stacks. */
const MEMO = 1 << 14;

class Identifier {
  readonly #kernel: Kernel;
  readonly #regions: AddressRegions;
  readonly #symbol: ReturnType<typeof symbolPlaces>;
  readonly #map: PageMap | undefined;
  readonly #brief = new Map<bigint, AddressIdentity>();
  #modules: AddressTable<ModulePiece> | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#regions = AddressRegions.of(kernel);
    this.#symbol = symbolPlaces(kernel);
    this.#map = pageMapOf(kernel);
  }

  identify(word: bigint, { task, brief }: IdentifyOptions): AddressIdentity {
    const address = virtual(word);
    if (brief !== true || task !== undefined) return this.#identify(address, task, brief === true);
    const known = this.#brief.get(address);
    if (known !== undefined) return known;
    const found = this.#identify(address, undefined, true);
    if (this.#brief.size >= MEMO) this.#brief.clear();
    this.#brief.set(address, found);
    return found;
  }

  #identify(address: VirtualAddress, task: VirtualAddress | undefined, brief: boolean): AddressIdentity {
    const { region, name } = this.#regions.of(address);
    const head = { address, region, ...(name === undefined ? {} : { regionName: name }) };
    switch (region) {
      case "null":
      case "non-canonical":
        return { ...head, roles: [] };
      case "error pointer": {
        const errno = Number(BigInt.asUintN(64, -address));
        const called = errnoName(errno);
        return { ...head, roles: [{ kind: "error pointer", errno, ...(called === undefined ? {} : { name: called }) }] };
      }
      case "poison": {
        const poison = poisonOf(address);
        return { ...head, roles: poison === undefined ? [] : [{ kind: "poison", ...poison }] };
      }
      case "user":
        return { ...head, ...this.#user(address, task, brief) };
      default:
        return this.#inKernel(this.#kernel.arch.stripPointer(address), head, region, brief);
    }
  }

  #user(address: VirtualAddress, task: VirtualAddress | undefined, brief: boolean): Omit<AddressIdentity, "address" | "region"> {
    if (task === undefined) return { roles: [] };
    const { role, physical, unreadable } = userPlace(this.#kernel, task, address);
    const page = physical === undefined || brief ? undefined : this.#pageRole(physical);
    return {
      ...(physical === undefined ? {} : { physical }),
      ...(unreadable === undefined ? {} : { unreadable }),
      roles: [role, page].filter((each) => each !== undefined),
    };
  }

  #inKernel(
    at: VirtualAddress,
    head: Pick<AddressIdentity, "address" | "region" | "regionName">,
    region: AddressRegion,
    brief: boolean,
  ): AddressIdentity {
    const roles: AddressRole[] = [];
    for (const role of this.#roles(at, region)) {
      roles.push(role);
      if (brief) return { ...head, ...inPerCpu(head, role), roles };
    }
    if (brief) {
      const pfn = region === "linear map" ? this.#map?.linearPfn(at) : undefined;
      const page = pfn === undefined ? undefined : this.#pageOfPfn(pfn, false);
      return { ...head, roles: page === undefined ? [] : [page] };
    }
    const { physical, unreadable } = this.#memoryAt(at);
    const page = physical === undefined ? undefined : this.#pageRole(physical);
    return {
      ...head,
      ...(roles[0] === undefined ? {} : inPerCpu(head, roles[0])),
      ...(physical === undefined ? {} : { physical }),
      ...(unreadable === undefined ? {} : { unreadable }),
      roles: page === undefined ? roles : [...roles, page],
    };
  }

  /** Everything but the page, found one after the other: the caller may stop at the first. */
  *#roles(at: VirtualAddress, region: AddressRegion): Generator<AddressRole, void, undefined> {
    yield* this.#attempt(() => this.#symbolRole(at, region));
    yield* this.#attempt(() => this.#stackRole(at));
    yield* this.#attempt(() => this.#taskRole(at));
    if (region === "linear map") yield* this.#attempt(() => this.#slabRole(at));
    yield* this.#attempt(() => this.#perCpuRole(at));
    yield* this.#attempt(() => this.#moduleRole(at));
    if (region === "vmalloc" || region === "modules" || region === "unknown" || region === "fixed" || region === "kernel image")
      yield* this.#attempt(() => this.#vmallocRole(at));
    yield* this.#attempt(() => this.#pageStructRole(at, region));
  }

  /** A role that cannot be had because memory is damaged or missing is left out. */
  #attempt(find: () => AddressRole | undefined): readonly AddressRole[] {
    try {
      const role = find();
      return role === undefined ? [] : [role];
    } catch (error) {
      if (error instanceof InquestError) return [];
      throw error;
    }
  }

  #symbolRole(at: VirtualAddress, region: AddressRegion): AddressRole | undefined {
    if (region !== "kernel image" && region !== "modules" && region !== "unknown" && region !== "vmalloc" && region !== "fixed")
      return undefined;
    const found = this.#symbol(at, false);
    // Labels of the assembler and marks of code and data name nothing.
    if (found === undefined || /^(\$[adtx]|\.L)/.test(found.symbol.name)) return undefined;
    const { symbol, offset } = found;
    const piece = symbol.module === undefined ? undefined : this.#moduleTable().find(at);
    const section = piece?.value.section ?? (region === "kernel image" ? this.#regions.of(at).name : undefined);
    return {
      kind: "symbol",
      name: symbol.name,
      offset,
      ...(symbol.module === undefined ? {} : { module: symbol.module }),
      ...(section === undefined ? {} : { section }),
    };
  }

  #stackRole(at: VirtualAddress): AddressRole | undefined {
    const found = stackTable(this.#kernel).find(at)?.value;
    if (found === undefined) return undefined;
    const { area, start, end, task } = found;
    const place = { low: start, high: end, offset: distance(at, start) };
    if (task !== undefined) return { kind: "task stack", task: brief(task), ...place };
    return { kind: "CPU stack", name: area.kind, ...(area.cpu === undefined ? {} : { cpu: area.cpu }), ...place };
  }

  #taskRole(at: VirtualAddress): AddressRole | undefined {
    const found = taskStructTable(this.#kernel).find(at);
    return found === undefined ? undefined : { kind: "task", task: brief(found.value), offset: distance(at, found.start) };
  }

  #slabRole(at: VirtualAddress): AddressRole | undefined {
    const slabs = Slabs.of(this.#kernel);
    const object = slabs?.objectOf(at);
    if (object !== undefined) {
      const { cache, cacheAddress, offset, objectSize } = object;
      return {
        kind: "slab object",
        cache,
        cacheAddress,
        object: object.object,
        offset,
        objectSize,
        state: objectState(this.#kernel, object),
      };
    }
    const slab = slabs?.slabOf(at);
    return slab === undefined ? undefined : { kind: "slab", cache: slab.cache.name, cacheAddress: slab.cache.address, page: slab.page };
  }

  #perCpuRole(at: VirtualAddress): AddressRole | undefined {
    const found = PerCpuAreas.of(this.#kernel).find(at);
    if (found === undefined) return undefined;
    const { cpu, pointer, variable } = found;
    if (variable === undefined) return { kind: "per-CPU variable", cpu, offset: 0, pointer };
    const { symbol, offset } = variable;
    const owner = symbol.module === undefined ? {} : { module: symbol.module };
    return { kind: "per-CPU variable", name: symbol.name, cpu, offset, pointer, ...owner };
  }

  #moduleRole(at: VirtualAddress): AddressRole | undefined {
    const found = this.#moduleTable().find(at);
    if (found === undefined) return undefined;
    const { module, section, start } = found.value;
    return { kind: "module", module, section, offset: distance(at, start) };
  }

  #moduleTable(): AddressTable<ModulePiece> {
    this.#modules ??= new AddressTable(modulePieces(this.#kernel));
    return this.#modules;
  }

  #vmallocRole(at: VirtualAddress): AddressRole | undefined {
    const area = vmallocAreaOf(this.#kernel, at);
    if (area === undefined) return undefined;
    const caller = area.caller === 0n ? undefined : (this.#kernel.symbolize(area.caller) ?? hex16(area.caller));
    return {
      kind: "vmalloc area",
      area: area.area,
      start: area.start,
      end: area.end,
      flags: area.flagNames,
      ...(caller === undefined ? {} : { caller }),
      ...(area.unpurged ? { freed: true as const } : {}),
    };
  }

  #pageStructRole(at: VirtualAddress, region: AddressRegion): AddressRole | undefined {
    if (this.#map === undefined || (region !== "vmemmap" && region !== "linear map" && region !== "vmalloc")) return undefined;
    const offset = this.#map.offsetInPage(at);
    if (offset === undefined) return undefined;
    const pfn = this.#map.pfnOf(add(at, -offset));
    return pfn === undefined || pfn >= this.#map.maxPfn ? undefined : { kind: "struct page", pfn, offset };
  }

  #memoryAt(at: VirtualAddress): { readonly physical?: PhysicalAddress; readonly unreadable?: string } {
    const { memory } = this.#kernel;
    let physical: PhysicalAddress | undefined;
    try {
      physical = memory.translate(at);
      memory.u8(at);
      return { physical };
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      return { ...(physical === undefined ? {} : { physical }), unreadable: error.message };
    }
  }

  #pageRole(physical: PhysicalAddress): AddressRole | undefined {
    const pfn = Number(physical >> BigInt(this.#kernel.arch.pageShift));
    return this.#pageOfPfn(pfn, true);
  }

  #pageOfPfn(pfn: number, lists: boolean): AddressRole | undefined {
    const found = PageUses.of(this.#kernel)?.use(pfn, lists);
    if (found === undefined) return undefined;
    const { page, flags, use, order } = found;
    return { kind: "page", pfn, page, flags, use, ...(order === undefined ? {} : { order }) };
  }
}

function brief({ address, pid, comm }: Task): { address: VirtualAddress; pid: number; comm: string } {
  return { address, pid, comm };
}

/** The first chunk lies in the linear map: that it is per-CPU memory says more. */
function inPerCpu({ region }: Pick<AddressIdentity, "region">, role: AddressRole): { region?: "per-CPU" } {
  return role.kind === "per-CPU variable" && region === "linear map" ? { region: "per-CPU" } : {};
}
