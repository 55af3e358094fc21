/**
 * Hardware queues of a block queue and their tags (block/blk-mq.c, block/blk-mq-tag.c, include/linux/blk-mq.h): which tags are in use, and the
 * requests that stand for them.
 *
 *   blk_mq_hw_ctx ─► blk_mq_tags { bitmap_tags, breserved_tags: sbitmap_queue; rqs[tag] ─► request }
 *
 * The hardware queues are an array (queue_hw_ctx; again since 7.x) or an xarray (hctx_table, 5.18+). bitmap_tags is a pointer from 5.10 to
 * 5.15, part of blk_mq_tags otherwise.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { readSbitmap, sbitmapCounts, usedBits } from "./bitmap.ts";
import { listNodes } from "./list.ts";
import { xarrayEntries, xarrayLayout } from "./xarray.ts";

const MAX_HW_QUEUES = 1 << 14;
const MAX_TAGS = 1 << 20;
const MAX_LISTED = 1 << 20;

/** A hardware queue of a disk (struct blk_mq_hw_ctx). */
export interface HardwareQueue {
  readonly address: VirtualAddress;
  readonly number: number;
  /** The sbitmap_queue of its ordinary tags: sbitmapq shows it. */
  readonly tagBitmap: VirtualAddress | undefined;
  /** Tags in use and all there are, those reserved too. */
  readonly tagsUsed: number | undefined;
  readonly tagDepth: number | undefined;
  readonly schedulerTagsUsed: number | undefined;
  readonly schedulerTagDepth: number | undefined;
  /** Requests that the driver refused, waiting to be given again. */
  readonly dispatchList: number | undefined;
  /** "STOPPED", "SCHED_RESTART" … as bits of its state word where the types do not name them. */
  readonly state: bigint;
}

/** Every blk_mq_hw_ctx of a request_queue. @param struct struct request_queue */
export function hardwareContexts(kernel: Kernel, struct: Struct, queue: VirtualAddress): readonly VirtualAddress[] {
  const array = struct.tryField("queue_hw_ctx");
  if (array !== undefined) {
    const count = Math.min(struct.field("nr_hw_queues").number(queue), MAX_HW_QUEUES);
    const base = array.pointer(queue);
    return Array.from({ length: count }, (_, index) => virtual(kernel.memory.u64(add(base, index * 8)))).filter((each) => each !== 0n);
  }
  const head = struct.field("hctx_table.xa_head").pointer(queue);
  const layout = xarrayLayout(kernel.types);
  if (layout === undefined || head === 0n) return [];
  return Array.from(xarrayEntries(kernel.memory, layout, head, MAX_HW_QUEUES), ({ entry }) => virtual(entry));
}

/** A hardware queue, with the sets of tags that its requests are in. */
export function hardwareQueue(kernel: Kernel, address: VirtualAddress) {
  const struct = kernel.types.struct("blk_mq_hw_ctx");
  const [tags, sched] = [struct.field("tags").pointer(address), struct.tryField("sched_tags")?.pointer(address) ?? (0n as VirtualAddress)];
  const used = tags === 0n ? undefined : tagCounts(kernel, tags);
  const waiting = sched === 0n ? undefined : tagCounts(kernel, sched);
  const queue: HardwareQueue = {
    address,
    number: struct.field("queue_num").number(address),
    tagBitmap: tags === 0n ? undefined : bitmaps(kernel, tags)[0]?.address,
    tagsUsed: used?.used,
    tagDepth: used?.depth,
    schedulerTagsUsed: waiting?.used,
    schedulerTagDepth: waiting?.depth,
    dispatchList: listLength(kernel, struct.tryField("dispatch")?.address(address)),
    state: struct.tryField("state")?.bigint(address) ?? 0n,
  };
  const both = [...(tags === 0n ? [] : [{ tags, scheduler: false }]), ...(sched === 0n ? [] : [{ tags: virtual(sched), scheduler: true }])];
  return { queue, tags: both };
}

/** The two bitmaps of a set of tags: ordinary ones, whose numbers begin behind the reserved ones. */
function bitmaps(kernel: Kernel, tags: VirtualAddress) {
  const struct = kernel.types.struct("blk_mq_tags");
  const reserved = struct.field("nr_reserved_tags").number(tags);
  const at = (name: string): VirtualAddress => {
    const field = struct.field(name);
    return field.type.kind === "pointer" ? field.pointer(tags) : field.address(tags);
  };
  return [{ address: at("bitmap_tags"), first: reserved }, ...(reserved === 0 ? [] : [{ address: at("breserved_tags"), first: 0 }])];
}

function tagCounts(kernel: Kernel, tags: VirtualAddress): { readonly used: number; readonly depth: number } {
  let [used, depth] = [0, 0];
  for (const { address } of bitmaps(kernel, tags)) {
    const map = readSbitmap(kernel, address);
    const { set, cleared } = sbitmapCounts(map);
    used += set - cleared;
    depth += map.depth;
  }
  return { used, depth };
}

/** Requests of the tags in use. */
export function* taggedRequests(kernel: Kernel, tags: VirtualAddress, scheduler: boolean): Iterable<VirtualAddress> {
  const struct = kernel.types.struct("blk_mq_tags");
  const count = Math.min(struct.field("nr_tags").number(tags), MAX_TAGS);
  const field = struct.field(scheduler ? "static_rqs" : "rqs");
  const table = field.pointer(tags);
  for (const { address, first } of bitmaps(kernel, tags)) {
    for (const bit of usedBits(readSbitmap(kernel, address))) {
      if (bit + first >= count) continue;
      const request = kernel.memory.u64(add(table, (bit + first) * 8));
      if (request !== 0n) yield virtual(request);
    }
  }
}

/** Items of a list; undefined where the kernel has no such list. */
export function listLength(kernel: Kernel, head: VirtualAddress | undefined): number | undefined {
  if (head === undefined) return undefined;
  let count = 0;
  for (const _ of listNodes(kernel.memory, head, { limit: MAX_LISTED })) count++;
  return count;
}
