/** `log`: the kernel's message buffer. */
import { hex16 } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import { demangleRustIn } from "../debug-info/rust-names.ts";
import { roleText } from "../identity/describe.ts";
import { type TextAddress, textAddresses } from "../identity/text-addresses.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type AuditRecord, auditRecords } from "../linux/audit.ts";
import type { LogRecord } from "../linux/log-record.ts";
import { readLog } from "../linux/printk.ts";
import { type SafeBuffer, safeBuffers } from "../linux/printk-safe.ts";
import { logStampToDate } from "../linux/timekeeping.ts";
import { logApi } from "./api/system.ts";
import { defineCommand } from "./command.ts";
import { dateText } from "./support/date-text.ts";

export interface LogLine {
  /** Seconds since boot; undefined in logs without stamps. */
  readonly seconds: number | undefined;
  /** 0 (emergency) … 7 (debug). */
  readonly level: number;
  /** "T1": task 1; "C0": CPU 0 outside task context. */
  readonly caller: string | undefined;
  readonly text: string;
  /** Task name recorded with the message (6.18+). */
  readonly comm?: string;
  readonly facility: number;
  readonly dictionary: readonly (readonly [string, string])[];
  /** --objects: the addresses in it that are anything, where they stand for the first time. */
  readonly objects?: readonly TextAddress[];
}

export interface LogResult {
  readonly records?: readonly LogLine[];
  /** log -a */
  readonly audit?: readonly AuditRecord[];
  /** log -s */
  readonly buffers?: readonly SafeBuffer[];
  /** What could not be read. */
  readonly notes: readonly string[];
  readonly show: {
    readonly stamp: "seconds" | "date" | "none";
    readonly level: boolean;
    readonly dictionary: boolean;
    readonly caller: boolean;
  };
  /** Nanoseconds since 1970 at boot, for dates. */
  readonly stamps?: readonly (bigint | undefined)[];
  toJSON(): Record<string, unknown>;
}

export const log = defineCommand<LogResult>({
  spec: {
    name: "log",
    summary: "the kernel's message buffer",
    synopsis: ["[-TtdmcR] [--objects]", "-a", "-s"],
    description: [
      "Shows the messages of the kernel's log buffer in the order they were printed, each line with the seconds since boot: the text that dmesg prints.",
      "--objects looks up the addresses in the messages: each is shown once, where it first stands, with what it is when the machine stopped, which may be something else than when the message was written.",
    ],
    options: [
      { flag: "-T", help: "the date instead of the seconds; approximate, in your time zone" },
      { flag: "-t", help: "no time stamp" },
      { flag: "-d", help: "the dictionary of device messages below each" },
      { flag: "-m", help: "the level before each message: <0> emergency … <7> debug" },
      { flag: "-c", help: "who printed it: [T123] task 123, [C1] CPU 1 in interrupt" },
      { flag: "-a", help: "audit records that wait in the kernel for auditd" },
      { flag: "-s", help: "messages still in the buffers of NMI and printk-safe context (kernels up to 5.14)" },
      { flag: "-R", help: "names of Rust symbols in readable form" },
      {
        flag: "--objects",
        help: "below each message the addresses in it with what they are: registers of an oops, pointers that drivers printed",
      },
    ],
    operands: [],
    examples: [
      ["log | tail", "the last words"],
      ["log -T", "with dates"],
      ["log --objects | grep -A6 RIP", "what the registers of an oops pointed to"],
    ],
    differences: [
      "Every line of a message has its time stamp, as dmesg prints it; crash indents the lines behind the first.",
      "Records that were lost or damaged are counted in a last line.",
    ],
    minimal: true,
  },
  run({ kernel }, args) {
    const show = {
      stamp: args.has("-t") ? ("none" as const) : args.has("-T") ? ("date" as const) : ("seconds" as const),
      level: args.has("-m"),
      dictionary: args.has("-d"),
      caller: args.has("-c"),
    };
    if (args.has("-a")) {
      const { records, queues, notes } = auditRecords(kernel);
      if (queues.length === 0) throw new UnsupportedError("-a: the audit queues are not among this kernel's symbols");
      return { audit: records, notes, show, toJSON: () => ({ audit: records, notes }) };
    }
    if (args.has("-s")) {
      const buffers = safeBuffers(kernel);
      if (buffers === undefined)
        throw new UnsupportedError("-s: this kernel has no printk-safe buffers (they were removed in 5.15), or their symbols are missing");
      return { buffers, notes: [], show, toJSON: () => ({ buffers }) };
    }
    const { records: found, notes, clearSequence } = readLog(kernel);
    const lines = found.map((record) => logLine(args.has("-R") ? { ...record, text: demangleRustIn(record.text) } : record));
    const records = args.has("--objects") ? withObjects(kernel, lines) : lines;
    const stamps =
      show.stamp === "date"
        ? found.map(({ nanoseconds }) => (nanoseconds === undefined ? undefined : logStampToDate(kernel, nanoseconds)))
        : undefined;
    if (stamps?.some((stamp) => stamp !== undefined) === false) {
      throw new UnsupportedError("-T: the date of the dump is not known: no timekeeper among the symbols, no CRASHTIME in VMCOREINFO");
    }
    return { records, notes, show, ...(stamps === undefined ? {} : { stamps }), toJSON: () => ({ records, notes, clearSequence }) };
  },
  api: (_session, args) => logApi(args),
  *text(result) {
    for (const { text, type, queue } of result.audit ?? []) yield `type=${type} ${text}${queue === "audit_queue" ? "" : `   (${queue})`}`;
    if (result.audit?.length === 0) yield "log: kernel audit log is empty";
    if (result.buffers !== undefined) yield* safeLines(result.buffers);
    for (const [i, record] of (result.records ?? []).entries()) yield* recordLines(record, result.show, result.stamps?.[i]);
    for (const note of result.notes) yield `log: ${note}`;
  },
});

function logLine(record: LogRecord): LogLine {
  return {
    // Stamps are shown to the microsecond; a double holds that for 285 years.
    seconds: record.nanoseconds === undefined ? undefined : Number(record.nanoseconds) / 1e9,
    level: record.level,
    caller: record.caller,
    text: record.text,
    ...(record.comm === undefined ? {} : { comm: record.comm }),
    facility: record.facility,
    dictionary: record.dictionary,
  };
}

/** Each address once: registers are repeated at the end of an oops. */
function withObjects(kernel: Kernel, lines: readonly LogLine[]): LogLine[] {
  const seen = new Set<bigint>();
  return lines.map((line) => {
    const objects = textAddresses(kernel, line.text).filter(({ identity }) => !seen.has(identity.address));
    for (const { identity } of objects) seen.add(identity.address);
    return objects.length === 0 ? line : { ...line, objects };
  });
}

function* recordLines(record: LogLine, show: LogResult["show"], date: bigint | undefined): Iterable<string> {
  let prefix = "";
  if (show.stamp === "date" && date !== undefined) prefix += `[${dateText(date)}] `;
  else if (show.stamp !== "none" && record.seconds !== undefined) prefix += `[${stampText(record.seconds)}] `;
  if (show.caller && record.caller !== undefined) prefix = `${prefix.trimEnd()}${prefix === "" ? "" : " "}[${record.caller.padStart(6)}] `;
  // crash's order; dmesg -r has the level first.
  if (show.level) prefix += `<${record.level}>`;
  const indent = " ".repeat(prefix.length);
  for (const line of record.text.split("\n")) yield `${prefix}${line}`;
  for (const { label, identity } of record.objects ?? []) {
    const [role] = identity.roles;
    if (role !== undefined) yield `${indent}  ${label === undefined ? "" : `${label} `}${hex16(identity.address)}: ${roleText(role)}`;
  }
  if (show.dictionary) for (const [key, value] of record.dictionary) yield `${indent}${key}=${value}`;
}

/** "   12.345678": microseconds are cut as the kernel cuts them. */
export function stampText(seconds: number): string {
  const micro = Math.floor(seconds * 1e6 + 1e-4);
  return `${String(Math.floor(micro / 1e6)).padStart(5)}.${String(micro % 1e6).padStart(6, "0")}`;
}

function* safeLines(buffers: readonly SafeBuffer[]): Iterable<string> {
  let name = "";
  for (const buffer of buffers) {
    if (name !== "") yield "";
    if (buffer.name !== name) {
      name = buffer.name;
      yield `PRINTK_SAFE_SEQ_BUF: ${name}`;
    }
    yield `CPU: ${buffer.cpu}  ADDR: ${buffer.address.toString(16)} LEN: ${buffer.length}  MESSAGE_LOST: ${buffer.lost}`;
    if (buffer.text === "") yield "  (empty)";
    else for (const line of buffer.text.replace(/\n$/, "").split("\n")) yield `  ${line}`;
  }
}
