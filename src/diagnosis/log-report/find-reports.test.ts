import { describe, expect, test } from "vitest";
import { ReportFinder, reportsIn } from "./find-reports.ts";
import type { LogReport } from "./report.ts";

const NOISE = "[    1.000000] usb 1-1: new high-speed USB device number 2 using xhci_hcd";
const oops = (stamp: (index: number) => string): string =>
  [
    "BUG: kernel NULL pointer dereference, address: 0000000000000028",
    "#PF: supervisor read access in kernel mode",
    "#PF: error_code(0x0000) - not-present page",
    "PGD 0 P4D 0 ",
    "Oops: 0000 [#1] PREEMPT SMP NOPTI",
    "CPU: 3 PID: 77 Comm: feeder Tainted: G        W  OE      6.1.0-9-amd64 #1  Debian 6.1.27-1",
    "Hardware name: Example Board/X1, BIOS 1.0 01/01/2020",
    "RIP: 0010:widget_poll+0x1c/0x40 [widget]",
    "Code: 0f 1f 44 00 00 48 8b 47 10 <48> 8b 40 28 c3",
    "RSP: 0018:ffffb0c2c0003e50 EFLAGS: 00010246",
    "RAX: 0000000000000000 RBX: ffff9a0000000000 RCX: 0000000000000000",
    "Call Trace:",
    " <TASK>",
    " widget_read+0x33/0x80 [widget]",
    " vfs_read+0x9f/0x2f0",
    " ksys_read+0x5f/0xe0",
    " do_syscall_64+0x5b/0xc0",
    " entry_SYSCALL_64_after_hwframe+0x63/0xcd",
    " </TASK>",
    "Modules linked in: widget(OE) snd",
    "CR2: 0000000000000028",
    "---[ end trace 0000000000000000 ]---",
  ]
    .map((line, index) => stamp(index) + line)
    .join("\n");
const plain = oops((index) => `[   10.0000${String(index).padStart(2, "0")}] `);

/** What must not depend on prefixes or pieces. */
function essence({ family, pc, traces, faultAddress, comm, pid, cpu, damage }: LogReport): unknown {
  return { family, pc, frames: traces.map(({ frames }) => frames), faultAddress, comm, pid, cpu, damage };
}
const wanted = essence(reportsIn(plain)[0] as LogReport);

test("an oops with all its fields", () => {
  const [report, ...more] = reportsIn(`${NOISE}\n${plain}\n${NOISE}\n`);
  expect(more).toEqual([]);
  expect(report).toMatchObject({
    family: "oops",
    machine: "x86_64",
    cpu: 3,
    pid: 77,
    comm: "feeder",
    release: "6.1.0-9-amd64",
    taint: "G W OE",
    pc: { function: "widget_poll", offset: 0x1c, module: "widget" },
    faultAddress: 0x28n,
    errorCode: 0n,
    damage: [],
    first: { number: 2, time: 10 },
  });
  expect(report?.modules).toEqual(["widget(OE)", "snd"]);
  expect(report?.registers.get("rbx")).toBe(0xffff9a0000000000n);
  expect(report?.code).toMatchObject({ at: 9 });
  expect(report?.traces[0]?.frames.map((frame) => frame.function)).toEqual([
    "widget_read",
    "vfs_read",
    "ksys_read",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
  ]);
});

test("the offset in the input is that of the head", () => {
  const text = `${NOISE}\n${NOISE}\n${plain}`;
  const [report] = reportsIn(text);
  expect(text.slice(report?.first.offset).startsWith("[   10.000000] BUG")).toBe(true);
  expect(report?.first.number).toBe(3);
});

test("the size of the pieces does not matter", () => {
  const bytes = new TextEncoder().encode(`${`${NOISE}\n`.repeat(300)}${plain}\n${`${NOISE}\n`.repeat(100)}`);
  for (const size of [1, 7, 64, 1000, 8192, bytes.length]) {
    const finder = new ReportFinder();
    const reports: LogReport[] = [];
    for (let at = 0; at < bytes.length; at += size) reports.push(...finder.push(bytes.subarray(at, at + size)));
    reports.push(...finder.finish());
    expect(reports.map(essence)).toEqual([wanted]);
    expect(reports[0]?.first.number).toBe(301);
  }
});

describe("every prefix", () => {
  test.each([
    ["none", () => ""],
    ["caller", (index: number) => `[   10.0000${10 + index}][   T77] `],
    ["level", (index: number) => `<4>[   10.0000${10 + index}] `],
    ["syslog", (index: number) => `Nov 19 10:00:01 host kernel: [   10.0000${10 + index}] `],
    ["journal", () => "Nov 19 10:00:01 host kernel: "],
    ["iso", () => "2024-11-19T10:00:01.000001+00:00 host kernel: "],
    ["netconsole", (index: number) => `4,${index},100000${10 + index},-;`],
    ["dmesg -T", () => "[Tue Nov 19 10:00:01 2024] "],
    ["mail", (index: number) => `> [   10.0000${10 + index}] `],
    ["mail, indented", () => "    "],
  ] as const)("%s", (_, stamp) => {
    expect(reportsIn(oops(stamp)).map(essence)).toEqual([wanted]);
  });
  test("carriage returns and colours", () => {
    expect(reportsIn(plain.replaceAll("\n", "\r\n")).map(essence)).toEqual([wanted]);
    expect(reportsIn(plain.replaceAll("] ", "] \x1b[31m").replaceAll("\n", "\x1b[0m\n")).map(essence)).toEqual([wanted]);
  });
});

test("two CPUs that print at once are kept apart by their caller ids", () => {
  const mine = oops((index) => `[   10.0000${10 + index}][   T77] `).split("\n");
  const other = [
    "WARNING: CPU: 0 PID: 5 at drivers/gadget/core.c:5 gadget_stop+0x4/0x10",
    "CPU: 0 PID: 5 Comm: stopper Not tainted 6.1.0-9-amd64 #1",
    "RIP: 0010:gadget_stop+0x4/0x10",
    "Call Trace:",
    " gadget_exit+0x1/0x2",
    " do_syscall_64+0x5b/0xc0",
    "---[ end trace 0000000000000000 ]---",
  ].map((line, index) => `[   10.0000${20 + index}][    T5] ${line}`);
  const mixed = mine.flatMap((line, index) => [line, ...(other[index - 1] === undefined ? [] : [other[index - 1] as string])]);
  const reports = reportsIn(mixed.join("\n"));
  expect(essence(reports[0] as LogReport)).toEqual(wanted);
  expect(reports[1]).toMatchObject({ family: "warning", pc: { function: "gadget_stop" }, damage: [], comm: "stopper" });
  expect(reports).toHaveLength(2);
});

test("without caller ids the first of two mixed reports is flagged", () => {
  const [first, second] = reportsIn(
    `${plain.split("\n").slice(0, 6).join("\n")}\n[   10.1] x\n[   10.100000] BUG: KASAN: use-after-free in gadget_put+0x1/0x20\n[   10.100001] Read of size 8 at addr ffff888000000010 by task x/1\n`,
  );
  expect(first?.damage).toContain("another report begins inside it");
  expect(second?.family).toBe("kasan");
});

test("wrapped frames are joined", () => {
  const long = `[   10.000030]  widget_a_rather_long_name_of_a_function_that_goes_on_and_on_and_on+0x3\n3/0x80 [widget]`;
  const text = plain.replace(/\[ +10\.000013\].*$/m, long);
  expect(reportsIn(text)[0]?.traces[0]?.frames[0]).toMatchObject({
    function: "widget_a_rather_long_name_of_a_function_that_goes_on_and_on_and_on",
    offset: 0x33,
    size: 0x80,
  });
});

test("a log that ends in the first lines is cut off", () => {
  const [report] = reportsIn(plain.split("\n").slice(0, 3).join("\n"));
  expect(report?.damage).toContain("no call trace");
});

test("dropped messages are told", () => {
  const [report] = reportsIn(plain.replace("[   10.000005] CPU", "** 12 printk messages dropped ** [   10.000005] CPU"));
  expect(report?.damage.join()).toContain("dropped");
});

test.each([
  "[   10.000000] WARNING: The mand mount option has been deprecated and",
  "executing program: r0 = open('BUG: x')",
  "[   10.000000] INFO: lockdep is turned off.",
  "[   10.000000] tool[12]: segfault at 4cb420 ip 00000000004cb420 sp 00007f27 error 15 in tool[4c9000+3000]",
  "[   10.000000] traps: tool[12] general protection fault ip:401000 sp:7ffd error:0 in tool[400000+1000]",
  "[   10.000000] mce: CPU0: Thermal monitoring enabled (TM1)",
  "[   10.000000] mce: [Hardware Error]: Machine check events logged",
  '[   10.000000] PCI: Using host bridge windows from ACPI; if necessary, use "pci=nocrs" and report a bug',
  "[   10.000000] WARNING: workqueue cpumask: online intersect > possible intersect",
  "[   10.000000] INFO: NMI handler (perf_event_nmi_handler) took too long to run: 1.2 msecs",
  "[   10.000000] ODEBUG: Out of memory. ODEBUG disabled",
  "[   10.000000] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
  "[   10.000000] Warning: unable to open an initial console.",
  "Nov 19 10:00:01 host tool[12]: WARNING: Retrying after connection broken: kernel BUG at line 1!",
  "[   10.000000] host tool[12]: kernel BUG at mm/slub.c:305!",
  '{"SYSLOG_IDENTIFIER":"tool","MESSAGE":"kernel BUG at mm/slub.c:305!"}',
])("silent: %s", (line) => {
  expect(reportsIn(`${line}\n${line}\n`)).toEqual([]);
});

const OOPS = [
  "BUG: kernel NULL pointer dereference, address: 0000000000000028",
  "Oops: 0000 [#1] SMP",
  "CPU: 1 PID: 77 Comm: feeder Not tainted 6.1.0 #1",
  "RIP: 0010:widget_poll+0x1c/0x40",
  "Call Trace:",
  " widget_read+0x1/0x2",
  " do_syscall_64+0x1/0x2",
];

test.each<readonly [string, (line: string) => string]>([
  ["docker's json-file", (line) => JSON.stringify({ log: `[   10.000000] ${line}\n`, stream: "stdout" })],
  ["journalctl -o json", (line) => JSON.stringify({ SYSLOG_IDENTIFIER: "kernel", MESSAGE: line })],
  ["docker compose", (line) => `guest_1  | ${line}`],
  ["seconds of a test driver", (line) => `00034 ${line}`],
  ["programs between", (line) => `Nov 19 10:00:01 host kernel: ${line}\nNov 19 10:00:01 host tool[12]: WARNING: at x.c:12 BUG: y`],
])("read through %s", (_, form) => {
  const reports = reportsIn(`${OOPS.map(form).join("\n")}\n`);
  expect(reports.map(({ family, damage, pc }) => [family, damage, pc?.function])).toEqual([["oops", [], "widget_poll"]]);
  expect(reports[0]?.traces[0]?.frames.map((frame) => frame.function)).toEqual(["widget_read", "do_syscall_64"]);
});

test("a trace without its top, or without the code that failed, is flagged", () => {
  const kasan = (...frames: string[]) =>
    reportsIn(
      [
        "BUG: KASAN: use-after-free in widget_poll+0x1/0x2",
        "Read of size 8 at addr ffff888000000000 by task tool/12",
        "Call Trace:",
        ...frames,
      ]
        .concat("=".repeat(66), "")
        .join("\n"),
    )[0]?.damage;
  const printed = [" dump_stack_lvl+0x1/0x2", " kasan_report+0x1/0x2"];
  expect(kasan(...printed, " widget_poll+0x1/0x2", " widget_read+0x1/0x2")).toEqual([]);
  expect(kasan(" widget_poll+0x1/0x2", " widget_read+0x1/0x2")).toEqual(["the top of the call trace is missing"]);
  const stall = [
    "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "CPU: 1 PID: 77 Comm: feeder Not tainted 6.1.0 #1",
    "RIP: 0010:default_idle+0x1c/0x40",
    "Call Trace:",
    " asm_sysvec_apic_timer_interrupt+0x1/0x2",
    "",
  ];
  expect(reportsIn(stall.join("\n"))[0]?.damage).toContain("the CPU was idle when it was asked: nothing that ran is shown");
});

test("a file without line ends costs neither time nor memory", () => {
  expect(reportsIn(new Uint8Array(3_000_000).fill(0x42))).toEqual([]);
  expect(reportsIn(`${"x".repeat(100_000)}BUG: KASAN: ${"y".repeat(100_000)}`).length).toBeLessThan(3);
});

test("each line twice, of two consoles, is one line", () => {
  const lines = [
    "INFO: task feeder:77 blocked for more than 120 seconds.",
    "      Not tainted 6.1.0 #1",
    "task:feeder state:D stack:0 pid:77 ppid:2 flags:0x00004000",
    "Call Trace:",
    " schedule+0x46/0xb0",
    " widget_wait+0x1/0x20 [widget]",
    " widget_wait+0x1/0x20 [widget]",
    " ret_from_fork+0x22/0x30",
  ].map((text) => `[   12.345678] ${text}`);
  const twice = reportsIn(lines.flatMap((line) => [line, line]).join("\n"));
  expect(twice.length).toBe(1);
  expect(twice[0]?.traces[0]?.frames.map((frame) => frame.function)).toEqual(["schedule", "widget_wait", "ret_from_fork"]);
  expect(reportsIn(lines.join("\n"))[0]?.traces[0]?.frames.length).toBe(4);
});

test("numbers of grep, files and logcat before each line, ends of web pages' lines, and holes in a file", () => {
  const lines = [
    "BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "Oops: 0000 [#1] SMP",
    "CPU: 1 PID: 77 Comm: feeder Not tainted 6.1.0 #1",
    "RIP: 0010:widget_poll+0x1c/0x40",
    "Call Trace:",
    " widget_read+0x10/0x20",
    " entry_SYSCALL_64_after_hwframe+0x44/0xa9",
  ];
  const forms: readonly ((line: string, index: number) => string)[] = [
    (line, index) => `${index + 9}${index === 0 ? ":" : "-"}${line}`,
    (line) => `/var/log/kern.log:${line}`,
    (line, index) => `${String(index + 8).padStart(5)}  ${line}`,
    (line) => `11-19 10:00:01.123     0     0 E KERNEL  : ${line}`,
    (line) => `${line}<br>`,
    (line) => `${line}\0\0`,
  ];
  for (const form of forms) {
    const [report] = reportsIn(lines.map(form).join("\n"));
    expect(report?.pc?.function).toBe("widget_poll");
    expect(report?.traces[0]?.frames.map((frame) => frame.function)).toEqual(["widget_read", "entry_SYSCALL_64_after_hwframe"]);
    expect(report?.damage).toEqual([]);
  }
});
