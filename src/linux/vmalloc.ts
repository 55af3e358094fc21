/**
 * The areas of the vmalloc space: which range belongs to whom. Source: mm/vmalloc.c, include/linux/vmalloc.h.
 *
 *   6.9 on   vmap_nodes ─► vmap_node[nr_vmap_nodes] { busy, lazy: rb_list { root, head }, purge_list }      (d093602919ad, 55c49fee57af)
 *   before   vmap_area_root (rbtree) and vmap_area_list: the areas in use, sorted by address
 *            purge_vmap_area_list (5.13, 96e2db456135), vmap_purge_list (an llist, before): given back, mappings not yet flushed
 *
 *   vmap_area { va_start, va_end, list, rb_node, vm } ─► vm_struct { addr, size, flags, pages, nr_pages, phys_addr, caller }
 *
 * vm is NULL for what vm_map_ram() gave out. Up to 5.1 vm counts only when vmap_area.flags has VM_VM_AREA (removed by 688fcbfc06e4).
 * Lists and trees hold the same areas; both are walked, so that one of them may be damaged.
 */
import { add, type PhysicalAddress, physical, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { listNodes, llistNodes } from "./list.ts";
import { rbtreeWalk } from "./rbtree-walk.ts";
import { unlessBroken, untilBroken } from "./until-broken.ts";

/** One range of the vmalloc space. */
export interface VmallocArea {
  /** Its vmap_area. */
  readonly area: VirtualAddress;
  /** Its vm_struct; undefined for ranges of vm_map_ram() and for those given back. */
  readonly vm: VirtualAddress | undefined;
  readonly start: VirtualAddress;
  /** Exclusive; the guard page counts. */
  readonly end: VirtualAddress;
  /** vm_struct.flags; 0 without one. */
  readonly flags: number;
  /** As /proc/vmallocinfo names them ("vmalloc", "ioremap", "vmap", "user", "dma-coherent", …), more for those that it leaves out. */
  readonly flagNames: readonly string[];
  /** Return address in the function that asked for it; 0 when unknown. */
  readonly caller: VirtualAddress;
  /** struct page *[]: what is mapped there; 0 for device memory. */
  readonly pages: VirtualAddress;
  readonly pageCount: number;
  /** Device memory mapped there (ioremap). */
  readonly physical: PhysicalAddress | undefined;
  /** Given back by vfree(), still in the page tables until the next purge: an access is a use after free that does not fault. */
  readonly unpurged: boolean;
}

export interface VmallocAreas {
  /** Those in use, ascending. */
  readonly busy: readonly VmallocArea[];
  /** Given back and not yet flushed, ascending. */
  readonly unpurged: readonly VmallocArea[];
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

/** vmap_nodes are as many as CPUs, 128 at most; more is damage. */
const MAX_NODES = 1024;
/** Areas in all; the space of 32 TiB would hold more only if it were full of the smallest. */
const MAX_AREAS = 1 << 22;

const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0x1, "ioremap"],
  [0x2, "vmalloc"],
  [0x4, "vmap"],
  [0x8, "user"],
  [0x10, "dma-coherent"],
  [0x20, "uninitialized"],
  [0x40, "no-guard"],
  [0x80, "kasan"],
  [0x100, "flush-reset-perms"],
  [0x200, "put-pages"],
  [0x400, "allow-huge"],
  [0x800, "defer-kmemleak"],
  [0x1000, "sparse"],
];

/** All areas. Throws LookupError when this dump cannot name them. Read once per dump. */
export function vmallocAreas(kernel: Kernel): VmallocAreas {
  return kernel.memo(vmallocAreas, () => {
    const layout = vmapLayout(kernel);
    const notes: string[] = [];
    const note = (error: Error) => {
      if (!notes.includes(error.message)) notes.push(error.message);
    };
    const sources = areaSources(kernel, layout, note);
    const read = (walk: Iterable<VirtualAddress>, unpurged: boolean): VmallocArea[] => {
      const found: VmallocArea[] = [];
      for (const at of walk) {
        if (found.length >= MAX_AREAS) break;
        const area = unlessBroken(() => layout.read(at, unpurged), note);
        if (area !== undefined) found.push(area);
      }
      return found.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
    };
    return { busy: read(sources.busy(), false), unpurged: read(sources.unpurged(), true), notes };
  });
}

/** The area that holds an address; one in use before one given back. undefined when none does or none can be read. */
export function vmallocAreaOf(kernel: Kernel, address: VirtualAddress): VmallocArea | undefined {
  const areas = unlessBroken(
    () => vmallocAreas(kernel),
    () => {},
  );
  return areas === undefined ? undefined : (holding(areas.busy, address) ?? holding(areas.unpurged, address));
}

function holding(areas: readonly VmallocArea[], address: VirtualAddress): VmallocArea | undefined {
  let low = 0;
  let high = areas.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((areas[middle] as VmallocArea).start <= address) low = middle + 1;
    else high = middle;
  }
  const found = areas[low - 1];
  return found !== undefined && address < found.end ? found : undefined;
}

interface VmapLayout {
  readonly list: Field;
  readonly rbNode: Field;
  /** Link of the llist of areas given back, before 5.13. */
  readonly purgeLink: Field | undefined;
  read(area: VirtualAddress, unpurged: boolean): VmallocArea;
}

function vmapLayout(kernel: Kernel): VmapLayout {
  const area = kernel.types.struct("vmap_area");
  const struct = kernel.types.struct("vm_struct");
  const start = area.field("va_start");
  const end = area.field("va_end");
  const vm = area.firstField("vm", "private");
  // The augmented tree of 5.2 (68ad4a330433); flags that say what vm is went just before it, and came back with another meaning in 6.3.
  const augmented = area.tryField("subtree_max_size") !== undefined;
  const areaFlags = augmented ? undefined : area.tryField("flags");
  const flags = struct.field("flags");
  const caller = struct.tryField("caller");
  const pages = struct.field("pages");
  const count = struct.field("nr_pages");
  const phys = struct.field("phys_addr");
  const VM_VM_AREA = 4;
  const names = augmented ? FLAGS : FLAGS.map(([bit, name]) => [bit, bit === 0x10 ? "vpages" : name] as const);
  return {
    list: area.field("list"),
    rbNode: area.field("rb_node"),
    purgeLink: area.tryField("purge_list"),
    read(at, unpurged) {
      const own = unpurged || (areaFlags !== undefined && (areaFlags.number(at) & VM_VM_AREA) === 0) ? 0n : (vm?.pointer(at) ?? 0n);
      const range = { area: at, start: start.pointer(at), end: end.pointer(at), unpurged };
      const none = { flags: 0, flagNames: [], caller: virtual(0n), pages: virtual(0n), pageCount: 0, physical: undefined };
      if (own === 0n) return { ...range, vm: undefined, ...none };
      const here = virtual(own);
      const set = Number(BigInt.asUintN(32, flags.bigint(here)));
      const device = phys.pointer(here);
      return {
        ...range,
        vm: here,
        flags: set,
        flagNames: names.filter(([bit]) => (set & bit) !== 0).map(([, name]) => name),
        caller: caller?.pointer(here) ?? virtual(0n),
        pages: pages.pointer(here),
        pageCount: count.number(here),
        physical: device === 0n ? undefined : physical(device),
      };
    },
  };
}

interface AreaSources {
  busy(): Iterable<VirtualAddress>;
  unpurged(): Iterable<VirtualAddress>;
}

function areaSources(kernel: Kernel, layout: VmapLayout, note: (error: Error) => void): AreaSources {
  const { memory } = kernel;
  function* list(head: VirtualAddress): Iterable<VirtualAddress> {
    // Removal is list_del_rcu(): back links of areas in flight may be off.
    for (const node of untilBroken(listNodes(memory, head, { limit: MAX_AREAS, checkBackLinks: false }), note))
      yield add(node, -layout.list.offset);
  }
  function* tree(root: VirtualAddress): Iterable<VirtualAddress> {
    const top = unlessBroken(() => memory.u64(root), note);
    if (top === undefined || top === 0n) return;
    for (const { node } of rbtreeWalk(memory, virtual(top), { problem: note })) yield add(node, -layout.rbNode.offset);
  }
  const nodes = kernel.tryAddress("vmap_nodes");
  const nodeType = kernel.types.tryStruct("vmap_node");
  if (nodes !== undefined && nodeType !== undefined) {
    const counter = kernel.tryAddress("nr_vmap_nodes");
    const told = counter === undefined ? undefined : memory.tryU32(counter);
    const count = told === undefined || told < 1 || told > MAX_NODES ? 1 : told;
    if (count !== told) note(new LookupError(`nr_vmap_nodes is ${told ?? "unreadable"}: only the first vmap_node is shown`));
    const first = virtual(memory.u64(nodes));
    const all = Array.from({ length: count }, (_, i) => add(first, i * nodeType.size));
    const each = (pick: (node: VirtualAddress) => readonly Iterable<VirtualAddress>[]) => () => once(all.flatMap(pick));
    const at = (path: string) => nodeType.field(path);
    return {
      busy: each((node) => [list(at("busy.head").address(node)), tree(at("busy.root").address(node))]),
      unpurged: each((node) => [
        list(at("lazy.head").address(node)),
        tree(at("lazy.root").address(node)),
        list(at("purge_list").address(node)),
      ]),
    };
  }
  // VMCOREINFO names the list up to 6.8, also where the kernel lists no variables.
  const told = kernel.vmcoreinfo?.symbol("vmap_area_list");
  const head = kernel.tryAddress("vmap_area_list") ?? (told === undefined ? undefined : virtual(told));
  const root = kernel.tryAddress("vmap_area_root");
  if (head === undefined && root === undefined) throw kernel.unknownSymbol("vmap_area_list");
  const pool = kernel.tryAddress("purge_vmap_area_list");
  const poolRoot = kernel.tryAddress("purge_vmap_area_root");
  const stack = kernel.tryAddress("vmap_purge_list");
  if (pool === undefined && stack === undefined) note(kernel.unknownSymbol("purge_vmap_area_list", []));
  const link = layout.purgeLink;
  function* stacked(): Iterable<VirtualAddress> {
    if (stack === undefined || link === undefined) return;
    for (const node of untilBroken(llistNodes(memory, stack, { limit: MAX_AREAS }), note)) yield add(node, -link.offset);
  }
  const given = <T>(value: T | undefined, make: (value: T) => Iterable<VirtualAddress>) => (value === undefined ? [] : [make(value)]);
  return {
    busy: () => once([...given(head, list), ...given(root, tree)]),
    unpurged: () => once([...given(pool, list), ...given(poolRoot, tree), stacked()]),
  };
}

/** Each address once. */
function* once(walks: readonly Iterable<VirtualAddress>[]): Iterable<VirtualAddress> {
  const seen = new Set<bigint>();
  for (const walk of walks) {
    for (const address of walk) {
      if (seen.has(address)) continue;
      seen.add(address);
      yield address;
    }
  }
}
