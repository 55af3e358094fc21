/**
 * The log buffers of kernels before 5.10.
 *
 * Structured (3.5–5.9), struct printk_log { u64 ts_nsec; u16 len, text_len, dict_len; u8 facility; u8 flags:5, level:3; u32 caller_id (5.1+) }:
 *
 *   log_buf  │ hdr text dict pad │ hdr text … │ len=0 │ unused          a header with len 0 says "go on at index 0"
 *              ▲ log_first_idx          log_next_idx: where the next record will be written
 *
 * Plain text (up to 3.4): log_end characters have been written in all, of which log_buf holds the last log_buf_len.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, UnsupportedError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Types } from "../kernel/types.ts";
import { callerName, type LogBuffer, type LogRecord, messageText } from "./log-record.ts";

/** LOG_BUF_LEN_MAX. */
const MAX_BUFFER = 2 ** 31;

export interface RecordLayout {
  readonly size: number;
  readonly time: Field;
  readonly length: Field;
  readonly textLength: Field;
  readonly dictLength: Field;
  readonly facility: Field;
  readonly level: Field;
  readonly caller: Field | undefined;
}

/** Layout of a record from the dump's types; undefined when this kernel has none. */
export function recordLayout(types: Types): RecordLayout | undefined {
  // `struct log` before 3.11 (62e32ac3505a).
  const record = types.tryStruct("printk_log") ?? types.tryStruct("log");
  const text = record?.tryField("text_len");
  if (record === undefined || text === undefined) return undefined;
  return {
    size: record.size,
    time: record.field("ts_nsec"),
    length: record.field("len"),
    textLength: text,
    dictLength: record.field("dict_len"),
    facility: record.field("facility"),
    level: record.field("level"),
    caller: record.tryField("caller_id"),
  };
}

/** Reads the structured log of this kernel; undefined when it has none. */
export function structuredLog(kernel: Kernel): LogBuffer | undefined {
  const layout = recordLayout(kernel.types);
  const buffer = logBuffer(kernel);
  const first = kernel.tryAddress("log_first_idx");
  const next = kernel.tryAddress("log_next_idx");
  if (layout === undefined || buffer === undefined || first === undefined || next === undefined) return undefined;
  const log = readRecords(
    kernel.memory,
    layout,
    buffer,
    kernel.memory.u32(first),
    kernel.memory.u32(next),
    readSequence(kernel, "log_first_seq"),
  );
  return { ...log, clearSequence: readSequence(kernel, "clear_seq") };
}

/** Reads chained records from index `first` up to (not with) index `next`. */
export function readRecords(
  memory: Memory,
  layout: RecordLayout,
  buffer: { readonly data: VirtualAddress; readonly length: number },
  first: number,
  next: number,
  firstSequence = 0,
): LogBuffer {
  const records: LogRecord[] = [];
  const notes: string[] = [];
  let index = first;
  let wrapped = false;
  // Every record takes at least its header.
  for (let left = Math.ceil(buffer.length / layout.size) + 1; left > 0 && !(index === next && (wrapped || next >= first)); left--) {
    if (index + layout.size > buffer.length) {
      notes.push(`record at ${index} would lie beyond the buffer's end`);
      break;
    }
    try {
      const at = add(buffer.data, index);
      const length = layout.length.number(at);
      if (length === 0) {
        if (wrapped) {
          notes.push("the record chain wraps twice");
          break;
        }
        wrapped = true;
        index = 0;
        continue;
      }
      const text = layout.textLength.number(at);
      const dict = layout.dictLength.number(at);
      if (length < layout.size + text + dict || index + length > buffer.length) {
        notes.push(`record at ${index} claims ${length} bytes with ${text + dict} of text: the chain is broken there`);
        break;
      }
      records.push({
        sequence: firstSequence + records.length,
        nanoseconds: layout.time.bigint(at),
        level: layout.level.number(at),
        facility: layout.facility.number(at),
        caller: layout.caller === undefined ? undefined : callerName(layout.caller.number(at)),
        comm: undefined,
        text: messageText(memory.bytes(add(at, layout.size), text)),
        dictionary: dictionary(messageText(memory.bytes(add(at, layout.size + text), dict))),
      });
      index += length;
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      notes.push(`the log ends early: ${error.message}`);
      break;
    }
  }
  return { records, clearSequence: undefined, notes };
}

/** Plain text log; undefined when the symbols are missing. */
export function textLog(kernel: Kernel): LogBuffer | undefined {
  const buffer = logBuffer(kernel);
  const end = kernel.tryAddress("log_end") ?? kernel.tryAddress("logged_chars");
  if (buffer === undefined || end === undefined) return undefined;
  const written = kernel.memory.u32(end);
  const kept = Math.min(written, buffer.length);
  const start = (written - kept) % buffer.length;
  const before = Math.min(kept, buffer.length - start);
  const bytes = new Uint8Array(kept);
  bytes.set(kernel.memory.bytes(add(buffer.data, start), before));
  bytes.set(kernel.memory.bytes(buffer.data, kept - before), before);
  return { records: splitText(messageText(bytes)), clearSequence: undefined, notes: [] };
}

/** Lines of a plain log as records: `<6>[    1.234567] text`, both prefixes optional. */
export function splitText(text: string): readonly LogRecord[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line, sequence) => {
    const match = /^(?:<(\d+)>)?(?:\[ *(\d+)\.(\d{6})\] ?)?(.*)$/s.exec(line);
    const priority = Number(match?.[1] ?? 4);
    return {
      sequence,
      nanoseconds: match?.[2] === undefined ? undefined : BigInt(match[2]) * 1_000_000_000n + BigInt(match[3] as string) * 1000n,
      level: priority & 7,
      facility: priority >> 3,
      caller: undefined,
      comm: undefined,
      text: match?.[4] ?? line,
      dictionary: [],
    };
  });
}

/**
 * The variable log_buf. 3.18–4.14 have another of that name in the BPF verifier: VMCOREINFO gives the right one, else it is the one next to
 * log_buf_len, whose name is its own.
 */
function logBufferPointer(kernel: Kernel, length: VirtualAddress): VirtualAddress | undefined {
  const exported = kernel.vmcoreinfo?.symbol("log_buf");
  const first = kernel.tryAddress("log_buf");
  if (exported !== undefined || first === undefined) return exported === undefined ? undefined : virtual(exported);
  const away = (address: bigint) => (address > length ? address - length : length - address);
  const all = kernel.symbols.allByName("log_buf").map(({ address }) => address);
  return all.reduce((best, address) => (away(address) < away(best) ? address : best), first);
}

function logBuffer(kernel: Kernel): { data: VirtualAddress; length: number } | undefined {
  const lengthAt = kernel.tryAddress("log_buf_len");
  const pointer = lengthAt === undefined ? undefined : logBufferPointer(kernel, lengthAt);
  if (pointer === undefined || lengthAt === undefined) return undefined;
  const data = virtual(kernel.memory.u64(pointer));
  const length = kernel.memory.u32(lengthAt);
  if (length === 0 || length > MAX_BUFFER) throw new UnsupportedError(`the log buffer is damaged: it claims ${length} bytes`);
  return { data, length };
}

function readSequence(kernel: Kernel, symbol: string): number | undefined {
  const address = kernel.tryAddress(symbol);
  const value = address === undefined ? undefined : kernel.memory.tryU64(address);
  return value === undefined ? undefined : Number(value);
}

/** "KEY=value" pairs that are separated by NULs. */
function dictionary(text: string): readonly (readonly [string, string])[] {
  return text
    .split("\0")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0 ? ([pair, ""] as const) : ([pair.slice(0, equals), pair.slice(equals + 1)] as const);
    });
}
