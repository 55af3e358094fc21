/**
 * Network namespaces: struct net (include/net/net_namespace.h).
 *
 *   net_namespace_list ⇄ net.list ⇄ net.list …          init_net is the first; task.nsproxy->net_ns names a task's
 *
 * A kernel that lists functions only hides init_net and the list's head. init_task lives in init_net, and the head is the one member of
 * the circle that is no struct net: a net's loopback device names the net it belongs to.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { LookupError } from "../../bytes/errors.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { listNodes } from "../list.ts";
import { taskTable } from "../task.ts";
import { guardedWalk } from "./guarded.ts";

/** A host of containers has thousands. */
const MAX_NAMESPACES = 1 << 17;

/** A network namespace. */
export interface NetNamespace {
  /** struct net. */
  readonly address: VirtualAddress;
  /** Number of the namespace's inode, as in /proc/PID/ns/net; undefined where it cannot be read. */
  readonly inode: number | undefined;
  /** init_net. */
  readonly initial: boolean;
}

/** struct net of a task; undefined for one that has exited. @throws FaultError */
export function taskNamespace(kernel: Kernel, task: VirtualAddress): VirtualAddress | undefined {
  const proxy = kernel.types.struct("task_struct").field("nsproxy").pointer(task);
  if (proxy === 0n) return undefined;
  const net = kernel.types.struct("nsproxy").field("net_ns").pointer(proxy);
  return net === 0n ? undefined : net;
}

/** init_net. @throws LookupError when neither the symbol nor init_task leads there */
export function initialNamespace(kernel: Kernel): VirtualAddress {
  const found = kernel.memo(initialNamespace, () => {
    const symbol = kernel.tryAddress("init_net");
    if (symbol !== undefined) return symbol;
    for (const { idle, address } of taskTable(kernel).tasks) {
      const net = idle ? taskNamespace(kernel, address) : undefined;
      if (net !== undefined) return net;
    }
    return undefined;
  });
  if (found === undefined) throw new LookupError("no network namespace can be found: the symbol init_net is missing");
  return found;
}

/** All network namespaces, the initial one first. A broken list is told in `notes`, and the namespaces that tasks are in are added. */
export function netNamespaces(kernel: Kernel, notes: string[] = []): readonly NetNamespace[] {
  const known = kernel.memo(netNamespaces, () => {
    const own: string[] = [];
    return { namespaces: collect(kernel, own), notes: own };
  });
  notes.push(...known.notes);
  return known.namespaces;
}

function collect(kernel: Kernel, notes: string[]): readonly NetNamespace[] {
  const net = kernel.types.struct("net");
  const link = net.field("list");
  const initial = initialNamespace(kernel);
  const found = new Set<VirtualAddress>([initial]);
  const head = kernel.tryAddress("net_namespace_list");
  const walk = () => listNodes(kernel.memory, head ?? link.address(initial), { limit: MAX_NAMESPACES, checkBackLinks: false });
  for (const node of guardedWalk(notes, "the list of network namespaces", walk)) {
    const address = containerOf(node, link);
    if (head !== undefined || isNamespace(kernel, net, address)) found.add(address);
  }
  // A container's namespace that the list has lost is still a task's.
  if (notes.length > 0) {
    for (const { address } of taskTable(kernel).tasks) {
      for (const own of guardedWalk([], "", () => [taskNamespace(kernel, address)])) if (own !== undefined) found.add(own);
    }
  }
  const inode = net.firstField("ns.inum", "proc_inum");
  return [...found].map((address) => ({
    address,
    inode: inode === undefined ? undefined : kernel.memory.tryU32(inode.address(address)),
    initial: address === initial,
  }));
}

/** Its loopback device (every namespace has one) says that it is in this namespace. */
function isNamespace(kernel: Kernel, net: Struct, address: VirtualAddress): boolean {
  const loopback = kernel.memory.tryU64(net.field("loopback_dev").address(address));
  const owner = kernel.types.struct("net_device").firstField("nd_net.net", "nd_net");
  if (loopback === undefined || loopback === 0n || owner === undefined) return false;
  return kernel.memory.tryU64(owner.address(loopback as VirtualAddress)) === address;
}
