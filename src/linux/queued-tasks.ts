/**
 * What waits on a CPU's run queue (kernel/sched/), class by class.
 *
 *   struct rq ─┬─ dl.root            rbtree of sched_dl_entity (task_struct.dl); servers for other classes (6.8+: fair_server,
 *              │                     ext_server) stand in it too and are no tasks
 *              ├─ rt.active.queue[]  a list a priority: sched_rt_entity.run_list; my_q leads into a group (CONFIG_RT_GROUP_SCHED)
 *              ├─ cfs.tasks_timeline rbtree of sched_entity.run_node (rb_root until 4.13, rb_root_cached then: cd9e61ed1eeb); the tree of
 *              │                     EEVDF (6.6, 147f3efaa241) is the same tree; the running entity is not in it; my_q leads into a group
 *              └─ scx.runnable_list  sched_ext_entity.runnable_node (6.12+, CONFIG_SCHED_CLASS_EXT)
 *
 * EEVDF keeps a task that went to sleep early in the tree (6.12, sched_delayed, 152e11f6df29): it is queued and does not want to run.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { virtual } from "../bytes/address.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { addNote, attempt, gather } from "./gather.ts";
import { listNodes } from "./list.ts";
import { rbtreeNodes } from "./rbtree.ts";
import { childGroups, groupQueue, MAX_GROUP_DEPTH, taskGroupName } from "./task-groups.ts";

/** Tasks on one run queue; pid_max ends at 2^22. */
const MAX_QUEUED = 1 << 22;

export interface QueuedTask {
  readonly task: VirtualAddress;
  /** task_struct.prio; undefined when it cannot be read. */
  readonly priority: number | undefined;
  /** It runs: it stands beside its tree. */
  readonly current?: true;
  /** It sleeps already, EEVDF has not taken it off the queue yet. */
  readonly delayed?: true;
}

/** A group that stands in its parent's queue, or whose tasks wait because it used up its share (throttled). */
export interface QueuedGroup {
  readonly group: VirtualAddress | undefined;
  /** struct cfs_rq or rt_rq. */
  readonly queue: VirtualAddress;
  readonly name: string | undefined;
  readonly throttled: boolean;
  /** Of realtime groups: the highest of its tasks. */
  readonly priority?: number;
  readonly entries: readonly QueueEntry[];
}

export type QueueEntry = QueuedTask | QueuedGroup;

export const isGroup = (entry: QueueEntry): entry is QueuedGroup => "entries" in entry;

/** Structures of the classes, resolved once. */
interface Layout {
  readonly task: Struct;
  readonly prio: Field | undefined;
  readonly runNode: Field | undefined;
  readonly myQueue: Field | undefined;
  readonly delayed: Field | undefined;
  readonly timeline: Field | undefined;
  readonly curr: Field | undefined;
  readonly throttled: Field | undefined;
  readonly queueGroup: Field | undefined;
}

function layoutOf(kernel: Kernel): Layout {
  return kernel.memo(layoutOf, () => {
    const entity = kernel.types.tryStruct("sched_entity");
    const queue = kernel.types.tryStruct("cfs_rq");
    const task = kernel.types.struct("task_struct");
    return {
      task,
      prio: task.tryField("prio"),
      runNode: entity?.tryField("run_node"),
      myQueue: entity?.tryField("my_q"),
      delayed: entity?.tryField("sched_delayed"),
      timeline: queue?.tryField("tasks_timeline"),
      curr: queue?.tryField("curr"),
      throttled: queue?.tryField("throttled"),
      queueGroup: queue?.tryField("tg"),
    };
  });
}

/** Reads the queues of one CPU, guarding against circles through groups. */
export class QueueReader {
  readonly notes: string[];
  readonly #kernel: Kernel;
  readonly #layout: Layout;
  readonly #cpu: number;
  readonly #seen = new Set<bigint>();

  constructor(kernel: Kernel, cpu: number, notes: string[]) {
    this.#kernel = kernel;
    this.#cpu = cpu;
    this.#layout = layoutOf(kernel);
    this.notes = notes;
  }

  /**
   * Entries of a struct cfs_rq in the order of its tree, the running one first.
   * @param throttledToo also the groups that stand in no queue because they are throttled
   */
  fair(queue: VirtualAddress, throttledToo: boolean, depth = 0): QueueEntry[] {
    const { timeline, runNode, curr, queueGroup } = this.#layout;
    if (timeline === undefined || runNode === undefined || !this.#enter(queue, depth)) return [];
    const where = `CPU ${this.#cpu}, cfs_rq ${queue.toString(16)}`;
    const running = attempt(() => curr?.pointer(queue), this.notes, where) ?? 0n;
    const nodes = gather(rbtreeNodes(this.#kernel.memory, timeline.address(queue), MAX_QUEUED), this.notes, where);
    const entries: QueueEntry[] = [];
    if (running !== 0n) entries.push(...this.#fairEntity(virtual(running), true, throttledToo, depth));
    for (const node of nodes) {
      const entity = containerOf(node, runNode);
      if (entity !== running) entries.push(...this.#fairEntity(entity, false, throttledToo, depth));
    }
    const group = throttledToo ? (attempt(() => queueGroup?.pointer(queue), this.notes, where) ?? 0n) : 0n;
    if (group !== 0n) entries.push(...this.#throttledBelow(virtual(group), depth));
    return entries;
  }

  #enter(queue: VirtualAddress, depth: number): boolean {
    if (this.#seen.has(queue) || depth > MAX_GROUP_DEPTH) {
      addNote(this.notes, `CPU ${this.#cpu}: queue ${queue.toString(16)} is reached twice: groups run in a circle`);
      return false;
    }
    this.#seen.add(queue);
    return true;
  }

  #fairEntity(entity: VirtualAddress, current: boolean, throttledToo: boolean, depth: number): QueueEntry[] {
    const { myQueue, delayed, task } = this.#layout;
    const where = `CPU ${this.#cpu}, sched_entity ${entity.toString(16)}`;
    const own = attempt(() => myQueue?.pointer(entity) ?? 0n, this.notes, where);
    if (own === undefined) return [];
    if (own !== 0n) return [this.#group(virtual(own), throttledToo, depth)];
    const sleeping = attempt(() => delayed?.number(entity) ?? 0, this.notes, where) === 1;
    return [this.#task(containerOf(entity, task.field("se")), current, sleeping)];
  }

  #group(queue: VirtualAddress, throttledToo: boolean, depth: number): QueuedGroup {
    const { queueGroup, throttled } = this.#layout;
    const where = `CPU ${this.#cpu}, cfs_rq ${queue.toString(16)}`;
    const group = attempt(() => queueGroup?.pointer(queue), this.notes, where);
    const isThrottled = attempt(() => throttled?.number(queue) ?? 0, this.notes, where) ?? 0;
    return {
      group,
      queue,
      name: group === undefined ? undefined : taskGroupName(this.#kernel, group),
      throttled: isThrottled !== 0,
      entries: this.fair(queue, throttledToo, depth + 1),
    };
  }

  /** Throttled groups among the children that no queue held. */
  #throttledBelow(group: VirtualAddress, depth: number): QueueEntry[] {
    const { throttled } = this.#layout;
    if (throttled === undefined) return [];
    return childGroups(this.#kernel, group, this.notes).flatMap((child) => {
      const queue = attempt(() => groupQueue(this.#kernel, child, this.#cpu), this.notes, `task group ${child.toString(16)}`);
      if (queue === undefined || this.#seen.has(queue)) return [];
      const is = attempt(() => throttled.number(queue) !== 0, this.notes, `task group ${child.toString(16)}`);
      return is === true ? [this.#group(queue, true, depth)] : [];
    });
  }

  #task(task: VirtualAddress, current: boolean, delayed = false): QueuedTask {
    return {
      task,
      priority: attempt(() => this.#layout.prio?.number(task), this.notes, `CPU ${this.#cpu}, task ${task.toString(16)}`),
      ...(current ? { current: true } : {}),
      ...(delayed ? { delayed: true } : {}),
    };
  }

  /** Entries of a struct rt_rq, highest priority first. */
  realtime(queue: VirtualAddress, depth = 0): QueueEntry[] {
    const { types, memory } = this.#kernel;
    const lists = types.tryStruct("rt_rq")?.tryField("active.queue");
    const runList = types.tryStruct("sched_rt_entity")?.tryField("run_list");
    if (lists === undefined || runList === undefined || !this.#enter(queue, depth)) return [];
    const entries: QueueEntry[] = [];
    const unread: { readonly level: number; readonly head: VirtualAddress }[] = [];
    const place = `CPU ${this.#cpu}, rt_rq ${queue.toString(16)}`;
    for (let level = 0; level < Math.floor(lists.size / 16); level++) {
      const head = virtual(lists.address(queue) + BigInt(level * 16));
      const where = `${place}, priority ${level}`;
      const first = memory.tryU64(head);
      if (first === undefined) unread.push({ level, head });
      if (first === undefined || first === head) continue;
      for (const node of gather(listNodes(memory, head, { limit: MAX_QUEUED }), this.notes, where)) {
        entries.push(this.#realtimeEntity(containerOf(node, runList), level, depth));
      }
    }
    // The array lies in one page or two: one line for all of its lists.
    const [lost, last] = [unread[0], unread.at(-1)];
    if (lost !== undefined) attempt(() => memory.u64(lost.head), this.notes, `${place}, priorities ${lost.level} to ${last?.level}`);
    return entries;
  }

  #realtimeEntity(entity: VirtualAddress, level: number, depth: number): QueueEntry {
    const struct = this.#kernel.types.tryStruct("sched_rt_entity");
    const where = `CPU ${this.#cpu}, sched_rt_entity ${entity.toString(16)}`;
    const own = attempt(() => struct?.tryField("my_q")?.pointer(entity) ?? 0n, this.notes, where) ?? 0n;
    if (own === 0n) return this.#task(containerOf(entity, this.#layout.task.field("rt")), false);
    const queue = virtual(own);
    const rtQueue = this.#kernel.types.tryStruct("rt_rq");
    const group = attempt(() => rtQueue?.tryField("tg")?.pointer(queue), this.notes, where);
    return {
      group,
      queue,
      name: group === undefined ? undefined : taskGroupName(this.#kernel, group),
      throttled: attempt(() => (rtQueue?.tryField("rt_throttled")?.number(queue) ?? 0) !== 0, this.notes, where) ?? false,
      priority: level,
      entries: this.realtime(queue, depth + 1),
    };
  }

  /** Tasks of a struct dl_rq, earliest deadline first; the addresses in `servers` are no tasks. */
  deadline(queue: VirtualAddress, servers: ReadonlySet<bigint>): QueuedTask[] {
    const { types, memory } = this.#kernel;
    const root = types.tryStruct("dl_rq")?.firstField("root", "rb_root");
    const node = types.tryStruct("sched_dl_entity")?.tryField("rb_node");
    const member = this.#layout.task.tryField("dl");
    if (root === undefined || node === undefined || member === undefined) return [];
    const nodes = gather(rbtreeNodes(memory, root.address(queue), MAX_QUEUED), this.notes, `CPU ${this.#cpu}, dl_rq ${queue.toString(16)}`);
    return nodes
      .map((each) => containerOf(each, node))
      .filter((entity) => !servers.has(entity))
      .map((entity) => this.#task(containerOf(entity, member), false));
  }

  /** Tasks on a struct scx_rq's list of runnable ones. */
  extensible(queue: VirtualAddress): QueuedTask[] {
    const list = this.#kernel.types.tryStruct("scx_rq")?.tryField("runnable_list");
    const member = this.#layout.task.tryField("scx.runnable_node");
    if (list === undefined || member === undefined) return [];
    const where = `CPU ${this.#cpu}, scx_rq ${queue.toString(16)}`;
    const nodes = gather(listNodes(this.#kernel.memory, list.address(queue), { limit: MAX_QUEUED }), this.notes, where);
    return nodes.map((node) => this.#task(containerOf(node, member), false));
  }

  /** Tasks with a cookie that wait for their core (rq.core_tree, CONFIG_SCHED_CORE 5.14+). */
  cookies(rq: VirtualAddress): QueuedTask[] {
    const tree = this.#kernel.types.tryStruct("rq")?.tryField("core_tree");
    const member = this.#layout.task.tryField("core_node");
    if (tree === undefined || member === undefined) return [];
    const nodes = gather(rbtreeNodes(this.#kernel.memory, tree.address(rq), MAX_QUEUED), this.notes, `CPU ${this.#cpu}, core_tree`);
    return nodes.map((node) => this.#task(containerOf(node, member), false));
  }
}
