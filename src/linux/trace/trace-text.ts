/**
 * An event's message as /sys/kernel/tracing/trace shows it: by its print_fmt, or for ftrace's own kinds (kernel/trace/trace_output.c,
 * trace_syscalls.c) as the kernel's functions for them do. An event whose format is not understood shows its fields.
 */
import { virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { binaryArguments } from "./binary-arguments.ts";
import { type PrintFormat, parsePrintFormat } from "./format-expression.ts";
import { formatText, symbolText } from "./format-text.ts";
import type { RawTraceEvent } from "./trace-buffer.ts";
import type { TraceEventKind, TraceField } from "./trace-events.ts";
import { TraceRecord, type TraceValue } from "./trace-record.ts";

const MAX_STACK = 256;

export interface TraceMessage {
  readonly text: string;
  /** Values of the fields beyond the common ones. */
  readonly fields: Readonly<Record<string, TraceValue>>;
}

interface Prepared {
  readonly kind: TraceEventKind;
  readonly fields: ReadonlyMap<string, TraceField>;
  /** undefined: its format is not understood, or is missing. */
  readonly format: PrintFormat | undefined;
}

/** Makes messages; what is known of a kind is worked out once. */
export class TraceMessages {
  readonly #kernel: Kernel;
  readonly #kinds: ReadonlyMap<number, TraceEventKind>;
  readonly #prepared = new Map<number, Prepared>();

  constructor(kernel: Kernel, kinds: ReadonlyMap<number, TraceEventKind>) {
    this.#kernel = kernel;
    this.#kinds = kinds;
  }

  /** The message of an event; undefined when its kind is not known. */
  message(event: RawTraceEvent): (TraceMessage & { readonly kind: TraceEventKind }) | undefined {
    const prepared = this.#of(event.type);
    if (prepared === undefined) return undefined;
    const record = new TraceRecord(this.#kernel, event.data, prepared.fields);
    const fields: Record<string, TraceValue> = {};
    for (const { name } of prepared.kind.fields) {
      if (name.startsWith("common_")) continue;
      try {
        fields[name] = record.field(name);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
      }
    }
    return { kind: prepared.kind, fields, text: this.#text(prepared, event, record, fields) };
  }

  #of(type: number): Prepared | undefined {
    const known = this.#prepared.get(type);
    if (known !== undefined) return known;
    const kind = this.#kinds.get(type);
    if (kind === undefined) return undefined;
    let format: PrintFormat | undefined;
    try {
      format = parsePrintFormat(kind.printFormat);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    const prepared = { kind, format, fields: new Map(kind.fields.map((field) => [field.name, field])) };
    this.#prepared.set(type, prepared);
    return prepared;
  }

  #text({ kind, format }: Prepared, event: RawTraceEvent, record: TraceRecord, fields: Readonly<Record<string, TraceValue>>): string {
    const textOf = (value: TraceValue) => record.text(value);
    if (kind.systemCall !== undefined) return systemCallText(kind, fields);
    const own = kind.system === "ftrace" ? this.#ownText(kind.name, event, fields) : undefined;
    if (own !== undefined) return own;
    if (format !== undefined) {
      try {
        const args = format.args.map((node) => record.value(node));
        return formatText(this.#kernel, format.text, args, textOf);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
      }
    }
    return Object.entries(fields)
      .map(([name, value]) => `${name}=${shown(value)}`)
      .join(" ");
  }

  /** Kinds that the tracer itself writes. */
  #ownText(name: string, event: RawTraceEvent, fields: Readonly<Record<string, TraceValue>>): string | undefined {
    const address = (field: string) => BigInt.asUintN(64, typeof fields[field] === "bigint" ? fields[field] : 0n);
    switch (name) {
      case "function":
        return `${symbolText(this.#kernel, address("ip"), false)} <-${symbolText(this.#kernel, address("parent_ip"), false)}`;
      case "kernel_stack":
      case "user_stack":
        return this.#stackText(name, event);
      case "print":
      case "bputs":
        return `${printPlace(this.#kernel, address("ip"))}${this.#printed(name, event, fields)}`;
      case "bprint":
        return `${printPlace(this.#kernel, address("ip"))}${this.#binaryText(event, fields)}`;
      default:
        return undefined;
    }
  }

  #stackText(name: string, event: RawTraceEvent): string {
    // Of user stacks eight words behind the thread group's id; of kernel ones so many as were there, up to a word of ones.
    const caller = this.#of(event.type)?.fields.get("caller");
    const lines = [name === "user_stack" ? "<user stack trace>" : "<stack trace>"];
    for (let at = caller?.offset ?? 16; at + 8 <= event.data.byteLength && lines.length < MAX_STACK; at += 8) {
      const address = event.data.getBigUint64(at, true);
      if (address === 0n || address === 0xffff_ffff_ffff_ffffn) break;
      lines.push(` => ${name === "user_stack" ? `<${address.toString(16).padStart(16, "0")}>` : symbolText(this.#kernel, address, false)}`);
    }
    return lines.join("\n");
  }

  #printed(name: string, event: RawTraceEvent, fields: Readonly<Record<string, TraceValue>>): string {
    const { str } = fields;
    if (name === "bputs") return (typeof str === "bigint" ? this.#kernelText(str) : String(str ?? "")).replace(/\n$/, "");
    const field = this.#of(event.type)?.fields.get("buf");
    const bytes = new Uint8Array(event.data.buffer, event.data.byteOffset, event.data.byteLength).subarray(field?.offset ?? 16);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).replace(/\n$/, "");
  }

  #binaryText(event: RawTraceEvent, fields: Readonly<Record<string, TraceValue>>): string {
    const format = typeof fields.fmt === "bigint" ? this.#kernelText(fields.fmt) : "";
    const field = this.#of(event.type)?.fields.get("buf");
    const bytes = new Uint8Array(event.data.buffer, event.data.byteOffset, event.data.byteLength).slice(field?.offset ?? 24);
    return formatText(this.#kernel, format, binaryArguments(format, bytes), (value) =>
      typeof value === "string" ? value : shown(value),
    ).replace(/\n$/, "");
  }

  #kernelText(address: bigint): string {
    try {
      return this.#kernel.memory.cString(virtual(BigInt.asUintN(64, address)), 4096);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      return `(unreadable ${address.toString(16)})`;
    }
  }
}

/** Who printed: a function of the kernel, tracing_mark_write for what user space wrote into trace_marker. */
function printPlace(kernel: Kernel, ip: bigint): string {
  return `${kernel.symbols.byAddress(virtual(ip))?.symbol.name ?? `0x${ip.toString(16)}`}: `;
}

/** trace_syscalls.c: `sys_read(fd: 3, buf: 7ffd…, count: 340)` and `sys_read -> 0x340`. */
function systemCallText({ name, systemCall }: TraceEventKind, fields: Readonly<Record<string, TraceValue>>): string {
  const call = systemCall?.name ?? name;
  if (name.startsWith("sys_exit"))
    return `${call} -> 0x${BigInt.asUintN(64, typeof fields.ret === "bigint" ? fields.ret : 0n).toString(16)}`;
  const args = (systemCall?.arguments ?? []).map((argument) => {
    const value = fields[argument];
    // What a pointer of user space led to is kept beside it by newer kernels (7.2 does): __filename_val.
    const behind = fields[`__${argument}_val`];
    const text = behind === undefined ? "" : ` ${shown(behind)}`;
    return `${argument}: ${typeof value === "bigint" ? BigInt.asUintN(64, value).toString(16) : shown(value ?? 0n)}${text}`;
  });
  return `${call}(${args.join(", ")})`;
}

function shown(value: TraceValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return value > 0xffff_ffffn ? `0x${value.toString(16)}` : String(value);
  return [...value].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
