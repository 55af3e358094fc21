/**
 * Live pointers and numbers of what tasks are queued on and found by: pid tables, run queues, wait lists, maple trees of memory maps.
 *
 *   init_pid_ns.idr ─► xa_node.slots[] ─► pid.tasks[0] ─► task_struct.pid_links[0]
 *   runqueues[cpu].curr, .idle, .stop; leaf_cfs_rq_list; task.se.cfs_rq
 *   kswapd_wait, wait_chldexit ⇄ wait_queue_entry; worker_pool.workers ⇄ worker
 *   mm.mm_mt ─► maple_node.slot[] ─► vm_area_struct; its pivots are the maps' ends
 */
import { add, type VirtualAddress, virtual } from "../../../src/bytes/address.ts";
import { InquestError } from "../../../src/bytes/errors.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import type { Site, Sites } from "./sites.ts";

/** Names of their groups begin with it. */
export const QUEUES = "queue: ";

const MOST = 400;

/** Adds what this kernel has of them. */
export function collectQueues(kernel: Kernel, sites: Sites): void {
  for (const collect of [pidTable, pidLinks, runQueues, waitLists, workers, memoryMaps]) {
    try {
      collect(kernel, sites);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
}

/** A word that is an element of an array, or has other names: what Sites.add() cannot find by its path. */
function put(kernel: Kernel, sites: Sites, site: Omit<Site, "value">): void {
  const value = kernel.memory.tryU64(site.address);
  if (value === undefined || (site.kind !== "number" && !kernel.arch.isKernelAddress(virtual(value)))) return;
  sites.put({ ...site, value });
}

/** idr_rt of the first pid namespace: an xarray whose nodes have 64 slots each (include/linux/xarray.h). */
function pidTable(kernel: Kernel, sites: Sites): void {
  const root = kernel.types.struct("pid_namespace").field("idr.idr_rt.xa_head").pointer(kernel.address("init_pid_ns"));
  const node = kernel.types.struct("xa_node");
  const slots = node.field("slots");
  const shift = node.field("shift");
  const queue = [root];
  for (let i = 0; i < queue.length && i < MOST; i++) {
    const entry = queue[i] as bigint;
    // xa_is_node() of lib/xarray.c.
    if ((entry & 3n) !== 2n || entry < 4096n) continue;
    const object = virtual(entry & ~3n);
    const isLeaf = shift.number(object) === 0;
    if (queue.length > 1) {
      sites.add("tree", `${QUEUES}pid table`, "xa_node", "array", object);
      sites.add("tree", `${QUEUES}pid table`, "xa_node", "parent", object);
    }
    for (let n = 0; n * 8 < slots.size; n++) {
      const address = add(object, slots.offset + n * 8);
      const value = kernel.memory.u64(address);
      if (value === 0n) continue;
      if (!isLeaf) queue.push(virtual(value));
      put(kernel, sites, { group: `${QUEUES}pid table`, kind: "pointer", type: "xa_node", member: "slots", object, address });
    }
  }
}

/** struct hlist_head tasks[PIDTYPE_MAX] of a pid, struct hlist_node pid_links[PIDTYPE_MAX] of a task; the first of both is PIDTYPE_PID. */
function pidLinks(kernel: Kernel, sites: Sites): void {
  const task = kernel.types.struct("task_struct");
  const tasks = kernel.types.struct("pid").field("tasks");
  const links = task.field("pid_links");
  for (const object of sites.tasks) {
    const pid = task.field("thread_pid").pointer(object);
    const group = `${QUEUES}pid links`;
    put(kernel, sites, { group, kind: "hlist", type: "pid", member: "tasks", object: pid, address: add(pid, tasks.offset) });
    const address = add(object, links.offset + 8);
    put(kernel, sites, { group, kind: "hlist", type: "task_struct", member: "pid_links", object, address });
  }
}

function runQueues(kernel: Kernel, sites: Sites): void {
  const queues = kernel.address("runqueues");
  const leaf = kernel.types.tryStruct("rq")?.tryField("leaf_cfs_rq_list");
  for (const [cpu, offset] of kernel.perCpuOffsets.entries()) {
    if (offset === undefined) continue;
    const rq = kernel.perCpuAddress(queues, cpu);
    for (const member of ["curr", "idle", "stop"]) sites.add("pointer", `${QUEUES}rq.${member}`, "rq", member, rq);
    if (leaf === undefined) continue;
    for (const group of sites.ring(leaf.address(rq), "cfs_rq", "leaf_cfs_rq_list"))
      sites.list(`${QUEUES}leaf cfs_rqs`, "cfs_rq", "leaf_cfs_rq_list", group);
  }
  const entity = kernel.types.struct("task_struct").field("se.cfs_rq");
  for (const object of sites.tasks) {
    const address = entity.address(object);
    const site = { group: `${QUEUES}se.cfs_rq`, kind: "pointer", type: "task_struct", member: "se.cfs_rq", object, address } as const;
    put(kernel, sites, { ...site, also: ["sched_entity.cfs_rq"] });
  }
}

/** Heads that every kernel has, with those who wait there: kswapd, kcompactd, parents in wait(). */
function waitLists(kernel: Kernel, sites: Sites): void {
  const data = kernel.tryAddress("node_data");
  const node = data === undefined ? kernel.address("contig_page_data") : virtual(kernel.memory.u64(data));
  const of = (type: string, member: string, object: VirtualAddress): void => {
    const head = kernel.types.struct(type).tryField(`${member}.head`);
    if (head === undefined || kernel.memory.tryU64(head.address(object)) === head.address(object)) return;
    sites.list(`${QUEUES}wait heads`, type, `${member}.head`, object);
    for (const entry of sites.ring(head.address(object), "wait_queue_entry", "entry")) {
      sites.list(`${QUEUES}waiters`, "wait_queue_entry", "entry", entry);
      sites.add("ops", `${QUEUES}wake functions`, "wait_queue_entry", "func", entry);
    }
  };
  for (const member of ["kswapd_wait", "kcompactd_wait"]) of("pglist_data", member, node);
  const signal = kernel.types.struct("task_struct").field("signal");
  for (const task of sites.tasks) of("signal_struct", "wait_chldexit", signal.pointer(task));
}

/** The two pools of each CPU (kernel/workqueue.c, NR_STD_WORKER_POOLS), and their workers. */
function workers(kernel: Kernel, sites: Sites): void {
  const pools = kernel.address("cpu_worker_pools");
  const pool = kernel.types.struct("worker_pool");
  for (const [cpu, offset] of kernel.perCpuOffsets.entries()) {
    if (offset === undefined) continue;
    for (let n = 0; n < 2; n++) {
      const object = add(kernel.perCpuAddress(pools, cpu), n * pool.size);
      for (const worker of sites.ring(pool.field("workers").address(object), "worker", "node")) {
        sites.list(`${QUEUES}workers`, "worker", "node", worker);
        for (const member of ["task", "pool"]) sites.add("pointer", `${QUEUES}worker.${member}`, "worker", member, worker);
      }
    }
  }
}

/** Encoded nodes: bits 3 to 6 are the type, the low 8 bits no part of the address (lib/maple_tree.c). */
const LEAF = 1n;
const ARANGE = 3n;
const LAST = (1n << 64n) - 1n;

interface Shape {
  readonly pivots: number;
  readonly pivotAt: number;
  readonly slotAt: number;
  readonly name: string;
  readonly union: string;
}

function shapeOf(kernel: Kernel, name: string, union: string): Shape {
  const struct = kernel.types.struct(name);
  return {
    pivots: struct.field("pivot").size / 8,
    pivotAt: struct.field("pivot").offset,
    slotAt: struct.field("slot").offset,
    name,
    union,
  };
}

function memoryMaps(kernel: Kernel, sites: Sites): void {
  const task = kernel.types.struct("task_struct");
  const root = kernel.types.struct("mm_struct").field("mm_mt.ma_root");
  const [range, arange] = [shapeOf(kernel, "maple_range_64", "mr64"), shapeOf(kernel, "maple_arange_64", "ma64")];
  const maps = new Set(sites.tasks.map((each) => task.field("mm").pointer(each)).filter((mm) => mm !== 0n));
  for (const mm of [...maps].slice(0, 40)) {
    const entry = root.pointer(mm);
    if ((entry & 3n) !== 2n || entry < 4096n) continue;
    const queue: (readonly [entry: bigint, max: bigint])[] = [[entry, LAST]];
    for (let i = 0; i < queue.length && i < MOST; i++) {
      const [node, max] = queue[i] as readonly [bigint, bigint];
      const kind = (node >> 3n) & 15n;
      const shape = kind === ARANGE ? arange : range;
      queue.push(...nodeSites(kernel, sites, virtual(node & ~0xffn), shape, kind === LEAF, max));
    }
  }
}

/** Sites of a node; its children with the last index of each. */
function nodeSites(
  kernel: Kernel,
  sites: Sites,
  object: VirtualAddress,
  shape: Shape,
  isLeaf: boolean,
  max: bigint,
): (readonly [bigint, bigint])[] {
  const below: (readonly [bigint, bigint])[] = [];
  const names = (member: string) => ({ type: "maple_node", member: `${shape.union}.${member}`, also: [`${shape.name}.${member}`] });
  for (let n = 0; n <= shape.pivots; n++) {
    const pivot = n < shape.pivots ? kernel.memory.u64(add(object, shape.pivotAt + n * 8)) : 0n;
    const isLast = n === shape.pivots || (pivot === 0n && n > 0) || pivot === max;
    const address = add(object, shape.slotAt + n * 8);
    const value = kernel.memory.u64(address);
    const slot = { ...names("slot"), object, address };
    if (value !== 0n && isLeaf) {
      put(kernel, sites, { ...slot, group: `${QUEUES}maple leaves`, kind: "pointer", also: [...slot.also, "maple_node.slot"] });
      // What a map's end is, its own vm_end says too.
      const at = add(object, shape.pivotAt + n * 8);
      if (!isLast) put(kernel, sites, { ...names("pivot"), group: `${QUEUES}maple pivots`, kind: "number", object, address: at });
    } else if (value !== 0n) {
      put(kernel, sites, { ...slot, group: `${QUEUES}maple branches`, kind: "tree", also: [...slot.also, "maple_node.slot"] });
      below.push([value, isLast ? max : pivot]);
    }
    if (isLast) break;
  }
  return below;
}
