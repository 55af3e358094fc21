/**
 * The ring buffers of ftrace (kernel/trace/ring_buffer.c, kernel/trace/trace.h): one per CPU, pages in a ring, events packed in them.
 *
 *   trace_array.array_buffer.buffer ─► trace_buffer.buffers[cpu] ─► ring_buffer_per_cpu
 *        reader_page ─┐ (taken out of the ring)       head_page → page → … → commit_page        oldest to newest
 *        └ buffer_page.page ─► buffer_data_page { time_stamp, commit, data[] }
 *
 *   event: │ type_len:5 time_delta:27 │ …          type_len  1 … 28  so many words of data follow
 *                                                            0       the next word is the length, itself included
 *                                                            29      padding; 30 time_delta is longer; 31 an absolute time (of 59 bits)
 *   data:  │ u16 type │ u8 flags │ u8 preempt_count │ s32 pid │ the event's own fields │
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { CorruptionError, InquestError } from "../../bytes/errors.ts";
import { containerOf, type Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { listNodes } from "../list.ts";

const MAX_INSTANCES = 1 << 12;
const MAX_CPUS = 1 << 13;
/** Pages of one CPU's ring: 2^22 of 4 KiB are 16 GiB. */
const MAX_PAGES = 1 << 22;
/** Sub-buffers may be larger than a page since 6.8 (subbuf_order, at most 2^… of 64 KiB). */
const MAX_PAGE_BYTES = 1 << 20;
/** RB_WRITE_MASK: above lie counters of interrupted writers and marks of lost events. */
const WRITE_MASK = 0xfffffn;
/** Low bits of a buffer_page's list pointers: RB_PAGE_HEAD, RB_PAGE_UPDATE. */
const LINK_FLAGS = 3n;
const PAGE_HEAD = 1n;
const TYPE_PADDING = 29;
const TYPE_TIME_EXTEND = 30;
const TYPE_TIME_STAMP = 31;
const TIME_SHIFT = 27n;
/** An absolute time has 59 bits; the rest comes from the time before it. */
const ABSOLUTE_BITS = 59n;
const ENTRY_BYTES = 8;

/** One tracing instance: the global one, or a directory below instances/. */
export interface TraceInstance {
  /** Empty for the global one. */
  readonly name: string;
  readonly address: VirtualAddress;
  /** Name of the tracer in use: "nop", "function" … */
  readonly tracer: string;
  readonly cpus: readonly TraceCpu[];
}

/** One CPU's ring. */
export interface TraceCpu {
  readonly cpu: number;
  readonly address: VirtualAddress;
  readonly pages: number;
  /** Events that are in the ring, those that were overwritten, those that found no room. */
  readonly entries: number;
  readonly overrun: number;
  readonly dropped: number;
}

/** An event as it lies in the ring. */
export interface RawTraceEvent {
  readonly cpu: number;
  /** Of the buffer's clock, nanoseconds since boot for most of them. */
  readonly time: bigint;
  /** Kind of event (trace_entry.type). */
  readonly type: number;
  readonly flags: number;
  readonly preemptCount: number;
  readonly pid: number;
  /** The whole entry, its common fields included. */
  readonly data: DataView;
  readonly address: VirtualAddress;
}

export class TraceBuffers {
  readonly #kernel: Kernel;
  readonly #note: (text: string) => void;
  readonly #array: Struct;
  readonly #buffer: Struct;
  readonly #cpu: Struct;
  readonly #page: Struct;
  readonly #data: Struct;

  private constructor(kernel: Kernel, note: (text: string) => void, structs: readonly Struct[]) {
    this.#kernel = kernel;
    this.#note = note;
    [this.#array, this.#buffer, this.#cpu, this.#page, this.#data] = structs as [Struct, Struct, Struct, Struct, Struct];
  }

  /** undefined when this kernel's types have no ring buffers. @param note told what is damaged, one line each */
  static of(kernel: Kernel, note: (text: string) => void): TraceBuffers | undefined {
    // struct ring_buffer became trace_buffer in 5.6 (13292494379f).
    const buffer = kernel.types.tryStruct("trace_buffer");
    const holder = buffer?.has("buffers") === true ? buffer : kernel.types.tryStruct("ring_buffer");
    const structs = ["trace_array", undefined, "ring_buffer_per_cpu", "buffer_page", "buffer_data_page"].map((name) =>
      name === undefined ? holder : kernel.types.tryStruct(name),
    );
    return structs.includes(undefined) ? undefined : new TraceBuffers(kernel, note, structs as Struct[]);
  }

  /** All instances, the global one first. */
  instances(): TraceInstance[] {
    const { memory } = this.#kernel;
    const head = this.#kernel.tryAddress("ftrace_trace_arrays");
    const global = this.#kernel.tryAddress("global_trace");
    const found: VirtualAddress[] = global === undefined ? [] : [global];
    if (head !== undefined) {
      try {
        for (const node of listNodes(memory, head, { limit: MAX_INSTANCES })) {
          const array = containerOf(node, this.#array.field("list"));
          if (array !== global) found.push(array);
        }
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        this.#note(`the list of tracing instances breaks: ${error.message}`);
      }
    }
    return found.flatMap((array) => {
      try {
        return [this.#instance(array)];
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        this.#note(`trace_array ${array.toString(16)}: ${error.message}`);
        return [];
      }
    });
  }

  #instance(address: VirtualAddress): TraceInstance {
    const { memory, types } = this.#kernel;
    const name = this.#array.field("name").pointer(address);
    const tracer = this.#array.field("current_trace").pointer(address);
    // array_buffer was trace_buffer until 5.6 (1c5eb4481e01).
    const buffer = this.#array.firstField("array_buffer.buffer", "trace_buffer.buffer")?.pointer(address) ?? virtual(0n);
    const tracerName = tracer === 0n ? undefined : types.tryStruct("tracer")?.tryField("name")?.pointer(tracer);
    return {
      name: name === 0n ? "" : memory.cString(name, 256),
      address,
      tracer: tracerName === undefined ? "" : memory.cString(tracerName, 64),
      cpus: buffer === 0n ? [] : this.#cpus(buffer),
    };
  }

  #cpus(buffer: VirtualAddress): TraceCpu[] {
    const { memory } = this.#kernel;
    const table = this.#buffer.field("buffers").pointer(buffer);
    const [pages, entries, overrun, dropped] = ["nr_pages", "entries", "overrun", "dropped_events"].map((name) =>
      this.#cpu.firstField(`${name}.a.counter`, `${name}.a.a.counter`, name),
    );
    const cpus: TraceCpu[] = [];
    for (let cpu = 0; cpu < Math.min(MAX_CPUS, this.#kernel.perCpuOffsets.length || 1); cpu++) {
      try {
        const address = memory.u64(add(table, cpu * 8)) as VirtualAddress;
        if (address === 0n) continue;
        cpus.push({
          cpu,
          address,
          pages: pages?.number(address) ?? 0,
          entries: entries?.number(address) ?? 0,
          overrun: overrun?.number(address) ?? 0,
          dropped: dropped?.number(address) ?? 0,
        });
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        this.#note(`CPU ${cpu}: ${error.message}`);
      }
    }
    return cpus;
  }

  /** A CPU's events, oldest first, as `trace` shows them: what a reader had taken already is left out. */
  *events({ cpu, address }: TraceCpu): Generator<RawTraceEvent> {
    const reader = this.#cpu.field("reader_page").pointer(address);
    const commit = this.#cpu.field("commit_page").pointer(address);
    const from = reader === 0n ? 0 : this.#page.field("read").number(reader);
    let last = 0n;
    for (const page of this.#pages(address, reader, commit)) {
      try {
        for (const event of this.#pageEvents(cpu, page, page === reader ? from : 0, last)) {
          last = event.time;
          yield event;
        }
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        this.#note(`CPU ${cpu}: a page of the ring (buffer_page ${page.toString(16)}): ${error.message}`);
      }
    }
  }

  /** buffer_pages from the oldest to the one being written. */
  *#pages(cpu: VirtualAddress, reader: VirtualAddress, commit: VirtualAddress): Generator<VirtualAddress> {
    if (reader !== 0n) yield reader;
    if (reader === commit) return;
    const link = this.#page.field("list");
    const next = (page: VirtualAddress) => {
      const pointer = this.#kernel.memory.u64(link.address(page));
      return { page: containerOf(virtual(pointer & ~LINK_FLAGS), link), head: (pointer & LINK_FLAGS) === PAGE_HEAD };
    };
    try {
      // head_page is a hint: the oldest page is the one that its predecessor's pointer marks.
      const hint = this.#cpu.field("head_page").pointer(cpu);
      let page = hint;
      for (let count = 0; ; count++) {
        if (count > MAX_PAGES || (count > 0 && page === hint))
          throw new CorruptionError("ring_buffer_per_cpu", "no page of its ring is marked as the oldest", cpu);
        const step = next(page);
        page = step.page;
        if (step.head) break;
      }
      const oldest = page;
      for (let count = 0; count < MAX_PAGES; count++) {
        yield page;
        if (page === commit) return;
        page = next(page).page;
        if (page === oldest) break;
      }
      throw new CorruptionError("ring_buffer_per_cpu", "its ring does not come to the page being written", cpu);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      this.#note(`the ring of ring_buffer_per_cpu ${cpu.toString(16)} breaks: ${error.message}`);
    }
  }

  *#pageEvents(cpu: number, page: VirtualAddress, from: number, before: bigint): Generator<RawTraceEvent> {
    const { memory } = this.#kernel;
    const data = this.#page.field("page").pointer(page);
    const commit = this.#data.firstField("commit.a.counter", "commit.a.a.counter", "commit") as Field;
    const length = Number(commit.bigint(data) & WRITE_MASK);
    if (length > MAX_PAGE_BYTES) throw new CorruptionError("buffer_data_page", `${length} bytes are said to be in it`, data);
    const start = this.#data.field("data").address(data);
    const bytes = memory.bytes(start, length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, length);
    let time = memory.u64(this.#data.field("time_stamp").address(data));
    for (let at = 0; at + 4 <= length; ) {
      const word = view.getUint32(at, true);
      const kind = word & 0x1f;
      const delta = BigInt(word >>> 5);
      const more = at + 8 <= length ? view.getUint32(at + 4, true) : 0;
      if (kind === TYPE_PADDING) {
        // Without a time it fills the rest of the page.
        if (delta === 0n) return;
        time += delta;
        at += 4 + Math.max(4, more);
        continue;
      }
      if (kind === TYPE_TIME_EXTEND || kind === TYPE_TIME_STAMP) {
        const far = delta + (BigInt(more) << TIME_SHIFT);
        time = kind === TYPE_TIME_EXTEND ? time + far : far | (((time > before ? time : before) >> ABSOLUTE_BITS) << ABSOLUTE_BITS);
        at += 8;
        continue;
      }
      time += delta;
      const size = kind === 0 ? more - 4 : kind * 4;
      const body = at + (kind === 0 ? 8 : 4);
      if (size < 0 || body + size > length) throw new CorruptionError("ring_buffer_event", `an event of ${size} bytes`, add(start, at));
      if (at >= from && size >= ENTRY_BYTES) yield entry(cpu, time, view, body, size, add(start, body));
      at = body + size;
    }
  }
}

function entry(cpu: number, time: bigint, view: DataView, at: number, size: number, address: VirtualAddress): RawTraceEvent {
  const data = new DataView(view.buffer, view.byteOffset + at, size);
  return {
    cpu,
    time,
    type: data.getUint16(0, true),
    flags: data.getUint8(2),
    preemptCount: data.getUint8(3),
    pid: data.getInt32(4, true),
    data,
    address,
  };
}
