import { expect, test } from "vitest";
import { explainReport } from "./explain.ts";
import { reportsIn } from "./find-reports.ts";
import { byDump, storedLogs, storedPart } from "./pstore.ts";

const LOG = [
  "<6>[   10.000000] widget: ready",
  "<1>[   10.100000] BUG: kernel NULL pointer dereference, address: 0000000000000028",
  "<4>[   10.100001] Oops: 0000 [#1] SMP",
  "<4>[   10.100002] CPU: 1 PID: 77 Comm: feeder Not tainted 6.1.0 #1",
  "<4>[   10.100003] RIP: 0010:widget_poll+0x1c/0x40",
  "<4>[   10.100004] Call Trace:",
  "<4>[   10.100005]  widget_read+0x1/0x2",
  "<4>[   10.100006]  do_syscall_64+0x1/0x2",
  "<0>[   10.100007] Kernel panic - not syncing: Fatal exception",
];
const part = (dump: string, number: number, from: number, to: number): string =>
  `${dump} Part${number}\n${LOG.slice(from, to)
    .map((line) => `${line}\n`)
    .join("")}`;

test("the first line of a record", () => {
  expect(storedPart("Panic#2 Part1\n<4>[ 1.0] x")).toEqual({ dump: "Panic#2", part: 1 });
  expect(storedPart("====1732183201.123456-D\nOops#1 Part12\n")).toEqual({ dump: "Oops#1", part: 12 });
  expect(storedPart("Panic#2 Part1 of it\n")).toBeUndefined();
  expect(storedPart("<4>[ 1.0] Panic#2 Part1\n")).toBeUndefined();
});

test("records in any order are a log in the order of time", () => {
  const parts = [part("Panic#1", 1, 6, 9), part("Panic#1", 3, 0, 2), part("Panic#1", 2, 2, 6)];
  const [log = "", ...more] = storedLogs(parts.join("")) ?? [];
  expect(more).toEqual([]);
  expect(log).toBe(`${LOG.join("\n")}\n`);
  const [report, ...others] = reportsIn(log);
  expect(others).toEqual([]);
  expect(report === undefined ? undefined : explainReport(report).verdict).toMatchObject({ function: "widget_poll", confidence: "high" });
});

test("an oops and the panic behind it are two logs", () => {
  const logs = storedLogs(part("Oops#1", 1, 0, 8) + part("Panic#2", 2, 0, 6) + part("Panic#2", 1, 6, 9));
  expect(logs?.map((log) => log.split("\n").length)).toEqual([9, 10]);
  expect(storedLogs(LOG.join("\n"))).toBeUndefined();
});

test("the tenth part comes before the ninth", () => {
  const pieces = [9, 10, 1].map((number) => ({ dump: "Panic#1", part: number, value: number }));
  expect([...byDump(pieces)]).toEqual([["Panic#1", [10, 9, 1]]]);
});
