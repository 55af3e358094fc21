/**
 * RCU (kernel/rcu/tree.h): the state of the grace period, and who has not yet let it end.
 *
 *   rcu_state (4.20+, 709fdce7545c; before rcu_sched_state, rcu_preempt_state, rcu_bh_state)
 *     └─ node[]  a tree; each leaf has CPUs grplo … grphi: qsmask has a bit for each that the grace period waits for, expmask for each that
 *                an expedited one waits for; blkd_tasks holds readers that were preempted, from *gp_tasks on those that hold it up
 *   per-CPU rcu_data ─► mynode, cblist (callbacks by when they may run: done, wait, next ready, next)
 *
 *   gp_seq (4.19+): the low two bits tell that one runs, the rest counts; before, gpnum and completed
 *
 * rcu_state lies around its root node, so it is found from any CPU's rcu_data where its symbol is not listed.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { attempt, gather, part } from "./gather.ts";
import { listNodes } from "./list.ts";

/** RCU_NUM_LVLS is at most 4; 8192 CPUs make 521 nodes. */
const MAX_LEVELS = 8;
const MAX_NODES = 4096;
const MAX_READERS = 1 << 16;
const SEQUENCE_BITS = 2n;

/** enum of kernel/rcu/tree.h since 4.20 (55b2dcf58700 added ONOFF). */
const STATES = [
  "idle",
  "wait for a request",
  "done waiting",
  "offlined CPUs",
  "init",
  "wait for quiescent states",
  "force quiescent states",
  "cleanup",
  "cleaned",
];

export interface RcuNode {
  readonly address: VirtualAddress;
  readonly level: number;
  readonly first: number;
  readonly last: number;
  /** CPUs (of a leaf) that the grace period, or an expedited one, waits for. */
  readonly waitsFor: readonly number[];
  readonly expeditedWaitsFor: readonly number[];
  /** Preempted readers; those that hold up the grace period are marked. */
  readonly readers: readonly { readonly task: VirtualAddress; readonly blocks: boolean; readonly blocksExpedited: boolean }[];
}

/** What a CPU has told RCU. */
export interface RcuCpu {
  readonly cpu: number;
  readonly address: VirtualAddress;
  /** The grace period that the CPU knows of. */
  readonly sequence: bigint | undefined;
  /** RCU waits for a quiescent state of this CPU and it has none yet. */
  readonly needsQuiescentState: boolean | undefined;
  /** Ticks that the CPU took in this grace period. */
  readonly ticks: number | undefined;
  /** Callbacks that wait, all of them and by segment: done, wait, next ready, next. */
  readonly callbacks: number | undefined;
  readonly segments: readonly number[] | undefined;
  /** False: idle or in user mode, so that RCU does not wait for it. Known since 6.0. */
  readonly watching: boolean | undefined;
}

export interface RcuFlavour {
  readonly name: string;
  readonly address: VirtualAddress;
  readonly sequence: bigint | undefined;
  /** Number of the grace period that runs, or of the last one. */
  readonly number: number | undefined;
  readonly inProgress: boolean | undefined;
  readonly state: string | undefined;
  readonly expeditedInProgress: boolean | undefined;
  readonly expeditedNumber: number | undefined;
  /** Jiffies. */
  readonly started: bigint | undefined;
  readonly activity: bigint | undefined;
  readonly stallAt: bigint | undefined;
  /** task_struct of the grace-period kthread. */
  readonly kthread: VirtualAddress | undefined;
  readonly leaves: readonly RcuNode[];
  /** False: a leaf could not be found or read, and who it waits for is not known. */
  readonly leavesWhole: boolean;
  readonly cpus: readonly RcuCpu[];
}

/** Symbols of the state and of the CPUs' data, newest first. */
const FLAVOURS = [
  ["rcu_state", "rcu_data"],
  ["rcu_preempt_state", "rcu_preempt_data"],
  ["rcu_sched_state", "rcu_sched_data"],
  ["rcu_bh_state", "rcu_bh_data"],
] as const;

/** Every flavour of the kernel. @throws LookupError when none can be located */
export function readRcu(kernel: Kernel, cpus: readonly number[], notes: string[]): readonly RcuFlavour[] {
  const data = kernel.types.tryStruct("rcu_data");
  const state = kernel.types.tryStruct("rcu_state");
  if (data === undefined || state === undefined)
    throw new LookupError("RCU cannot be read: struct rcu_data and struct rcu_state are not known (a kernel without SMP has Tiny RCU)");
  const found = FLAVOURS.flatMap(([name, perCpu]) => {
    const base = kernel.tryAddress(perCpu);
    return base === undefined ? [] : [readFlavour(kernel, name, base, { data, state }, cpus, notes)];
  });
  if (found.length === 0) throw kernel.unknownSymbol("rcu_data", []);
  return found;
}

interface Structs {
  readonly data: Struct;
  readonly state: Struct;
}

function readFlavour(
  kernel: Kernel,
  name: string,
  base: VirtualAddress,
  { data, state }: Structs,
  cpus: readonly number[],
  notes: string[],
): RcuFlavour {
  const mine = data.field("mynode");
  const leafNodes = new Set<bigint>();
  let missing = false;
  for (const cpu of cpus) {
    const node = attempt(() => mine.pointer(kernel.perCpuAddress(base, cpu)), notes, `CPU ${cpu}, rcu_data.mynode`);
    if (node !== undefined && node !== 0n) leafNodes.add(node);
    else missing = true;
  }
  const address = kernel.tryAddress(name) ?? aroundRoot(kernel, state, [...leafNodes][0]);
  const read = <T>(path: string, get: (field: Field, at: VirtualAddress) => T) => {
    const field = state.tryField(path);
    return field === undefined ? undefined : attempt(() => get(field, address), notes, `${name}.${path}`);
  };
  const word = (path: string) => read(path, (field, at) => BigInt.asUintN(64, field.bigint(at)));
  const sequence = word("gp_seq");
  const [number, completed] = [word("gpnum"), word("completed")];
  const expedited = word("expedited_sequence");
  const kthread = read("gp_kthread", (field, at) => field.pointer(at)) ?? 0n;
  const stateNumber = read("gp_state", (field, at) => field.number(at));
  const text = read("name", (field, at) => kernel.memory.cString(field.pointer(at), 32));
  return {
    name: text === undefined || text === "" ? name : text,
    address,
    sequence: sequence ?? number,
    number:
      sequence !== undefined
        ? Number(sequence >> SEQUENCE_BITS) + ((sequence & 3n) === 0n ? 0 : 1)
        : number === undefined
          ? undefined
          : Number(number),
    inProgress: sequence !== undefined ? (sequence & 3n) !== 0n : number === undefined ? undefined : number !== completed,
    state: stateNumber === undefined || sequence === undefined ? undefined : (STATES[stateNumber] ?? `state ${stateNumber}`),
    expeditedInProgress: expedited === undefined ? undefined : (expedited & 3n) !== 0n,
    expeditedNumber: expedited === undefined ? undefined : Number(expedited >> SEQUENCE_BITS),
    started: word("gp_start"),
    activity: word("gp_activity"),
    stallAt: word("jiffies_stall"),
    kthread: kthread === 0n ? undefined : virtual(kthread),
    ...leaves(kernel, [...(missing ? leavesOfTree(kernel, state, address, notes) : leafNodes)], cpus, notes),
    cpus: cpus.flatMap(
      (cpu) => attempt(() => readCpu(kernel, data, kernel.perCpuAddress(base, cpu), cpu), notes, `CPU ${cpu}, rcu_data`) ?? [],
    ),
  };
}

/** The root is rcu_state.node[0]. */
function aroundRoot(kernel: Kernel, state: Struct, leaf: bigint | undefined): VirtualAddress {
  const parent = kernel.types.struct("rcu_node").field("parent");
  let node = leaf;
  for (let level = 0; node !== undefined && level < MAX_LEVELS; level++) {
    const above: bigint = parent.pointer(virtual(node));
    if (above === 0n) return virtual(add(virtual(node), -state.field("node").offset));
    node = above;
  }
  throw new LookupError("rcu_state cannot be located: its tree of nodes has no root");
}

function leaves(
  kernel: Kernel,
  nodes: readonly bigint[],
  cpus: readonly number[],
  notes: string[],
): Pick<RcuFlavour, "leaves" | "leavesWhole"> {
  const { value, whole } = part(notes, (own) => nodes.map((node) => readNode(kernel, virtual(node), own)));
  const covered = cpus.every((cpu) => value.some(({ first, last }) => first <= cpu && cpu <= last));
  return { leaves: value, leavesWhole: whole && covered };
}

/**
 * Leaves where a CPU's rcu_data cannot be read: nodes of rcu_state.node[] that no other names as its parent. Behind the last node the
 * array may have room to spare (it is as long as NR_CPUS may want): such a one has no parent, as only the root may.
 */
function leavesOfTree(kernel: Kernel, state: Struct, address: VirtualAddress, notes: string[]): Set<bigint> {
  const node = kernel.types.struct("rcu_node");
  const array = state.field("node");
  const parent = node.field("parent");
  const found = new Map<bigint, bigint>();
  for (let i = 0; i < Math.min(MAX_NODES, Math.floor(array.size / node.size)); i++) {
    const at = add(array.address(address), i * node.size);
    const above = attempt(() => parent.pointer(at), notes, `rcu_node ${at.toString(16)}`);
    if (above !== undefined && (i === 0 || above !== 0n)) found.set(at, above);
  }
  const parents = new Set(found.values());
  return new Set([...found.keys()].filter((at) => !parents.has(at)));
}

function readNode(kernel: Kernel, address: VirtualAddress, notes: string[]): RcuNode {
  const struct = kernel.types.struct("rcu_node");
  const where = `rcu_node ${address.toString(16)}`;
  const number = (path: string) => attempt(() => struct.tryField(path)?.number(address), notes, where) ?? 0;
  const first = number("grplo");
  const bits = (path: string) => {
    const mask = attempt(() => struct.tryField(path)?.bigint(address), notes, where) ?? 0n;
    return Array.from({ length: 64 }, (_, bit) => bit)
      .filter((bit) => ((mask >> BigInt(bit)) & 1n) === 1n)
      .map((bit) => first + bit);
  };
  return {
    address,
    level: number("level"),
    first,
    last: number("grphi"),
    waitsFor: bits("qsmask"),
    expeditedWaitsFor: bits("expmask"),
    readers: readers(kernel, struct, address, notes),
  };
}

/** New readers are put in front of those that hold up the grace period, which reach from *gp_tasks to the end of the list. */
function readers(kernel: Kernel, struct: Struct, node: VirtualAddress, notes: string[]): RcuNode["readers"] {
  const head = struct.tryField("blkd_tasks");
  const entry = kernel.types.struct("task_struct").tryField("rcu_node_entry");
  if (head === undefined || entry === undefined) return [];
  const where = `rcu_node ${node.toString(16)}, blkd_tasks`;
  const pointer = (path: string) => attempt(() => struct.tryField(path)?.pointer(node), notes, where) ?? 0n;
  const [normal, expedited] = [pointer("gp_tasks"), pointer("exp_tasks")];
  let [blocks, blocksExpedited] = [false, false];
  return gather(listNodes(kernel.memory, head.address(node), { limit: MAX_READERS }), notes, where).map((link) => {
    blocks ||= link === normal;
    blocksExpedited ||= link === expedited;
    return { task: containerOf(link, entry), blocks, blocksExpedited };
  });
}

function readCpu(kernel: Kernel, data: Struct, address: VirtualAddress, cpu: number): RcuCpu {
  const sequence = data.firstField("gp_seq", "gpnum")?.bigint(address);
  // 4.19+; union rcu_noqs since 4.4, before passed_quiesce and qs_pending.
  const noQuiescent = data.firstField("cpu_no_qs.b.norm")?.number(address);
  const needed = data.firstField("core_needs_qs", "qs_pending")?.number(address);
  const length = data.firstField("cblist.len.counter", "cblist.len", "qlen");
  const segments = data.tryField("cblist.seglen");
  return {
    cpu,
    address,
    sequence: sequence === undefined ? undefined : BigInt.asUintN(64, sequence),
    needsQuiescentState: needed === undefined ? undefined : needed !== 0 && noQuiescent !== 0,
    ticks: data.tryField("ticks_this_gp")?.number(address),
    callbacks: length?.number(address),
    segments:
      segments === undefined
        ? undefined
        : Array.from({ length: Math.min(8, segments.size / 8) }, (_, i) =>
            Number(kernel.memory.s64(add(address, segments.offset + i * 8))),
          ),
    watching: watching(kernel, cpu),
  };
}

/** context_tracking.state: above the contexts stands RCU's counter, odd while RCU watches (6.0+, 171476775d32). */
function watching(kernel: Kernel, cpu: number): boolean | undefined {
  const base = kernel.tryAddress("context_tracking");
  const state = kernel.types.tryStruct("context_tracking")?.tryField("state");
  // CT_RCU_WATCHING is CT_STATE_MAX since 6.12 (e1de438336de), CONTEXT_MAX before; CT_UNUSED bits came with 6.12.
  const bit = kernel.types.constant("CT_RCU_WATCHING") ?? kernel.types.constant("CT_STATE_MAX") ?? kernel.types.constant("CONTEXT_MAX");
  if (base === undefined || state === undefined || bit === undefined || bit <= 0n) return undefined;
  return (BigInt(kernel.memory.u32(state.address(kernel.perCpuAddress(base, cpu)))) & bit) !== 0n;
}
