/**
 * The kinds of trace events this kernel has: number, name, fields, how the kernel prints them (kernel/trace/trace_events.c,
 * include/linux/trace_events.h).
 *
 *   ftrace_events ─► trace_event_call.list … { class { system, fields | get_fields }, name | tp→name, event.type, print_fmt }
 *   fields: ftrace_event_field.link … { name, type "char comm[16]"-like, offset, size, is_signed }     offsets count from the entry's start
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { CorruptionError, FaultError, InquestError } from "../../bytes/errors.ts";
import { containerOf, type Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { listNodes } from "../list.ts";

/** Most kinds: the number is 16 bits wide. */
const MAX_EVENTS = 1 << 16;
const MAX_FIELDS = 256;
const MAX_NAME = 256;
/** Formats with long tables of flags reach some tens of KiB. */
const MAX_FORMAT = 1 << 17;
/** TRACE_EVENT_FL_TRACEPOINT, for kernels whose types lack the enum (bit 4 since 4.7 or so). */
const FL_TRACEPOINT = 1n << 4n;

export interface TraceField {
  readonly name: string;
  /** As C declares it: "pid_t", "char[16]", "__data_loc char[]". */
  readonly type: string;
  /** From the start of the entry. */
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
}

export interface TraceEventKind {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  /** Beyond the common ones of every entry; empty when they cannot be read. */
  readonly fields: readonly TraceField[];
  /** `"format", arguments` as the kernel's format files have it; empty when there is none. */
  readonly printFormat: string;
  /** Of a system call's event: its name and those of its arguments. */
  readonly systemCall?: { readonly name: string; readonly arguments: readonly string[] };
}

/** All kinds by number. What cannot be read is told with `note`. */
export function traceEventKinds(kernel: Kernel, note: (text: string) => void): ReadonlyMap<number, TraceEventKind> {
  const kinds = new Map<number, TraceEventKind>();
  const head = kernel.tryAddress("ftrace_events");
  const reader = head === undefined ? undefined : EventReader.of(kernel);
  if (head === undefined || reader === undefined) {
    note("the kinds of events are not known: ftrace_events or its types are missing");
    return kinds;
  }
  try {
    for (const node of listNodes(kernel.memory, head, { limit: MAX_EVENTS })) {
      const call = containerOf(node, reader.link);
      try {
        const kind = reader.read(call);
        kinds.set(kind.id, kind);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        note(`trace_event_call ${call.toString(16)}: ${error.message}`);
      }
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    note(`the list ftrace_events breaks: ${error.message}`);
  }
  return kinds;
}

class EventReader {
  readonly link: Field;
  readonly #kernel: Kernel;
  readonly #call: Struct;
  readonly #class: Struct;
  readonly #field: Struct;
  readonly #tracepoint: bigint;
  /** Classes share their lists of fields. */
  readonly #fields = new Map<bigint, readonly TraceField[]>();

  private constructor(kernel: Kernel, call: Struct, kind: Struct, field: Struct) {
    this.#kernel = kernel;
    this.#call = call;
    this.#class = kind;
    this.#field = field;
    this.link = call.field("list");
    this.#tracepoint = kernel.types.constant("TRACE_EVENT_FL_TRACEPOINT") ?? FL_TRACEPOINT;
  }

  static of(kernel: Kernel): EventReader | undefined {
    const [call, kind, field] = ["trace_event_call", "trace_event_class", "ftrace_event_field"].map((name) => kernel.types.tryStruct(name));
    return call === undefined || kind === undefined || field === undefined ? undefined : new EventReader(kernel, call, kind, field);
  }

  read(call: VirtualAddress): TraceEventKind {
    const { memory } = this.#kernel;
    const kind = this.#call.field("class").pointer(call);
    const flags = this.#call.field("flags").bigint(call);
    // The name lies in the tracepoint where there is one (de7b2973903c, 3.15).
    const named = this.#call.field("name").pointer(call);
    const tracepoint = (flags & this.#tracepoint) !== 0n ? this.#kernel.types.tryStruct("tracepoint")?.tryField("name") : undefined;
    const format = this.#call.field("print_fmt").pointer(call);
    const systemCall = this.#systemCall(call, kind);
    return {
      id: this.#call.field("event.type").number(call),
      system: memory.cString(this.#class.field("system").pointer(kind), MAX_NAME),
      name: memory.cString(tracepoint?.pointer(named) ?? named, MAX_NAME),
      fields: systemCall?.fields ?? this.#fieldsOf(this.#class.field("fields").address(kind)),
      printFormat: format === 0n ? "" : memory.cString(format, MAX_FORMAT),
      ...(systemCall === undefined ? {} : { systemCall: { name: systemCall.name, arguments: systemCall.arguments } }),
    };
  }

  /** sys_enter_* and sys_exit_* keep a syscall_metadata in `data`, and the entering ones their fields in it. */
  #systemCall(
    call: VirtualAddress,
    kind: VirtualAddress,
  ): { name: string; arguments: string[]; fields?: readonly TraceField[] } | undefined {
    const { memory, types } = this.#kernel;
    const [entering, exiting] = ["event_class_syscall_enter", "event_class_syscall_exit"].map((name) => this.#kernel.tryAddress(name));
    if (kind !== entering && kind !== exiting) return undefined;
    const metadata = types.tryStruct("syscall_metadata");
    const data = this.#call.tryField("data")?.pointer(call) ?? 0n;
    if (metadata === undefined || data === 0n) return undefined;
    const at = data as VirtualAddress;
    const args = metadata.field("args").pointer(at);
    const count = Math.min(6, metadata.field("nb_args").number(at));
    return {
      name: memory.cString(metadata.field("name").pointer(at), MAX_NAME),
      arguments: Array.from({ length: Math.max(0, count) }, (_, i) =>
        memory.cString(memory.u64((args + BigInt(i * 8)) as VirtualAddress) as VirtualAddress, MAX_NAME),
      ),
      ...(kind === entering ? { fields: this.#fieldsOf(metadata.field("enter_fields").address(at)) } : {}),
    };
  }

  #fieldsOf(head: VirtualAddress): readonly TraceField[] {
    const known = this.#fields.get(head);
    if (known !== undefined) return known;
    const { memory } = this.#kernel;
    const [link, name, type, offset, size, signed] = ["link", "name", "type", "offset", "size", "is_signed"].map((member) =>
      this.#field.field(member),
    ) as [Field, Field, Field, Field, Field, Field];
    const fields: TraceField[] = [];
    try {
      for (const node of listNodes(memory, head, { limit: MAX_FIELDS })) {
        const at = containerOf(node, link);
        fields.push({
          name: memory.cString(name.pointer(at), MAX_NAME),
          type: memory.cString(type.pointer(at), MAX_NAME),
          offset: offset.number(at),
          size: size.number(at),
          signed: signed.number(at) !== 0,
        });
      }
    } catch (error) {
      // A class that was never set up has an empty list of zeroes.
      if (!(error instanceof CorruptionError) && !(error instanceof FaultError)) throw error;
    }
    // The kernel adds each field at the front.
    fields.sort((a, b) => a.offset - b.offset);
    this.#fields.set(head, fields);
    return fields;
  }
}
