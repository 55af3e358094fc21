import { expect, test } from "vitest";
import type { LogRecord } from "../../linux/log-record.ts";
import { reportsOfRecords } from "./records.ts";

function record(sequence: number, text: string, caller?: string): LogRecord {
  return { sequence, nanoseconds: BigInt(sequence) * 1_000_000n, level: 4, facility: 0, caller, comm: undefined, text, dictionary: [] };
}

const OOPS = [
  "BUG: kernel NULL pointer dereference, address: 0000000000000028",
  "#PF: supervisor read access in kernel mode",
  "Oops: 0000 [#1] PREEMPT SMP NOPTI",
  "CPU: 3 PID: 77 Comm: feeder Not tainted 6.1.0-9-amd64 #1",
  "RIP: 0010:widget_poll+0x1c/0x40 [widget]",
  "Call Trace:\n <TASK>\n widget_read+0x33/0x80 [widget]\n vfs_read+0x9f/0x2f0",
  "---[ end trace 0000000000000000 ]---",
];

test("records of a dump's log give reports; offsets are indices of records", () => {
  const records = ["usb 1-1: new device", "x", ...OOPS, "usb 1-1: gone"].map((text, index) => record(index + 5, text));
  const [report, ...more] = reportsOfRecords(records);
  expect(more).toEqual([]);
  expect(report).toMatchObject({ family: "oops", faultAddress: 0x28n, pc: { function: "widget_poll" }, damage: [] });
  expect(report?.first).toMatchObject({ number: 3, offset: 2, time: 0.007, level: 4 });
  expect(report?.traces[0]?.frames.map((frame) => frame.function)).toEqual(["widget_read", "vfs_read"]);
});

test("callers keep two reports apart", () => {
  const warning = [
    "WARNING: CPU: 0 PID: 5 at a/b.c:5 gadget_stop+0x4/0x10",
    "Call Trace:",
    " gadget_exit+0x1/0x2",
    "---[ end trace 1 ]---",
  ];
  const records = OOPS.flatMap((text, index) => [
    record(2 * index, text, "T77"),
    ...(warning[index] === undefined ? [] : [record(2 * index + 1, warning[index], "T5")]),
  ]);
  expect(reportsOfRecords(records).map(({ family, damage }) => [family, damage])).toEqual([
    ["oops", []],
    ["warning", []],
  ]);
});

test("a process that quotes a report has made none", () => {
  expect(reportsOfRecords(OOPS.map((text, index) => ({ ...record(index, text), facility: 1 })))).toEqual([]);
});
