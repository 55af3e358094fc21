/**
 * Lists with a head of their own, and trees, that every kernel has: modules, slab caches, workqueues, vmalloc areas, devices, sysfs.
 * kernel/module/main.c, mm/slab_common.c, kernel/workqueue.c, mm/vmalloc.c, net/core/dev.c, fs/kernfs/dir.c, drivers/base/core.c …
 *
 *   symbol ⇄ container.member ⇄ …
 */
import { add, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { netNamespaces } from "../../../linux/net/namespace.ts";
import { slabCachesHead, workqueuesHead } from "../heads.ts";
import { pointerOf, wordAt } from "../look.ts";
import type { Survey } from "../survey.ts";

/** Symbol of the head, type and member of the nodes. What a kernel does not have is passed over. */
const LISTS: readonly (readonly [symbol: string, type: string, member: string, name: string])[] = [
  ["modules", "module", "list", "the list of modules"],
  // Since 6.9 (d093602919ad) areas hang in the trees of vmap_nodes.
  ["vmap_area_list", "vmap_area", "list", "the list of vmalloc areas"],
  ["net_namespace_list", "net", "list", "the list of network namespaces"],
  ["bdi_list", "backing_dev_info", "bdi_list", "the list of backing devices"],
  ["pci_root_buses", "pci_bus", "node", "the list of PCI buses"],
  ["cgroup_roots", "cgroup_root", "root_list", "the list of cgroup hierarchies"],
  ["clocksource_list", "clocksource", "list", "the list of clock sources"],
  ["clockevent_devices", "clock_event_device", "list", "the list of clock event devices"],
  ["tty_drivers", "tty_driver", "tty_drivers", "the list of tty drivers"],
  ["proto_list", "proto", "node", "the list of protocols"],
  ["crypto_alg_list", "crypto_alg", "cra_list", "the list of crypto algorithms"],
  ["ptype_all", "packet_type", "list", "the taps of all packets"],
  ["pernet_list", "pernet_operations", "list", "the list of pernet operations"],
  ["bpf_kallsyms", "bpf_ksym", "lnode", "the list of BPF symbols"],
  ["ftrace_events", "trace_event_call", "list", "the list of trace events"],
  ["kprobe_blacklist", "kprobe_blacklist_entry", "list", "the list of forbidden kprobes"],
  ["css_set_links", "css_set", "mg_node", ""],
  ["shrinker_list", "shrinker", "list", "the list of shrinkers"],
  ["rdma_nets", "rdma_net", "list", ""],
  ["misc_list", "miscdevice", "list", "the list of misc devices"],
  ["input_dev_list", "input_dev", "node", "the list of input devices"],
  ["rtc_list", "rtc_device", "list", ""],
  ["elv_list", "elevator_type", "list", "the list of I/O schedulers"],
  ["all_q_list", "request_queue", "all_q_node", "the list of request queues"],
  ["net_todo_list", "net_device", "todo_list", "network devices that go away"],
  ["tcp_cong_list", "tcp_congestion_ops", "list", "the list of congestion controls"],
  ["key_user_list", "key_user", "node", ""],
  ["dpm_list", "device", "power.entry", "the list of devices by power"],
  ["deferred_probe_pending_list", "device_private", "deferred_probe", "devices that wait for a driver"],
];

/** Objects of a kernfs that are looked at. */
const MAX_NODES = 20_000;
const DIRECTORY = 1;
const TYPE_MASK = 15;

export function surveyKernelLists(survey: Survey): void {
  const { kernel } = survey;
  for (const [symbol, type, member, name] of LISTS) {
    const address = name === "" ? undefined : kernel.tryAddress(symbol);
    if (address !== undefined) survey.quietly(() => survey.ring(name, { address, symbol }, type, member));
  }
  const caches = slabCachesHead(kernel);
  if (caches !== undefined) survey.ring("the list of slab caches", { address: caches, symbol: "slab_caches" }, "kmem_cache", "list");
  const queues = workqueuesHead(kernel);
  if (queues !== undefined) survey.ring("the list of workqueues", { address: queues, symbol: "workqueues" }, "workqueue_struct", "list");
}

/** Network devices of each namespace. */
export function surveyDevices(survey: Survey): void {
  for (const { address } of netNamespaces(survey.kernel)) {
    survey.quietly(() => {
      for (const device of survey.ring(
        "the devices of a network namespace",
        { type: "net", member: "dev_base_head", object: address },
        "net_device",
        "dev_list",
      )) {
        survey.pointer("net_device", "netdev_ops", device, "ops");
        survey.pointer("net_device", "ethtool_ops", device, "ops");
        survey.pointer("net_device", "header_ops", device, "ops");
        survey.pointer("net_device", "nd_net.net", device, "net", { value: address, what: "it is on the namespace's list of devices" });
        survey.chained("the names of network devices", "net_device", "name_hlist", device);
        survey.chained("the numbers of network devices", "net_device", "index_hlist", device);
      }
    });
  }
}

/** File systems whose inodes lead to their kernfs_node (fs/kernfs/inode.c: i_private). */
const KERNFS = /^(?:sysfs|cgroup2?)$/;

/** The topmost nodes: of sysfs by its symbol, of all by the roots of their file systems. */
function* kernfsRoots(survey: Survey): Generator<VirtualAddress> {
  const { kernel } = survey;
  const symbol = kernel.tryAddress("sysfs_root_kn");
  const top = symbol === undefined ? undefined : wordAt(kernel, symbol);
  if (typeof top === "bigint") yield pointerOf(kernel, top);
  for (const block of survey.met("super_block")) {
    const type = survey.follow("super_block", "s_type", virtual(block));
    const name = type === undefined ? undefined : survey.follow("file_system_type", "name", type);
    const bytes = name === undefined ? undefined : kernel.memory.tryBytes(name, 8);
    if (bytes === undefined || !KERNFS.test(String.fromCharCode(...bytes).replace(/\0.*$/s, ""))) continue;
    const root = survey.follow("super_block", "s_root", virtual(block));
    const inode = root === undefined ? undefined : survey.follow("dentry", "d_inode", root);
    const node = inode === undefined ? undefined : survey.follow("inode", "i_private", inode);
    if (node !== undefined) yield node;
  }
}

/** sysfs and control groups: directories whose children stand in trees. */
export function surveyKernfs(survey: Survey): void {
  const { kernel } = survey;
  const flags = survey.field("kernfs_node", "flags");
  if (flags === undefined) return;
  const queue: VirtualAddress[] = [...kernfsRoots(survey)];
  // Named "parent" up to 6.14, "__parent" since (741c10b096bc).
  const parent = survey.field("kernfs_node", "__parent") === undefined ? "parent" : "__parent";
  for (let i = 0; i < queue.length && queue.length < MAX_NODES; i++) {
    const directory = queue[i] as VirtualAddress;
    if (!survey.visit("kernfs_node", directory)) continue;
    const equals = { value: directory, what: "it stands in the directory's tree of children" };
    for (const child of survey.tree(
      "children of a sysfs directory",
      { type: "kernfs_node", member: "dir.children", object: directory },
      "kernfs_node",
      "rb",
    )) {
      survey.pointer("kernfs_node", parent, child, "kernfs_node", equals);
      const kind = kernel.memory.tryU32(virtual(flags.address(child) & ~3n));
      if (kind !== undefined && (flags.number(child) & TYPE_MASK) === DIRECTORY) queue.push(child);
      survey.count("kernfs_node", ["count.counter"], child, "it stands in a directory of sysfs");
    }
  }
}

/** vmalloc areas in their trees: vmap_nodes[].busy.root since 6.9 (d093602919ad), vmap_area_root before. */
export function surveyVmalloc(survey: Survey): void {
  const { kernel } = survey;
  const before = kernel.tryAddress("vmap_area_root");
  if (before !== undefined) survey.tree("the tree of vmalloc areas", { address: before, symbol: "vmap_area_root" }, "vmap_area", "rb_node");
  const nodes = kernel.tryAddress("vmap_nodes");
  const count = kernel.tryAddress("nr_vmap_nodes");
  const size = kernel.types.tryStruct("vmap_node")?.size;
  const first = nodes === undefined ? undefined : wordAt(kernel, nodes);
  const many = count === undefined ? undefined : kernel.memory.tryU32(count);
  if (typeof first !== "bigint" || size === undefined || many === undefined) return;
  for (let i = 0; i < Math.min(many, 4096); i++) {
    const object = virtual(add(pointerOf(kernel, first), i * size));
    survey.tree("the tree of vmalloc areas", { type: "vmap_node", member: "busy.root", object }, "vmap_area", "rb_node");
    survey.ring("the list of vmalloc areas", { type: "vmap_node", member: "busy.head", object }, "vmap_area", "list");
  }
}
