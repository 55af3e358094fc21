/**
 * What a control group uses and may use (mm/memcontrol.c, include/linux/page_counter.h, kernel/cgroup/pids.c, kernel/sched/sched.h).
 *
 *   memory   mem_cgroup.memory: page_counter { usage, min, low, high, max, watermark } in pages, as memory.current and its like show
 *   swap     mem_cgroup.swap (version 2), memsw (version 1: memory and swap together)
 *   stat     memcg_vmstats.state[] (5.18: 11192d9c124d), mem_cgroup.vmstats[] before; as last summed up, CPUs may hold more back.
 *            Since 6.10 (ff48c71c26aa) mem_cgroup_stats_index[item] says which element; 0xff there, or 0 in its first releases, means none
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Cgroup } from "./cgroup.ts";

const LONG_MAX = (1n << 63n) - 1n;
const NO_PIDS = 1n << 22n;

/** Bytes; undefined: no limit. */
export interface CgroupMemory {
  /** undefined for the topmost group: the kernel does not charge it (mem_cgroup_is_root), its statistics alone count. */
  readonly current: number | undefined;
  /** Highest use; reset by writing to memory.peak or max_usage_in_bytes. */
  readonly peak: number | undefined;
  readonly min: number;
  readonly low: number;
  readonly high: number | undefined;
  readonly max: number | undefined;
  readonly swap: number | undefined;
  readonly swapMax: number | undefined;
  /** memory.events: how often each limit was met, and processes killed. */
  readonly events: Readonly<Record<string, number>>;
  /** Parts of memory.stat in bytes, as last summed up. */
  readonly stat: Readonly<Record<string, number>>;
}

/** What a control group uses, and its limits. */
export interface CgroupUsage {
  readonly memory?: CgroupMemory;
  readonly pids?: { readonly current: number; readonly max: number | undefined };
  readonly cpu?: { readonly shares: number; readonly quotaUs: number | undefined; readonly periodUs: number };
  readonly frozen?: boolean;
}

/** Names of memory.stat and the constants that index them; kernel-side names changed rarely. */
const STAT_ITEMS: readonly (readonly [name: string, constants: readonly string[], unit: "pages" | "bytes"])[] = [
  ["anon", ["NR_ANON_MAPPED"], "pages"],
  ["file", ["NR_FILE_PAGES"], "pages"],
  ["shmem", ["NR_SHMEM"], "pages"],
  ["file_mapped", ["NR_FILE_MAPPED"], "pages"],
  ["file_dirty", ["NR_FILE_DIRTY"], "pages"],
  ["file_writeback", ["NR_WRITEBACK"], "pages"],
  // Bytes since 5.9 (d42f3245c7e2).
  ["slab_reclaimable", ["NR_SLAB_RECLAIMABLE_B"], "bytes"],
  ["slab_unreclaimable", ["NR_SLAB_UNRECLAIMABLE_B"], "bytes"],
  ["sock", ["MEMCG_SOCK"], "pages"],
];
const EVENTS = ["MEMCG_LOW", "MEMCG_HIGH", "MEMCG_MAX", "MEMCG_OOM", "MEMCG_OOM_KILL"];

/** What is known of a group; parts whose controller is off are absent. Throws FaultError. */
export function cgroupUsage(kernel: Kernel, group: Cgroup): CgroupUsage {
  const state = (name: string) => group.controllers.find((controller) => controller.name === name)?.state;
  const memory = state("memory");
  const pids = state("pids");
  const cpu = state("cpu");
  const freezer = kernel.types.struct("cgroup").tryField("freezer.freeze");
  return {
    ...(memory === undefined || kernel.types.tryStruct("mem_cgroup") === undefined
      ? {}
      : { memory: memoryOf(kernel, memory, group.level > 0) }),
    ...(pids === undefined ? {} : pidsOf(kernel, pids)),
    ...(cpu === undefined ? {} : cpuOf(kernel, cpu)),
    ...(freezer === undefined ? {} : { frozen: freezer.number(group.address) !== 0 }),
  };
}

function memoryOf(kernel: Kernel, css: VirtualAddress, charged: boolean): CgroupMemory {
  const { types, memory: bytes } = kernel;
  const struct = types.struct("mem_cgroup");
  const at = add(css, -struct.field("css").offset);
  const counter = types.struct("page_counter");
  const page = kernel.arch.pageSize;
  const read = (owner: string, member: string) => {
    const base = struct.field(owner).address(at);
    const field = counter.firstField(`${member}.counter`, member);
    return field === undefined ? 0n : field.bigint(base);
  };
  const amount = (pages: bigint) => Number(pages) * page;
  // PAGE_COUNTER_MAX; it depends on the size of pages.
  const noLimit = LONG_MAX / BigInt(page);
  const limit = (pages: bigint) => (pages >= noLimit ? undefined : amount(pages));
  const swap = struct.has("swap");
  const events: Record<string, number> = {};
  const counts = struct.tryField("memory_events");
  for (const name of EVENTS) {
    const index = types.constant(name);
    if (counts !== undefined && index !== undefined && Number(index) * 8 < counts.size)
      events[name.slice(6).toLowerCase()] = Number(bytes.u64(add(counts.address(at), Number(index) * 8)));
  }
  return {
    current: charged ? amount(read("memory", "usage")) : undefined,
    peak: charged ? amount(read("memory", "watermark")) : undefined,
    min: amount(read("memory", "min")),
    low: amount(read("memory", "low")),
    high: limit(read("memory", "high")),
    max: limit(read("memory", "max")),
    swap: swap && charged ? amount(read("swap", "usage")) : undefined,
    swapMax: swap ? limit(read("swap", "max")) : undefined,
    events,
    stat: statOf(kernel, at),
  };
}

function statOf(kernel: Kernel, memcg: VirtualAddress): Readonly<Record<string, number>> {
  const { types, memory } = kernel;
  const struct = types.struct("mem_cgroup");
  const behind = types.tryStruct("memcg_vmstats")?.tryField("state");
  const pointer = struct.tryField("vmstats");
  if (pointer === undefined) return {};
  const table = behind === undefined ? pointer.address(memcg) : behind.address(pointer.pointer(memcg));
  const count = (behind ?? pointer).size / 8;
  const index = statIndex(kernel);
  const stat: Record<string, number> = {};
  for (const [name, constants, unit] of STAT_ITEMS) {
    const item = constants.map((each) => types.constant(each)).find((value) => value !== undefined);
    const element = item === undefined ? undefined : index(Number(item));
    if (element === undefined || element >= count) continue;
    const value = Number(memory.s64(add(table, element * 8)));
    stat[name] = Math.max(0, unit === "pages" ? value * kernel.arch.pageSize : value);
  }
  return stat;
}

/** From a statistics item to its element. */
function statIndex(kernel: Kernel): (item: number) => number | undefined {
  return kernel.memo(statIndex, () => {
    const table = kernel.symbols.byName("mem_cgroup_stats_index");
    // Elements were the items themselves before 6.10; of a later kernel without the symbol nothing is known.
    const compact = kernel.types.tryStruct("memcg_vmstats")?.tryField("state");
    const items = Number(kernel.types.constant("MEMCG_NR_STAT") ?? 0n);
    if (table === undefined) return (item: number) => (compact !== undefined && compact.size / 8 < items ? undefined : item);
    const bytes = kernel.memory.tryBytes(table.address, items) ?? new Uint8Array(items);
    const marked = bytes.includes(0xff);
    return (item: number) => {
      const value = bytes[item] ?? 0xff;
      if (marked) return value === 0xff ? undefined : value;
      return value === 0 ? undefined : value - 1;
    };
  });
}

function pidsOf(kernel: Kernel, css: VirtualAddress): Pick<CgroupUsage, "pids"> {
  const struct = kernel.types.tryStruct("pids_cgroup");
  if (struct === undefined) return {};
  const at = add(css, -struct.field("css").offset);
  const limit = struct.field("limit.counter").bigint(at);
  return { pids: { current: struct.field("counter.counter").number(at), max: limit > NO_PIDS || limit < 0n ? undefined : Number(limit) } };
}

function cpuOf(kernel: Kernel, css: VirtualAddress): Pick<CgroupUsage, "cpu"> {
  const struct = kernel.types.tryStruct("task_group");
  const [shares, quota, period] = ["shares", "cfs_bandwidth.quota", "cfs_bandwidth.period"].map((path) => struct?.tryField(path));
  if (struct === undefined || shares === undefined) return {};
  const at = add(css, -struct.field("css").offset);
  const limit = quota?.bigint(at);
  // RUNTIME_INF is all ones; times are in nanoseconds. Shares are scaled by 1024 on 64-bit machines.
  return {
    cpu: {
      shares: shares.number(at) / 1024,
      quotaUs: limit === undefined || BigInt.asUintN(64, limit) === 0xffff_ffff_ffff_ffffn ? undefined : Number(limit) / 1000,
      periodUs: Number(period?.bigint(at) ?? 0n) / 1000,
    },
  };
}
