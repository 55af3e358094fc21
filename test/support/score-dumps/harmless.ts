/**
 * Changes that are no damage, of which nothing may be said: memory that nobody used, and consistent changes that a healthy kernel makes
 * every second.
 *
 *   free-page   words and text in a page of the buddy allocator
 *   padding     bytes between an object's end and the next object
 *   free-body   a free object, all but its free pointer
 *   stack       a sleeping task's stack below its stack pointer
 *   user        an anonymous page of a process
 *   cache       a page of a file's contents
 *   reorder     two neighbours of a list change places, all links right
 *   midway      a node that was just being added or taken off (harmless-lists.ts)
 *   count       a few references more
 *   datum       a bit of a number that could be any
 *   name        a task or a file is called "kkkkkkkk…" (6b6b…)
 *   log         a process wrote the kernel's own words into /dev/kmsg
 */
import { add, hex16, type VirtualAddress, virtual } from "../../../src/bytes/address.ts";
import { InquestError } from "../../../src/bytes/errors.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { freeAreas, freeBlocks } from "../../../src/linux/buddy.ts";
import { PageMap, pageFlagBits } from "../../../src/linux/page.ts";
import { hasSlabFlag } from "../../../src/linux/slab-cache.ts";
import { taskTable } from "../../../src/linux/task.ts";
import { memoryNodes } from "../../../src/linux/zone.ts";
import { freeChains } from "./free-lists.ts";
import { halfDone } from "./harmless-lists.ts";
import type { Mutation, MutationLabel } from "./mutation.ts";
import { type Edit, editsAt, half, word } from "./overlay.ts";
import type { Chance } from "./random.ts";
import type { Sites } from "./sites.ts";

const NOTHING: MutationLabel = { class: ["deliberate", "unknown"] };

/** Bytes that look like the work of a bug: text, poison, pointers to nowhere, noise. */
function rubbish(length: number, chance: Chance): Uint8Array {
  const choice = chance.below(4);
  const text = new TextEncoder().encode("BUG: kernel NULL pointer dereference, Oops: 0002 [#1] SMP ");
  return Uint8Array.from({ length }, (_, i) =>
    choice === 0
      ? (text[i % text.length] as number)
      : choice === 1
        ? 0x6b
        : choice === 2
          ? ([0, 1, 0, 0, 0, 0, 0xad, 0xde][i % 8] as number)
          : chance.below(256),
  );
}

function harmless(kernel: Kernel, kind: string, what: string, at: VirtualAddress, bytes: Uint8Array): Mutation {
  return { kind: `harmless-${kind}`, what: `${what} at ${hex16(at)}`, edits: editsAt(kernel, at, bytes), label: NOTHING, at };
}

function freePage(kernel: Kernel, chance: Chance): Mutation | undefined {
  const map = PageMap.of(kernel);
  const lists = memoryNodes(kernel).nodes.flatMap(({ zones }) =>
    zones.flatMap((zone) => freeAreas(kernel, zone).flatMap(({ lists: all }) => all)),
  );
  for (const list of chance.shuffled(lists)) {
    const blocks: VirtualAddress[] = [];
    try {
      for (const block of freeBlocks(kernel, list)) if (blocks.push(block) >= 50) break;
    } catch (error) {
      // Lists of zones without memory were never made.
      if (!(error instanceof InquestError)) throw error;
    }
    const page = chance.oneOf(blocks);
    const pfn = page === undefined ? undefined : map?.pfnOf(page);
    const at = pfn === undefined ? undefined : map?.linearAddress(pfn);
    if (at === undefined) continue;
    const offset = 8 * chance.below(400);
    return harmless(kernel, "free-page", `free page of order ${list.order}`, add(at, offset), rubbish(64 + chance.below(512), chance));
  }
  return undefined;
}

/** Bytes behind an object that neither the object nor SLUB uses. */
function padding(kernel: Kernel, chance: Chance): Mutation | undefined {
  // SLAB_OBJ_EXT_IN_OBJ (mm/slub.c of 7.x): what memory control groups keep of an object may lie there.
  if (kernel.types.constant("_SLAB_OBJ_EXT_IN_OBJ") !== undefined) return undefined;
  const chain = chance.oneOf(
    freeChains(kernel).filter(
      ({ cache }) =>
        cache.stride >= cache.objectSize + 8 &&
        cache.freePointer + 8 <= cache.objectSize &&
        !(["RED_ZONE", "STORE_USER", "POISON"] as const).some((flag) => hasSlabFlag(kernel, cache, flag)),
    ),
  );
  const object = chain === undefined ? undefined : chance.oneOf(chain.objects);
  if (chain === undefined || object === undefined) return undefined;
  const { cache } = chain;
  const from = Math.ceil(cache.objectSize / 8) * 8;
  if (from >= cache.stride) return undefined;
  return harmless(kernel, "padding", `padding of ${cache.name}`, add(object, from), rubbish(cache.stride - from, chance));
}

function freeBody(kernel: Kernel, chance: Chance): Mutation | undefined {
  const chain = chance.oneOf(
    freeChains(kernel).filter(
      ({ cache }) =>
        cache.objectSize >= 32 && !(["RED_ZONE", "STORE_USER", "POISON"] as const).some((flag) => hasSlabFlag(kernel, cache, flag)),
    ),
  );
  const object = chain === undefined ? undefined : chance.oneOf(chain.objects);
  if (chain === undefined || object === undefined) return undefined;
  const { cache } = chain;
  const bytes = rubbish(cache.objectSize, chance);
  const kept = kernel.memory.tryBytes(add(object, cache.freePointer), 8);
  if (kept !== undefined) bytes.set(kept.subarray(0, Math.max(0, Math.min(8, bytes.length - cache.freePointer))), cache.freePointer);
  return harmless(kernel, "free-body", `free ${cache.name} object`, object, bytes);
}

function unusedStack(kernel: Kernel, chance: Chance): Mutation | undefined {
  const { struct } = { struct: kernel.types.struct("task_struct") };
  const stack = struct.field("stack");
  const sp = struct.firstField("thread.sp", "thread.cpu_context.sp");
  const idle = taskTable(kernel).tasks.filter(({ active, idle: isIdle }) => !active && !isIdle);
  const task = chance.oneOf(idle);
  if (task === undefined || sp === undefined) return undefined;
  const low = stack.pointer(task.address);
  const saved = sp.pointer(task.address);
  const room = Number(saved - low) - 512;
  // The lowest words hold STACK_END_MAGIC, and thread_info in old kernels.
  if (room < 1024) return undefined;
  const at = add(low, 256 + 8 * chance.below(Math.floor((room - 512) / 8)));
  return harmless(kernel, "stack", `stack of ${task.pid} (${task.comm}) below its sp`, at, rubbish(128, chance));
}

/** A page that is mapped by processes alone (LRU, anonymous, no swap cache), or one that holds what a file says. */
function contents(kernel: Kernel, chance: Chance, kind: "user" | "cache"): Mutation | undefined {
  const map = PageMap.of(kernel);
  const bits = new Map(pageFlagBits(kernel).map(({ name, bit }) => [name, BigInt(bit)]));
  const mapping = map?.page.tryField("mapping");
  const lru = bits.get("PG_lru");
  const swapBacked = bits.get("PG_swapbacked");
  if (map === undefined || mapping === undefined || lru === undefined || swapBacked === undefined) return undefined;
  const isUser = kind === "user";
  for (let tries = 0; tries < 4000; tries++) {
    const pfn = chance.below(map.maxPfn);
    const page = map.pageOf(pfn);
    const at = map.linearAddress(pfn);
    if (page === undefined || at === undefined || kernel.memory.tryU64(page) === undefined) continue;
    const flags = map.flags(page);
    const isSet = (bit: bigint) => ((flags >> bit) & 1n) === 1n;
    const owner = mapping.pointer(page);
    if (!isSet(lru) || (isUser ? !isSet(swapBacked) || (owner & 3n) !== 1n : owner === 0n || (owner & 3n) !== 0n)) continue;
    // Page cache that holds metadata of a file system (a block device's) is its own; the lab's guests have none, ramfs and tmpfs are all data.
    if (kernel.memory.tryU64(at) === undefined) continue;
    return harmless(kernel, kind, `${isUser ? "anonymous" : "file"} page ${pfn}`, add(at, 8 * chance.below(400)), rubbish(256, chance));
  }
  return undefined;
}

/** a ⇄ b ⇄ c ⇄ d  becomes  a ⇄ c ⇄ b ⇄ d. Where order means nothing. */
function reordered(kernel: Kernel, sites: Sites, chance: Chance): Mutation | undefined {
  const groups = ["super_blocks", "inodes", "slab_caches", "modules", "partial slabs", "free pages"];
  const group = chance.oneOf(groups);
  const site = chance.oneOf(sites.pointers.filter((each) => each.group === group && each.member.endsWith(".next")));
  if (site === undefined) return undefined;
  const { memory } = kernel;
  const next = (node: bigint) => memory.u64(virtual(node));
  const b = site.address;
  const a = memory.u64(add(b, 8));
  const c = next(b);
  const d = next(c);
  if (new Set([a, b, c, d]).size < 4) return undefined;
  const edits: Edit[] = [
    [a, c],
    [add(virtual(c), 8), a],
    [c, b],
    [add(virtual(b), 8), c],
    [b, d],
    [add(virtual(d), 8), b],
  ].flatMap(([at, value]) => editsAt(kernel, virtual(at as bigint), word(value as bigint)));
  return { kind: "harmless-reorder", what: `two neighbours of ${group} change places at ${hex16(b)}`, edits, label: NOTHING, at: b };
}

function moreReferences(kernel: Kernel, sites: Sites, chance: Chance): Mutation | undefined {
  const site = chance.oneOf(sites.counters);
  if (site === undefined) return undefined;
  const value = site.value + BigInt(1 + chance.below(200));
  return {
    kind: "harmless-count",
    what: `${site.type}.${site.member} of ${hex16(site.object)} from ${site.value} to ${value}`,
    edits: editsAt(kernel, site.address, site.size === 8 ? word(value) : half(value)),
    label: NOTHING,
    at: site.address,
  };
}

/** Numbers that tell of the past, or that nothing follows from. */
const TASK_DATA = ["utime", "stime", "nvcsw", "nivcsw", "min_flt", "maj_flt", "last_switch_count", "start_time", "se.sum_exec_runtime"];
const DATA: Readonly<Record<string, readonly string[]>> = {
  task_struct: [...TASK_DATA, "se.vruntime", "self_exec_id", "ptrace_message", "sas_ss_sp"],
  file: ["f_pos", "f_version"],
  inode: ["i_version"],
  mm_struct: ["hiwater_rss", "hiwater_vm", "start_code", "arg_start", "env_end"],
  signal_struct: ["cutime", "cnvcsw", "cmin_flt", "maxrss"],
  net_device: ["mem_start", "mem_end"],
};

function otherDatum(kernel: Kernel, sites: Sites, chance: Chance): Mutation | undefined {
  const type = chance.oneOf(Object.keys(DATA)) ?? "";
  const objects = type === "task_struct" ? sites.tasks : sites.pointers.filter((site) => site.type === type).map(({ object }) => object);
  const object = chance.oneOf(objects);
  const field = kernel.types.tryStruct(type)?.tryField(chance.oneOf(DATA[type] ?? []) ?? "");
  if (object === undefined || field === undefined || field.size !== 8) return undefined;
  const at = field.address(object);
  // Not so high that time itself would be out of joint.
  const value = kernel.memory.u64(at) ^ (1n << BigInt(chance.below(20)));
  return harmless(kernel, "datum", `a bit of ${type}.${field.path}`, at, word(value));
}

function oddName(kernel: Kernel, sites: Sites, chance: Chance): Mutation | undefined {
  const task = chance.oneOf(sites.tasks);
  if (task === undefined) return undefined;
  const name = new Uint8Array(16).fill(chance.below(2) === 0 ? 0x6b : 0x5a);
  name[15] = 0;
  return harmless(
    kernel,
    "name",
    `comm of a task is ${new TextDecoder().decode(name.subarray(0, 15))}`,
    kernel.types.struct("task_struct").field("comm").address(task),
    name,
  );
}

const SHOUTS = [
  "BUG: kernel NULL pointer dereference, address: 0000000000000008",
  "watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [bash:1234]",
  "INFO: task init:1 blocked for more than 120 seconds.",
  "list_del corruption. prev->next should be ffff888000000000, but was 0",
  "Out of memory: Killed process 1 (init) total-vm:1000kB",
  "mce: [Hardware Error]: Machine check events logged",
];
const LOG_USER = 1;

/** What /dev/kmsg takes from a process gets a facility that is not the kernel's (kernel/printk/printk.c, devkmsg_write). */
function shoutedByProcess(kernel: Kernel, chance: Chance): Mutation | undefined {
  const pointer = kernel.tryAddress("prb");
  const ring = kernel.types.tryStruct("printk_ringbuffer");
  const info = kernel.types.tryStruct("printk_info");
  const descriptor = kernel.types.tryStruct("prb_desc");
  if (pointer === undefined || ring === undefined || info === undefined || descriptor === undefined) return undefined;
  const address = virtual(kernel.memory.u64(pointer));
  const infos = ring.field("desc_ring.infos").pointer(address);
  const descs = ring.field("desc_ring.descs").pointer(address);
  const data = ring.field("text_data_ring.data").pointer(address);
  const mask = (1n << BigInt(ring.field("text_data_ring.size_bits").number(address))) - 1n;
  const shout = new TextEncoder().encode(chance.oneOf(SHOUTS));
  for (let tries = 0; tries < 400; tries++) {
    const index = 20 + chance.below(300);
    const at = add(infos, index * info.size);
    const length = info.field("text_len").number(at);
    const begin = descriptor.field("text_blk_lpos.begin").bigint(add(descs, index * descriptor.size));
    if (length < shout.length || (begin & 1n) === 1n) continue;
    const bytes = new Uint8Array(length).fill(0x20);
    bytes.set(shout);
    // The block begins with the descriptor's id.
    const text = add(data, (begin & mask) + 8n);
    const edits = [...editsAt(kernel, text, bytes), ...editsAt(kernel, info.field("facility").address(at), Uint8Array.of(LOG_USER))];
    return { kind: "harmless-log", what: `a process wrote "${new TextDecoder().decode(shout)}"`, edits, label: NOTHING, at: text };
  }
  return undefined;
}

/** A change of which nothing may be said. */
export function harmlessChange(kernel: Kernel, sites: Sites, chance: Chance): Mutation | undefined {
  const made = chance.shuffled([
    () => freePage(kernel, chance),
    () => padding(kernel, chance),
    () => freeBody(kernel, chance),
    () => unusedStack(kernel, chance),
    () => contents(kernel, chance, "user"),
    () => contents(kernel, chance, "cache"),
    () => reordered(kernel, sites, chance),
    () => halfDone(kernel, sites, chance),
    () => moreReferences(kernel, sites, chance),
    () => otherDatum(kernel, sites, chance),
    () => oddName(kernel, sites, chance),
    () => shoutedByProcess(kernel, chance),
  ]);
  for (const make of made) {
    const found = make();
    if (found !== undefined) return found;
  }
  return undefined;
}
