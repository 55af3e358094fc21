import { describe, expect, it } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { UnsupportedError } from "../../bytes/errors.ts";
import { FakeKernel } from "../testing/fake-kernel.ts";
import { binaryArguments } from "./binary-arguments.ts";
import { parsePrintFormat } from "./format-expression.ts";
import { formatText } from "./format-text.ts";
import type { TraceEventKind } from "./trace-events.ts";
import { TraceMessages } from "./trace-text.ts";

const fake = new FakeKernel({});
const kernel = fake.kernel;
const FIELDS = [
  { name: "common_pid", type: "int", offset: 4, size: 4, signed: true },
  { name: "comm", type: "char[16]", offset: 8, size: 16, signed: false },
  { name: "state", type: "long", offset: 24, size: 8, signed: true },
  { name: "name", type: "__data_loc char[]", offset: 32, size: 4, signed: false },
  { name: "words", type: "u32[2]", offset: 36, size: 8, signed: false },
  { name: "where", type: "const char *", offset: 48, size: 8, signed: false },
];

/** An entry: comm "bash", state 0x101, dynamic text "eth0" behind the fields. */
function entry(): DataView {
  const view = new DataView(new ArrayBuffer(64));
  new TextEncoder().encodeInto("bash", new Uint8Array(view.buffer, 8));
  view.setBigUint64(24, 0x101n, true);
  view.setUint32(32, (5 << 16) | 56, true);
  view.setUint32(36, 7, true);
  view.setUint32(40, 9, true);
  view.setBigUint64(48, 0xffff800000001000n, true);
  new TextEncoder().encodeInto("eth0", new Uint8Array(view.buffer, 56));
  return view;
}
fake.memory.putText(0xffff800000001000n, "kernel text\0");

function message(printFormat: string, more: Partial<TraceEventKind> = {}): string | undefined {
  const kind: TraceEventKind = { id: 9, system: "test", name: "event", fields: FIELDS, printFormat, ...more };
  const raw = { cpu: 0, time: 0n, type: 9, flags: 0, preemptCount: 0, pid: 1, data: entry(), address: virtual(0n) };
  return new TraceMessages(kernel, new Map([[9, kind]])).message(raw)?.text;
}

describe("messages by print_fmt", () => {
  it.each([
    ['"comm=%s state=%ld", REC->comm, REC->state', "comm=bash state=257"],
    ['"%s", (REC->state & 0xff) ? __print_flags(REC->state & 0xff, "|", { 0x01, "S" }, { 0x02, "D" }) : "R"', "S"],
    ['"%s", __print_flags(REC->state, "|", { 0x02, "D" }, { 1UL, "S" })', "S|0x100"],
    ['"%s", __print_symbolic(REC->state >> 8, { 0, "none" }, { 1, "one" })', "one"],
    ['"%s", __print_symbolic(REC->state, { 0, "none" })', "0x101"],
    ['"dev=%s len=%u", __get_str(name), __get_dynamic_array_len(name)', "dev=eth0 len=5"],
    ['"%u %u", REC->words[0], REC->words[1]', "7 9"],
    ['"%s|%-6s|%6s|%.2s", REC->where, REC->comm, REC->comm, REC->comm', "kernel text|bash  |  bash|ba"],
    ['"%d", (int)-REC->state * 2 + 1 == -513 && !(REC->state == 0)', "1"],
    ['"%s" " and " "%c", REC->comm, \'x\'', "bash and x"],
    ['"%d", (unsigned char)(REC->state + 256)', "1"],
    ['"%d%%", REC->state / 0', "0%"],
  ])("%s", (format, text) => expect(message(format)).toBe(text));

  it("shows the fields where the format is not understood", () => {
    const fields = 'comm="bash" state=257 name="eth0" words=07 00 00 00 09 00 00 00 where=0xffff800000001000';
    for (const format of ['"%d", some_function(REC->state)', '"%d", ({ int x = 1; x; })', "", '"%d", REC->nothing'])
      expect(message(format)).toBe(fields);
  });

  it("bounds what is nested, and refuses what is no format", () => {
    expect(() => parsePrintFormat(`"%d", ${"(".repeat(10_000)}1`)).toThrow(UnsupportedError);
    expect(() => parsePrintFormat('"%d", 1 +')).toThrow(UnsupportedError);
    expect(() => parsePrintFormat("REC->x")).toThrow(UnsupportedError);
    expect(message(`"%s", __get_str(name)`, { fields: [{ ...FIELDS[3]!, offset: 36 }] })).toBe("");
  });

  it("writes system calls as the kernel does", () => {
    const call = { name: "sys_read", arguments: ["state", "where"] };
    expect(message("", { name: "sys_enter_read", systemCall: call })).toBe("sys_read(state: 101, where: ffff800000001000)");
    const fields = [{ name: "ret", type: "long", offset: 24, size: 8, signed: true }];
    expect(message("", { name: "sys_exit_read", systemCall: call, fields })).toBe("sys_read -> 0x101");
  });
});

describe("printf", () => {
  const text = (format: string, ...args: (bigint | string)[]) => formatText(kernel, format, args, String);
  it.each([
    ["%5d|%-5d|%05d|%+d", [42n, 42n, -42n, 42n], "   42|42   |-0042|+42"],
    ["%x %#x %08llx %X %o", [255n, 255n, 0xabcdn, 255n, 8n], "ff 0xff 0000abcd FF 10"],
    ["%d %u %hhd %lld", [0xffff_ffffn, 0xffff_ffffn, 0xffn, -1n], "-1 4294967295 -1 -1"],
    ["%*d %.*s", [4n, 7n, 2n, "text"], "   7 te"],
    ["%p %px", [0x1234n, 0x1234n], "0000000000001234 1234"],
  ] as const)("%s", (format, args, expected) => expect(text(format, ...args)).toBe(expected));

  it("does not let a format ask for more room than there is", () => {
    expect(text("%999999999d", 1n).length).toBeLessThan(5000);
  });
});

it("arguments of trace_printk are read along the format", () => {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 7, true);
  bytes.set(new TextEncoder().encode("name\0"), 4);
  // 8 bytes are aligned to 4 behind the text, which ends at 9.
  view.setBigUint64(12, 0x1122334455667788n, true);
  bytes.set(new TextEncoder().encode("10.0.0.1\0"), 20);
  expect(binaryArguments("%d %s %llx %pI4", bytes)).toEqual([7n, "name", 0x1122334455667788n, "10.0.0.1"]);
  expect(binaryArguments("%d %d", bytes.subarray(0, 6))).toEqual([7n]);
});
