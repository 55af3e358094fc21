/**
 * Finds structures of a dead kernel worth damaging: from its tasks, run queues, caches, devices and namespaces along typed pointers and
 * lists, so that it needs no knowledge of any subsystem:
 *
 *   roots (symbols whose types are known, all tasks)  →  struct X at A  →  every `struct Y *` in it  →  struct Y at B …
 */
import { type VirtualAddress, virtual } from "../../src/bytes/address.ts";
import { type CType, findMember, type StructType, sizeOf, strip } from "../../src/debug-info/c-type.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { irqDescriptors } from "../../src/linux/irq.ts";
import { taskTable } from "../../src/linux/task.ts";
import { vmas } from "../../src/linux/vma.ts";

/** A structure in the dump. */
export interface Instance {
  readonly type: StructType;
  readonly name: string;
  readonly address: VirtualAddress;
}

/** A pointer or list head inside a structure: offset in bytes. */
export interface PointerMember {
  readonly offset: number;
  /** Name of the structure pointed to; undefined for others. */
  readonly target: string | undefined;
}

/** Where the crawl begins, beside the tasks: [symbol, structure] or [symbol, structure, list member] for a list of them. */
const ROOTS: readonly (readonly [symbol: string, type: string, list?: string])[] = [
  ["init_net", "net"],
  ["init_nsproxy", "nsproxy"],
  ["init_user_ns", "user_namespace"],
  ["init_pid_ns", "pid_namespace"],
  ["init_ipc_ns", "ipc_namespace"],
  ["cgrp_dfl_root", "cgroup_root"],
  ["contig_page_data", "pglist_data"],
  ["rcu_state", "rcu_state"],
  ["iomem_resource", "resource"],
  ["ioport_resource", "resource"],
  ["slab_caches", "kmem_cache", "list"],
  ["modules", "module", "list"],
  ["super_blocks", "super_block", "s_list"],
  ["workqueues", "workqueue_struct", "list"],
  ["vmap_area_list", "vmap_area", "list"],
  ["ftrace_trace_arrays", "trace_array", "list"],
  ["cgroup_roots", "cgroup_root", "root_list"],
  ["bdi_list", "backing_dev_info", "bdi_list"],
  ["net_namespace_list", "net", "list"],
  ["chrdevs", "char_device_struct"],
];

/** Per-CPU variables. */
const PER_CPU: readonly (readonly [symbol: string, type: string])[] = [
  ["runqueues", "rq"],
  ["timer_bases", "timer_base"],
  ["hrtimer_bases", "hrtimer_cpu_base"],
  ["cpu_worker_pools", "worker_pool"],
  ["rcu_data", "rcu_data"],
  ["softnet_data", "softnet_data"],
  ["tick_cpu_sched", "tick_sched"],
  ["tick_cpu_device", "tick_device"],
];

/** Lists within structures: [structure, head, structure of the elements, link]. */
const LISTS: readonly (readonly [type: string, head: string, element: string, link: string])[] = [
  ["super_block", "s_mounts", "mount", "mnt_instance"],
  ["net", "dev_base_head", "net_device", "dev_list"],
  ["worker_pool", "workers", "worker", "node"],
  ["kmem_cache_node", "partial", "slab", "slab_list"],
  ["kmem_cache_node", "partial", "page", "lru"],
  ["cgroup_subsys_state", "children", "cgroup_subsys_state", "sibling"],
  ["workqueue_struct", "pwqs", "pool_workqueue", "pwqs_node"],
];

/** Structures within structures that views begin at; of an array the first ones. */
const PARTS: readonly (readonly [type: string, member: string, part: string])[] = [
  ["pglist_data", "node_zones", "zone"],
  ["rq", "cfs", "cfs_rq"],
  ["rq", "rt", "rt_rq"],
  ["rq", "dl", "dl_rq"],
  ["hrtimer_cpu_base", "clock_base", "hrtimer_clock_base"],
  ["mount", "mnt", "vfsmount"],
];
const MAX_PARTS = 4;

const PER_TYPE = 24;
const MAX_INSTANCES = 4000;
/** A list that is followed from a root. */
const MAX_LIST = 40;

/** Structures that are not worth following: they lead to code, to tables, to everything. */
const PASSED_OVER =
  /^(lock_class|module_kobject|kobj_type|file_operations|.*_ops|.*_operations|device_driver|bus_type|ftrace_event.*|trace_event_call)$/;

/** Pointers and list heads of a structure, embedded structures included; arrays by their first two elements. */
export function pointersOf(type: StructType, depth = 0, base = 0): PointerMember[] {
  const found: PointerMember[] = [];
  const visit = (member: CType, offset: number, level: number): void => {
    const plain = strip(member);
    if (plain.kind === "pointer") {
      const target = strip(plain.target);
      found.push({ offset, target: target.kind === "struct" ? target.name : undefined });
    } else if (plain.kind === "struct" || plain.kind === "union") found.push(...pointersOf(plain, level + 1, offset));
    else if (plain.kind === "array" && plain.length > 0) {
      for (let i = 0; i < Math.min(2, plain.length); i++) visit(plain.element, offset + i * sizeOf(plain.element), level);
    }
  };
  if (depth > 5) return found;
  for (const { type: member, bitOffset } of type.members) visit(member, base + Math.floor(bitOffset / 8), depth);
  return found;
}

/** Structures by type name, at most `PER_TYPE` of each. */
export function crawl(kernel: Kernel): ReadonlyMap<string, readonly Instance[]> {
  const found = new Map<string, Instance[]>();
  const seen = new Set<string>();
  const queue: Instance[] = [];
  const layouts = new Map<string, readonly PointerMember[]>();
  let total = 0;
  const meet = (name: string, address: bigint): void => {
    const key = `${name} ${address}`;
    const known = found.get(name) ?? [];
    if (seen.has(key) || known.length >= PER_TYPE || total >= MAX_INSTANCES || PASSED_OVER.test(name)) return;
    seen.add(key);
    const type = kernel.types.find("struct", name);
    if (type === undefined || type.kind !== "struct" || type.size === 0) return;
    const at = virtual(address);
    if (kernel.memory.tryBytes(at, Math.min(type.size, 4096)) === undefined) return;
    const instance: Instance = { type, name, address: at };
    found.set(name, [...known, instance]);
    queue.push(instance);
    total++;
  };
  meetRoots(kernel, meet);
  for (let instance = queue.shift(); instance !== undefined; instance = queue.shift()) {
    const { name, type, address } = instance;
    const members = layouts.get(name) ?? pointersOf(type).filter(({ target }) => target !== undefined && target !== "list_head");
    layouts.set(name, members);
    meetWithin(kernel, instance, meet);
    for (const { offset, target } of members) {
      const pointer = kernel.memory.tryU64(virtual(address + BigInt(offset)));
      if (pointer !== undefined && pointer >> 56n === 0xffn) meet(target as string, pointer);
    }
  }
  return found;
}

function meetRoots(kernel: Kernel, meet: (name: string, address: bigint) => void): void {
  for (const task of taskTable(kernel).tasks.slice(0, PER_TYPE)) meet("task_struct", task.address);
  for (const task of taskTable(kernel).tasks) if (task.mm !== 0n) meet("mm_struct", task.mm);
  for (const task of taskTable(kernel).tasks) {
    if (task.mm === 0n) continue;
    for (const vma of vmas(kernel, task.mm)) meet("vm_area_struct", vma.address);
  }
  // NODE_DATA() of every node is a pointer where there is more than one.
  const nodes = kernel.tryAddress("node_data");
  const node = nodes === undefined ? undefined : kernel.memory.tryU64(nodes);
  if (node !== undefined) meet("pglist_data", node);
  try {
    for (const { address } of irqDescriptors(kernel, [])) meet("irq_desc", address);
  } catch {
    // Not to be found in a kernel without data symbols.
  }
  for (const [symbol, type, list] of ROOTS) {
    const address = kernel.tryAddress(symbol);
    if (address === undefined) continue;
    if (list === undefined) meet(type, address);
    else meetList(kernel, address, type, list, meet);
  }
  for (const [symbol, type] of PER_CPU) {
    const address = kernel.tryAddress(symbol);
    if (address === undefined) continue;
    kernel.perCpuOffsets.forEach((offset, cpu) => {
      if (offset !== undefined) meet(type, kernel.perCpuAddress(address, cpu));
    });
  }
}

/** What lies in an instance, or on its lists. */
function meetWithin(kernel: Kernel, { name, type, address }: Instance, meet: (name: string, address: bigint) => void): void {
  for (const [owner, member, part] of PARTS) {
    const found = owner === name ? type.members.find((each) => each.name === member) : undefined;
    const struct = found === undefined ? undefined : kernel.types.find("struct", part);
    if (found === undefined || struct?.kind !== "struct" || struct.size === 0) continue;
    const count = Math.min(MAX_PARTS, Math.floor(sizeOf(found.type) / struct.size));
    for (let i = 0; i < count; i++) meet(part, address + BigInt(found.bitOffset / 8 + i * struct.size));
  }
  for (const [owner, head, element, link] of LISTS) {
    const found = owner === name ? type.members.find((each) => each.name === head) : undefined;
    if (found !== undefined) meetList(kernel, virtual(address + BigInt(found.bitOffset / 8)), element, link, meet);
  }
}

function meetList(kernel: Kernel, head: VirtualAddress, type: string, member: string, meet: (name: string, address: bigint) => void): void {
  const struct = kernel.types.find("struct", type);
  const found = struct?.kind === "struct" ? findMember(struct, member) : undefined;
  if (found === undefined) return;
  let node = kernel.memory.tryU64(head);
  for (let i = 0; i < MAX_LIST && node !== undefined && node !== head && node !== 0n; i++) {
    meet(type, BigInt.asUintN(64, node - BigInt(found.bitOffset / 8)));
    node = kernel.memory.tryU64(virtual(node));
  }
}
