/**
 * Seeded damage to structures: what bugs and bad memory do to a kernel. Unlike damageMemory() (words anywhere on pages that are read), it
 * aims: a list is cut, closed too early or led astray; a freelist or a page's flags are overwritten; a task_struct becomes text.
 */
import { type PhysicalAddress, type VirtualAddress, virtual } from "../../src/bytes/address.ts";
import { sizeOf } from "../../src/debug-info/c-type.ts";
import type { Dump, PageFault } from "../../src/dump/dump.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { PageMap } from "../../src/linux/page.ts";
import { crawl, type Instance, pointersOf } from "./crawl.ts";
import { LINKS, TREES } from "./linked-members.ts";
import { overlay, random } from "./mutation.ts";

/** Everything that corruptions of one dump have in common. */
export interface Targets {
  readonly kernel: Kernel;
  readonly instances: ReadonlyMap<string, readonly Instance[]>;
  readonly names: readonly string[];
  /** Pages that an undamaged run reads. */
  readonly pages: readonly number[];
}

/** A dump with one corruption, and what it is. */
export interface Corruption {
  readonly what: string;
  readonly dump: Dump;
}

type Words = Map<number, Map<number, bigint>>;

const TEXT = 0x20_74_78_65_74_20_61_20n; // " a text "
const POISON = [0n, 2n ** 64n - 1n, 0x6b6b6b6b6b6b6b6bn, 0xdead000000000100n, TEXT, 0x7fffffffffffffffn, 0x80000000n, 1n];

/** Subsystems whose structures get random words. */
const SUBSYSTEMS =
  /^(task_struct|mm_struct|vm_area_struct|file|files_struct|fdtable|dentry|inode|super_block|mount|vfsmount|net|net_device|in_device|sock|socket|irq_desc|irqaction|timer_base|hrtimer_.*|rq|cfs_rq|rt_rq|sched_entity|kmem_cache|kmem_cache_node|module|workqueue_struct|pool_workqueue|worker_pool|worker|cgroup|cgroup_root|css_set|cgroup_subsys_state|signal_struct|sighand_struct|pid|pid_namespace|nsproxy|ipc_namespace|request_queue|gendisk|block_device|pglist_data|zone|vmap_area|vm_struct|rcu_data|rcu_state|trace_array|trace_buffer|ring_buffer_per_cpu|resource|cred|swap_info_struct|address_space|anon_vma)$/;

/** Finds what can be damaged. */
export function findTargets(kernel: Kernel, pages: readonly number[]): Targets {
  const instances = crawl(kernel);
  return { kernel, instances, names: [...instances.keys()].filter((name) => SUBSYSTEMS.test(name)).sort(), pages };
}

const KINDS = [
  "cut list",
  "cyclic list",
  "list led astray",
  "freelist",
  "page flags",
  "text over a task",
  "random words",
  "flipped bits",
  "tree",
  "counts",
  "text over a structure",
] as const;

/** Most places of one corruption. */
const PLACES = 8;

/** The dump of `targets` with the corruption of a seed: the kind goes round, the place is drawn. */
export function corrupt(targets: Targets, base: Dump, seed: number): Corruption {
  const next = random(seed * 7919 + 1);
  const kind = KINDS[seed % KINDS.length] as (typeof KINDS)[number];
  const words: Words = new Map();
  // One place, or several.
  const places = Array.from({ length: 1 + Math.floor(next() * PLACES) }, () => damage(kind, targets, base, next, words));
  return { what: `${kind}: ${places.join(" | ")}`, dump: withWords(base, words) };
}

function pick<T>(list: readonly T[], next: () => number): T | undefined {
  return list[Math.floor(next() * list.length)];
}

function anyInstance({ names, instances }: Targets, next: () => number): Instance | undefined {
  return pick(instances.get(pick(names, next) ?? "") ?? [], next);
}

function damage(kind: (typeof KINDS)[number], targets: Targets, base: Dump, next: () => number, words: Words): string {
  switch (kind) {
    case "cut list":
    case "cyclic list":
    case "list led astray":
      return damageList(kind, targets, next, words);
    case "freelist":
      return damageFreelist(targets, next, words);
    case "page flags":
      return damagePages(targets, base, next, words);
    case "text over a task": {
      const task = pick(targets.instances.get("task_struct") ?? [], next);
      return task === undefined ? "no task" : fill(targets.kernel, task, TEXT, words);
    }
    case "random words":
      return damageWords(targets, next, words);
    case "flipped bits":
      return flipBits(targets, base, next, words);
    case "tree":
      return damageTree(targets, next, words);
    case "counts":
      return damageCounts(targets, next, words);
    case "text over a structure": {
      const instance = anyInstance(targets, next);
      return instance === undefined ? "none" : fill(targets.kernel, instance, pick(POISON, next) ?? 0n, words);
    }
  }
}

/** Puts a word to a virtual address of the kernel; nothing where it is not mapped. */
function put(kernel: Kernel, at: bigint, value: bigint, words: Words): void {
  const address = virtual(BigInt.asUintN(64, at & ~7n));
  let physical: PhysicalAddress;
  try {
    physical = kernel.memory.translate(address as VirtualAddress);
  } catch {
    return;
  }
  const pageSize = BigInt(kernel.dump.pageSize);
  const pfn = Number(physical / pageSize);
  const page = words.get(pfn) ?? new Map<number, bigint>();
  words.set(pfn, page);
  page.set(Number(physical % pageSize), BigInt.asUintN(64, value));
}

function fill(kernel: Kernel, { name, type, address }: Instance, value: bigint, words: Words): string {
  for (let at = 0; at < type.size; at += 8) put(kernel, address + BigInt(at), value, words);
  return `${name} ${address.toString(16)} filled with ${value.toString(16)}`;
}

/** Pointers to list heads and hlist nodes: the first word of a link is `next`. */
function linksOf({ type }: Instance): readonly number[] {
  return pointersOf(type).flatMap(({ offset, target }) => (target === "list_head" || target === "hlist_node" ? [offset] : []));
}

/** A known place of an instance of the dump; undefined when this kernel has no such structure or member. */
function knownPlace(
  { kernel, instances }: Targets,
  places: readonly (readonly [type: string, member: string])[],
  next: () => number,
): { readonly instance: Instance; readonly offset: number } | undefined {
  const [type, member] = pick(places, next) ?? ["", ""];
  const instance = pick(instances.get(type) ?? [], next);
  const field = kernel.types.tryStruct(type)?.tryField(member);
  if (instance === undefined || field === undefined) return undefined;
  // Somewhere in an array of heads.
  const within = field.size > 64 ? Math.floor((next() * field.size) / 16) * 16 : 0;
  return { instance, offset: field.offset + within };
}

function damageList(kind: string, targets: Targets, next: () => number, words: Words): string {
  for (let i = 0; i < 80; i++) {
    const known = next() < 0.8 ? knownPlace(targets, LINKS, next) : undefined;
    const instance = known?.instance ?? anyInstance(targets, next);
    const link = known?.offset ?? (instance === undefined ? undefined : pick(linksOf(instance), next));
    if (instance === undefined || link === undefined) continue;
    const at = instance.address + BigInt(link);
    const target = targets.kernel.memory.tryU64(virtual(at));
    const stray = pick(POISON, next) ?? 0n;
    if (kind === "cut list") put(targets.kernel, at, 0n, words);
    else if (kind === "list led astray") put(targets.kernel, at, next() < 0.5 ? stray : (target ?? 0n) + 4n, words);
    // To itself, or back from its neighbour.
    else if (target === undefined || target === 0n || next() < 0.5) put(targets.kernel, at, at, words);
    else put(targets.kernel, target, at, words);
    return `${instance.name} ${instance.address.toString(16)}+${link}`;
  }
  return "none";
}

/** A cache's per-CPU and per-node structures: freelist pointers, counters, lists. */
function damageFreelist(targets: Targets, next: () => number, words: Words): string {
  const { kernel } = targets;
  const cache = pick(targets.instances.get("kmem_cache") ?? [], next);
  if (cache === undefined) return "no cache";
  const cpu = kernel.types.find("struct", "kmem_cache_cpu");
  const slot = cache.type.members.find(({ name }) => name === "cpu_slab");
  const wild = next() < 0.5 ? BigInt(Math.floor(next() * 2 ** 32)) * 0x9e3779b97f4a7c15n : (pick(POISON, next) as bigint);
  if (cpu?.kind === "struct" && slot !== undefined && next() < 0.7) {
    const pointer = kernel.memory.tryU64(virtual(cache.address + BigInt(slot.bitOffset / 8)));
    if (pointer !== undefined) {
      const place = kernel.perCpuAddress(virtual(pointer), 0);
      const member = pick(cpu.members.slice(0, 4), next);
      const freelist = kernel.memory.tryU64(place);
      // The freelist's own place, or the pointer within its first free object.
      if (freelist !== undefined && freelist !== 0n && next() < 0.5)
        put(kernel, freelist + BigInt(Math.floor(next() * 16) * 8), wild, words);
      else put(kernel, place + BigInt((member?.bitOffset ?? 0) / 8), wild, words);
      return `${cache.address.toString(16)} CPU 0, ${wild.toString(16)}`;
    }
  }
  for (let i = 0; i < 4; i++) put(kernel, cache.address + BigInt(Math.floor(next() * (cache.type.size / 8)) * 8), wild, words);
  return `kmem_cache ${cache.address.toString(16)}, ${wild.toString(16)}`;
}

/** A hundred struct pages become poison, or get other flags, mappings and counts. */
function damagePages(targets: Targets, base: Dump, next: () => number, words: Words): string {
  const map = PageMap.of(targets.kernel);
  if (map === undefined) return "no page structures";
  const whole = next() < 0.5;
  const value = pick(POISON, next) as bigint;
  for (let i = 0; i < 100; i++) {
    // Those of pages that commands read, and any.
    const pfn = next() < 0.5 ? (pick(targets.pages, next) as number) : Math.floor(next() * base.maxPfn);
    const at = map.pageOf(pfn);
    if (at === undefined) continue;
    if (whole) for (let word = 0; word < map.size; word += 8) put(targets.kernel, at + BigInt(word), value, words);
    else put(targets.kernel, at + BigInt(Math.floor((next() * map.size) / 8) * 8), value, words);
  }
  return `${whole ? "whole" : "words"} ${value.toString(16)}`;
}

function damageWords(targets: Targets, next: () => number, words: Words): string {
  const instance = anyInstance(targets, next);
  if (instance === undefined) return "none";
  const count = 1 + Math.floor(next() * 16);
  for (let i = 0; i < count; i++) {
    const value =
      next() < 0.5 ? (pick(POISON, next) as bigint) : BigInt(Math.floor(next() * 2 ** 32)) * BigInt(Math.floor(next() * 2 ** 32));
    put(targets.kernel, instance.address + BigInt(Math.floor((next() * instance.type.size) / 8) * 8), value, words);
  }
  return `${instance.name} ${instance.address.toString(16)}, ${count} words`;
}

/** One bit each of up to 64 kernel pointers on pages that are read. */
function flipBits({ pages }: Targets, base: Dump, next: () => number, words: Words): string {
  const bytes = new Uint8Array(base.pageSize);
  const view = new DataView(bytes.buffer);
  let flipped = 0;
  for (let i = 0; i < 400 && flipped < 64; i++) {
    const pfn = pick(pages, next) as number;
    if (base.readPage(pfn, bytes) !== undefined) continue;
    const at = Math.floor(next() * (base.pageSize / 8)) * 8;
    const word = view.getBigUint64(at, true);
    if (word >> 56n !== 0xffn || word === 2n ** 64n - 1n) continue;
    const page = words.get(pfn) ?? new Map<number, bigint>();
    words.set(pfn, page);
    page.set(at, word ^ (1n << BigInt(Math.floor(next() * 64))));
    flipped++;
  }
  return `${flipped} pointers`;
}

/** A child of a red-black tree's node becomes the node itself, its parent or the neighbour; roots too. */
function damageTree(targets: Targets, next: () => number, words: Words): string {
  for (let i = 0; i < 80; i++) {
    const known = next() < 0.8 ? knownPlace(targets, TREES, next) : undefined;
    const instance = known?.instance ?? anyInstance(targets, next);
    const links = instance === undefined ? [] : pointersOf(instance.type).filter(({ target }) => target === "rb_node");
    const link = known ?? pick(links, next);
    if (instance === undefined || link === undefined) continue;
    const at = instance.address + BigInt(link.offset);
    const node = targets.kernel.memory.tryU64(virtual(at));
    if (node === undefined) continue;
    const stray = next() < 0.3 ? (pick(POISON, next) as bigint) : node;
    // In the node where it leads (its children lie behind the parent), or in the structure's own.
    if (node !== 0n && next() < 0.6) for (let word = 0; word < 3; word++) put(targets.kernel, node + BigInt(8 * word), stray, words);
    else put(targets.kernel, at, next() < 0.5 ? at : stray, words);
    return `${instance.name} ${instance.address.toString(16)}+${link.offset}`;
  }
  return "none";
}

/** Integers of a structure become very large. */
function damageCounts(targets: Targets, next: () => number, words: Words): string {
  const instance = anyInstance(targets, next);
  if (instance === undefined) return "none";
  const integers = instance.type.members.filter(({ type, bitSize }) => bitSize === undefined && sizeOf(type) >= 4 && sizeOf(type) <= 8);
  for (let i = 0; i < 6; i++) {
    const member = pick(integers, next);
    if (member !== undefined)
      put(targets.kernel, instance.address + BigInt(member.bitOffset / 8), next() < 0.5 ? 0x7fffffff7fffffffn : 0x0000ffff0fffffffn, words);
  }
  return `${instance.name} ${instance.address.toString(16)}`;
}

function withWords(base: Dump, words: Words): Dump {
  const readPage = (pfn: number, target: Uint8Array): PageFault | undefined => {
    const fault = base.readPage(pfn, target);
    const page = fault === undefined ? words.get(pfn) : undefined;
    if (page === undefined) return fault;
    const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
    for (const [at, value] of page) view.setBigUint64(at, value, true);
    return undefined;
  };
  return { ...overlay(base), readPage };
}
