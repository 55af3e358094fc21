/**
 * Scalable bitmaps, the allocator of block tags (include/linux/sbitmap.h, lib/sbitmap.c).
 *
 *   sbitmap { depth, shift, map_nr, map ─► sbitmap_word[map_nr] { depth until 6.0, word, cleared } }
 *
 * Bit n lies in word n >> shift at n & (2^shift − 1). A bit is in use when it is set in `word` and not in `cleared`: freeing only marks
 * it there, until the word is searched again (4.20: ea86ea2cdced).
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** BLK_MQ_MAX_DEPTH is 10240; iSCSI sessions use as much. */
const MAX_DEPTH = 1 << 24;
const MAX_WAIT_STATES = 64;

export interface Sbitmap {
  readonly depth: number;
  readonly shift: number;
  readonly mapCount: number;
  /** Per-CPU pointer; in sbitmap since 5.14 (c548e62bcf6a), in sbitmap_queue before. */
  readonly hints: VirtualAddress | undefined;
  readonly roundRobin: boolean | undefined;
  /** word and cleared of each map entry, and how many of its bits are meant. */
  readonly words: readonly { readonly word: bigint; readonly cleared: bigint; readonly depth: number }[];
}

export interface SbitmapQueue extends Sbitmap {
  readonly wakeBatch: number;
  readonly wakeIndex: number;
  readonly activeWaits: number | undefined;
  readonly minShallowDepth: number | undefined;
  readonly waitStates: readonly { readonly count: number | undefined; readonly active: boolean }[];
}

/** @throws FaultError, CorruptionError when its numbers cannot be */
export function readSbitmap(kernel: Kernel, address: VirtualAddress): Sbitmap {
  const struct = kernel.types.struct("sbitmap");
  const entry = kernel.types.struct("sbitmap_word");
  const depth = struct.field("depth").number(address);
  const shift = struct.field("shift").number(address);
  const mapCount = struct.field("map_nr").number(address);
  if (
    depth > MAX_DEPTH ||
    shift > 6 ||
    mapCount > Math.ceil(MAX_DEPTH / 2 ** Math.min(shift, 6)) ||
    mapCount < Math.ceil(depth / 2 ** shift)
  )
    throw new CorruptionError("sbitmap", `depth ${depth}, shift ${shift} and map_nr ${mapCount} do not go together`, address);
  const map = struct.field("map").pointer(address);
  const [word, cleared] = [entry.field("word"), entry.tryField("cleared")];
  const words = Array.from({ length: depth === 0 ? 0 : mapCount }, (_, index) => {
    const at = add(map, index * entry.size);
    return {
      word: BigInt.asUintN(64, word.bigint(at)),
      cleared: cleared === undefined ? 0n : BigInt.asUintN(64, cleared.bigint(at)),
      depth: Math.max(0, Math.min(2 ** shift, depth - index * 2 ** shift)),
    };
  });
  return {
    depth,
    shift,
    mapCount,
    hints: struct.tryField("alloc_hint")?.pointer(address),
    roundRobin: flag(struct.tryField("round_robin")?.number(address)),
    words,
  };
}

/** @throws as readSbitmap */
export function readSbitmapQueue(kernel: Kernel, address: VirtualAddress): SbitmapQueue {
  const struct = kernel.types.struct("sbitmap_queue");
  const base = readSbitmap(kernel, struct.field("sb").address(address));
  const state = kernel.types.struct("sbq_wait_state");
  const [count, head] = [state.tryField("wait_cnt.counter"), state.firstField("wait.head", "wait.task_list")];
  const states = struct.field("ws").pointer(address);
  const waitStates = Array.from({ length: states === 0n ? 0 : Math.min(8, MAX_WAIT_STATES) }, (_, index) => {
    const at = add(states, index * state.size);
    const list = head?.address(at);
    return { count: count?.number(at), active: list !== undefined && kernel.memory.u64(list) !== list };
  });
  return {
    ...base,
    hints: base.hints ?? struct.tryField("alloc_hint")?.pointer(address),
    roundRobin: base.roundRobin ?? flag(struct.tryField("round_robin")?.number(address)),
    wakeBatch: struct.field("wake_batch").number(address),
    wakeIndex: struct.field("wake_index.counter").number(address),
    activeWaits: struct.tryField("ws_active.counter")?.number(address),
    minShallowDepth: struct.tryField("min_shallow_depth")?.number(address),
    waitStates,
  };
}

function flag(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : value !== 0;
}

/** Numbers of the bits in use, ascending. */
export function* usedBits({ words, shift }: Sbitmap): Iterable<number> {
  for (const [index, { word, cleared, depth }] of words.entries()) {
    const used = word & ~cleared;
    if (used === 0n) continue;
    for (let bit = 0; bit < depth; bit++) if ((used >> BigInt(bit)) & 1n) yield index * 2 ** shift + bit;
  }
}

/** How many bits are set, and how many of those are freed and not yet swept up. */
export function sbitmapCounts({ words }: Sbitmap): { readonly set: number; readonly cleared: number } {
  let [set, cleared] = [0, 0];
  for (const each of words) {
    const mask = (1n << BigInt(each.depth)) - 1n;
    set += ones(each.word & mask);
    cleared += ones(each.cleared & mask);
  }
  return { set, cleared };
}

function ones(value: bigint): number {
  let count = 0;
  for (let rest = value; rest !== 0n; rest &= rest - 1n) count++;
  return count;
}
