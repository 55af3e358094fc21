/**
 * Function calls that one CPU asked of another (kernel/smp.c), and irq work.
 *
 *   per-CPU call_single_queue: llist of __call_single_data { node { llist, u_flags, src, dst }, func, info }
 *       u_flags & 0xf0 tells what the node is in: 0x00, 0x10 a call; 0x20 struct irq_work; 0x30 task_struct.wake_entry   (5.8+, 4b44a21dd640)
 *       before, flags stood behind the list pointer and all nodes were calls
 *   per-CPU cfd_data: what this CPU asked of many; its per-CPU csd stays locked (u_flags & 1) until the other has run it
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { attempt, gather, part } from "./gather.ts";
import { llistNodes } from "./list.ts";

const MAX_CALLS = 1 << 16;
const LOCKED = 1;
const TYPE_MASK = 0xf0;
const IRQ_WORK = 0x20;
const WAKEUP = 0x30;

/** A function that another CPU asked this one to run. */
export interface PendingCall {
  readonly address: VirtualAddress;
  readonly kind: "call" | "irq work" | "wakeup";
  readonly function?: string;
  readonly info?: bigint;
  /** The CPU that asked; undefined where the kernel keeps no record (before 5.9, or without the debug option). */
  readonly from?: number;
  /** The task to be woken. */
  readonly task?: VirtualAddress;
}

/** Calls that a CPU was sent and has not run, oldest first; undefined when the queue cannot be located or read. */
export function pendingCalls(kernel: Kernel, cpu: number, notes: string[]): readonly PendingCall[] | undefined {
  const queue = kernel.tryAddress("call_single_queue");
  const struct = kernel.types.tryStruct("__call_single_data");
  if (queue === undefined || struct === undefined) return undefined;
  const where = `CPU ${cpu}, call_single_queue`;
  const { value: nodes, whole } = part(notes, (own) =>
    gather(llistNodes(kernel.memory, kernel.perCpuAddress(queue, cpu), { limit: MAX_CALLS }), own, where),
  );
  if (!whole && nodes.length === 0) return undefined;
  // New ones are put in front.
  return nodes.reverse().flatMap((node) => attempt(() => readCall(kernel, node), notes, `CPU ${cpu}, call ${node.toString(16)}`) ?? []);
}

function readCall(kernel: Kernel, node: VirtualAddress): PendingCall {
  const struct = kernel.types.struct("__call_single_data");
  const typed = struct.tryField("node.u_flags");
  const type = typed === undefined ? 0 : typed.number(node) & TYPE_MASK;
  if (type === WAKEUP) {
    const entry = kernel.types.struct("task_struct").tryField("wake_entry");
    return { address: node, kind: "wakeup", ...(entry === undefined ? {} : { task: containerOf(node, entry) }) };
  }
  if (type === IRQ_WORK) {
    const work = kernel.types.tryStruct("irq_work");
    const called = work?.tryField("func")?.pointer(containerOf(node, work.field("node")));
    return { address: node, kind: "irq work", ...(called === undefined ? {} : { function: kernel.symbolize(called) ?? "unknown" }) };
  }
  // A debug option (CSD_LOCK_WAIT_DEBUG) fills src and dst; all zero says nothing.
  const [from, to] = ["node.src", "node.dst"].map((path) => struct.tryField(path)?.number(node) ?? 0);
  return {
    address: node,
    kind: "call",
    function: kernel.symbolize(struct.field("func").pointer(node)) ?? "unknown",
    info: struct.field("info").bigint(node),
    ...(from === to ? {} : { from: from as number }),
  };
}

/** CPUs that have not yet run what this one asked of them, with the function. */
export function unansweredCalls(
  kernel: Kernel,
  cpu: number,
  cpus: readonly number[],
  notes: string[],
): readonly { readonly cpu: number; readonly function: string }[] {
  const data = kernel.tryAddress("cfd_data");
  const struct = kernel.types.tryStruct("call_function_data");
  const csd = kernel.types.tryStruct("__call_single_data");
  const flags = csd?.firstField("node.u_flags", "flags");
  // pcpu: struct cfd_percpu { csd … } in 5.12 to 6.1 (de7b09ef658d, 1139aeb1c521).
  const pointer = struct?.firstField("csd", "pcpu");
  if (data === undefined || csd === undefined || flags === undefined || pointer === undefined) return [];
  const where = `CPU ${cpu}, cfd_data`;
  const base = attempt(() => pointer.pointer(kernel.perCpuAddress(data, cpu)), notes, where) ?? 0n;
  if (base === 0n) return [];
  return cpus.flatMap((other) => {
    const call = attempt(() => kernel.perCpuAddress(virtual(base), other), notes, where);
    if (call === undefined || other === cpu || ((attempt(() => flags.number(call), notes, where) ?? 0) & LOCKED) === 0) return [];
    const called = attempt(() => csd.field("func").pointer(call), notes, where);
    return [{ cpu: other, function: called === undefined ? "unknown" : (kernel.symbolize(called) ?? "unknown") }];
  });
}

const SOFTIRQS = ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];

/**
 * Softirqs that were raised and have not run: irq_stat.__softirq_pending; on x86-64 pcpu_hot.softirq_pending in 6.2 to 6.14 (1a6109c5bb6b),
 * a per-CPU variable of its own since.
 */
export function pendingSoftirqs(kernel: Kernel, cpu: number): readonly string[] | undefined {
  const place = (symbol: string, type: string, member: string): VirtualAddress | undefined => {
    const at = kernel.tryAddress(symbol);
    const field = kernel.types.tryStruct(type)?.tryField(member);
    return at === undefined || field === undefined ? undefined : add(at, field.offset);
  };
  const at =
    place("pcpu_hot", "pcpu_hot", "softirq_pending") ??
    kernel.tryAddress("__softirq_pending") ??
    place("irq_stat", "irq_cpustat_t", "__softirq_pending");
  const word = at === undefined ? undefined : attempt(() => kernel.memory.u16(kernel.perCpuAddress(at, cpu)), [], "");
  return word === undefined ? undefined : SOFTIRQS.filter((_, bit) => ((word >> bit) & 1) === 1);
}
