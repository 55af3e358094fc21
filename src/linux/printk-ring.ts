/**
 * The lockless printk ring buffer (5.10+, kernel/printk/printk_ringbuffer.h, commit 896fbe20b4e2).
 *
 *   prb ─► printk_ringbuffer
 *           desc_ring   descs[2^count_bits]  { state_var, text_blk_lpos { begin, next } }     state_var = state:2 | id:62
 *                       infos[2^count_bits]  { seq, ts_nsec, text_len, level, caller_id, dev_info }
 *                       tail_id … head_id    ids of the oldest and newest descriptor, id mod 2^count_bits is its index
 *           text_data_ring  data[2^size_bits]   blocks { unsigned long id; char text[] }, found by logical position
 *
 *   A block does not wrap around the end of the ring:     │ …next block │ begin ▒▒▒▒▒│      the bytes at the old end are left unused;
 *                                     index 0 ───────────►│ id text     │            │      the block, id and all, starts again at 0
 *
 * States: 0 reserved (a writer is in it), 1 committed, 2 finalized, 3 reusable; readers see 1 and 2.
 */
import { add, low32, type VirtualAddress } from "../bytes/address.ts";
import { FaultError, UnsupportedError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct, Types } from "../kernel/types.ts";
import { callerName, type LogBuffer, type LogRecord, messageText } from "./log-record.ts";
import { vmcoreinfoRingLayout } from "./printk-ring-vmcoreinfo.ts";

/** log_buf_len is limited to 2^31 bytes and a record takes 32 bytes of it on average (PRB_AVGBITS 5). */
const MAX_COUNT_BITS = 26;
const MAX_SIZE_BITS = 31;
/** So many records that cannot be read in a row are a damaged ring and no hole in it. */
const MAX_UNREADABLE = 10_000;
const ID_MASK = (1n << 62n) - 1n;
const COMMITTED = 1n;
const FINALIZED = 2n;
const RESERVED = 0n;

/** Members of the ring in this kernel. */
export interface RingLayout {
  readonly ring: Record<"countBits" | "descs" | "infos" | "headId" | "tailId" | "sizeBits" | "data", Field>;
  readonly descriptor: { readonly size: number; readonly state: Field; readonly begin: Field; readonly next: Field };
  readonly info: { readonly size: number } & Record<"sequence" | "time" | "length" | "facility" | "level", Field> &
    Record<"caller" | "comm" | "subsystem" | "device", Field | undefined>;
}

/** Layout from the dump's types; undefined before 5.10. */
export function ringLayout(types: Types): RingLayout | undefined {
  const ring = types.tryStruct("printk_ringbuffer");
  const descriptor = types.tryStruct("prb_desc");
  const info = types.tryStruct("printk_info");
  if (ring === undefined || descriptor === undefined || info === undefined) return undefined;
  const value = (struct: Struct, path: string) => struct.tryField(`${path}.counter`) ?? struct.field(path);
  return {
    ring: {
      countBits: ring.field("desc_ring.count_bits"),
      descs: ring.field("desc_ring.descs"),
      infos: ring.field("desc_ring.infos"),
      headId: value(ring, "desc_ring.head_id"),
      tailId: value(ring, "desc_ring.tail_id"),
      sizeBits: ring.field("text_data_ring.size_bits"),
      data: ring.field("text_data_ring.data"),
    },
    descriptor: {
      size: descriptor.size,
      state: value(descriptor, "state_var"),
      begin: descriptor.field("text_blk_lpos.begin"),
      next: descriptor.field("text_blk_lpos.next"),
    },
    info: {
      size: info.size,
      sequence: info.field("seq"),
      time: info.field("ts_nsec"),
      length: info.field("text_len"),
      facility: info.field("facility"),
      level: info.field("level"),
      caller: info.tryField("caller_id"),
      comm: info.tryField("comm"),
      subsystem: info.tryField("dev_info.subsystem"),
      device: info.tryField("dev_info.device"),
    },
  };
}

/** Reads the ring of this kernel; undefined when it has none. */
export function ringLog(kernel: Kernel): LogBuffer | undefined {
  const pointer = kernel.tryAddress("prb");
  const info = kernel.vmcoreinfo;
  const layout =
    pointer === undefined
      ? undefined
      : (ringLayout(kernel.types) ?? (info === undefined ? undefined : vmcoreinfoRingLayout(kernel.memory, info)));
  if (pointer === undefined || layout === undefined) return undefined;
  const log = readRing(kernel.memory, layout, kernel.memory.u64(pointer) as VirtualAddress);
  return { ...log, clearSequence: clearSequence(kernel) };
}

/** Reads a ring at an address. @throws UnsupportedError when its sizes are none that the kernel would make */
export function readRing(memory: Memory, layout: RingLayout, address: VirtualAddress): LogBuffer {
  const { ring } = layout;
  const countBits = ring.countBits.number(address);
  const sizeBits = ring.sizeBits.number(address);
  if (countBits < 1 || countBits > MAX_COUNT_BITS || sizeBits < 4 || sizeBits > MAX_SIZE_BITS) {
    throw new UnsupportedError(`the log ring is damaged: it claims 2^${countBits} records in 2^${sizeBits} bytes`);
  }
  const count = 2 ** countBits;
  const mask = BigInt(count - 1);
  const head = BigInt.asUintN(62, ring.headId.bigint(address));
  const tail = BigInt.asUintN(62, ring.tailId.bigint(address));
  const descs = ring.descs.pointer(address);
  const infos = ring.infos.pointer(address);
  const text = { data: ring.data.pointer(address), sizeBits };
  const records: LogRecord[] = [];
  const problems = new ProblemCounter();
  // head and tail are ids: 62 bits that wrap; the distance can never exceed the ring.
  const span = Number(BigInt.asUintN(62, head - tail));
  if (span >= count) problems.add(`the newest record's id is ${span} beyond the oldest's: only the last ${count} are shown`);
  const first = span >= count ? BigInt.asUintN(62, head - BigInt(count - 1)) : tail;
  const total = Math.min(span + 1, count);
  let unreadable = 0;
  for (let i = 0; i < total; i++) {
    const id = BigInt.asUintN(62, first + BigInt(i));
    const index = low32(id & mask);
    try {
      const descriptor = add(descs, index * layout.descriptor.size);
      const state = layout.descriptor.state.bigint(descriptor);
      const kind = BigInt.asUintN(64, state) >> 62n;
      if ((state & ID_MASK) !== id) continue;
      if (kind !== COMMITTED && kind !== FINALIZED) {
        if (kind === RESERVED) problems.add("a record was still being written when the kernel stopped");
        continue;
      }
      const info = add(infos, index * layout.info.size);
      const begin = BigInt.asUintN(64, layout.descriptor.begin.bigint(descriptor));
      const next = BigInt.asUintN(64, layout.descriptor.next.bigint(descriptor));
      const bytes = blockText(memory, text, begin, next, layout.info.length.number(info));
      if (bytes === undefined) problems.add("the text of a record was overwritten or is damaged");
      else records.push(record(layout, info, messageText(bytes)));
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      problems.add(`a record cannot be read: ${error.message}`);
      if (++unreadable >= MAX_UNREADABLE) {
        problems.add("the rest of the ring is given up");
        break;
      }
    }
  }
  return { records, clearSequence: undefined, notes: problems.lines() };
}

/**
 * Text of a data block; undefined when it is lost.
 *
 * begin and next are logical positions (they count on over the wraps). Both odd: a record without data (3,3: an empty line; 1,1: the
 * writer could not get space). A block that would cross the end lies at the ring's start, so the wrap is settled first and the block's
 * id, which is stored again there, is skipped afterwards. `next - 1` is compared because a block may fill the ring to its last byte.
 */
export function blockText(
  memory: Memory,
  ring: { readonly data: VirtualAddress; readonly sizeBits: number },
  begin: bigint,
  next: bigint,
  textLength: number,
): Uint8Array | undefined {
  if ((begin & 1n) === 1n && (next & 1n) === 1n) return begin === 3n && next === 3n ? new Uint8Array(0) : undefined;
  const bits = BigInt(ring.sizeBits);
  const size = 1n << bits;
  const wrap = (position: bigint) => BigInt.asUintN(64, position) >> bits;
  const end = wrap(next - 1n);
  let start: bigint;
  let length: bigint;
  if (wrap(begin) === end) {
    start = begin & (size - 1n);
    length = BigInt.asUintN(64, next - begin);
  } else if (wrap(begin + size) === end) {
    start = 0n;
    length = next & (size - 1n);
  } else {
    return undefined;
  }
  const idSize = 8n;
  if (length <= idSize || length > size) return undefined;
  const available = Number(length - idSize);
  return memory.bytes(add(ring.data, start + idSize), Math.min(textLength, available));
}

function record(layout: RingLayout, info: VirtualAddress, text: string): LogRecord {
  const dictionary: [string, string][] = [];
  const subsystem = layout.info.subsystem?.string(info) ?? "";
  const device = layout.info.device?.string(info) ?? "";
  if (subsystem !== "") dictionary.push(["SUBSYSTEM", subsystem]);
  if (device !== "") dictionary.push(["DEVICE", device]);
  const comm = layout.info.comm?.string(info) ?? "";
  return {
    sequence: layout.info.sequence.number(info),
    nanoseconds: layout.info.time.bigint(info),
    level: layout.info.level.number(info),
    facility: layout.info.facility.number(info),
    caller: layout.info.caller === undefined ? undefined : callerName(layout.info.caller.number(info)),
    comm: comm === "" ? undefined : comm,
    text,
    dictionary,
  };
}

/** `dmesg -c` moves clear_seq on: a plain u64 up to 5.11, a latched pair { latch, val[2] } since 5.12 (7d7a23a91c91). */
function clearSequence(kernel: Kernel): number | undefined {
  const address = kernel.tryAddress("clear_seq");
  if (address === undefined) return undefined;
  const latched = kernel.types.tryStruct("latched_seq");
  const at = latched === undefined ? address : latched.field("val").address(address);
  const value = kernel.memory.tryU64(at);
  return value === undefined ? undefined : Number(value);
}

/** Counts equal problems so that a damaged ring gives a line and not a thousand. */
class ProblemCounter {
  readonly #counts = new Map<string, number>();

  add(problem: string): void {
    if (this.#counts.size < 16 || this.#counts.has(problem)) this.#counts.set(problem, (this.#counts.get(problem) ?? 0) + 1);
  }

  lines(): readonly string[] {
    return [...this.#counts].map(([problem, count]) => (count === 1 ? problem : `${problem} (${count} times)`));
  }
}
