import { expect, test } from "vitest";
import type { VirtualAddress } from "../../bytes/address.ts";
import type { DebugInfo, Scope } from "../../debug-info/debug-info.ts";
import type { KernelSymbol } from "../../debug-info/symbols.ts";
import { KernelDebugInfo } from "../../kernel/debug-info.ts";
import { smallKernel } from "../../kernel/testing/small-kernel.ts";
import { reportsIn } from "./find-reports.ts";
import type { LogReport } from "./report.ts";
import { addressOfFrame, symbolised } from "./symbolise.ts";

const BASE = 0xffffffff81000000n;
/** widget_read calls widget_check (inlined, line 7), at widget.c:20; its return address is 0x33. */
const info = {
  file: "vmlinux",
  lineAt: (address: bigint) =>
    address === BASE + 0x132n
      ? { file: "/build/linux/drivers/widget.c", line: 7, column: 0 }
      : address === BASE + 0x1cn
        ? { file: "/build/linux/drivers/widget.c", line: 3, column: 0 }
        : undefined,
  scopesAt: (address: bigint): readonly Partial<Scope>[] =>
    address === BASE + 0x132n
      ? [
          { kind: "inlined", name: "widget_check", call: { file: "/build/linux/drivers/widget.c", line: 20, column: 0 } },
          { kind: "function", name: "widget_read" },
        ]
      : address === BASE + 0x1000n
        ? [{ kind: "function", name: "start_kernel", declared: { file: "/build/linux/init/main.c", line: 1, column: 0 } }]
        : [],
} as unknown as DebugInfo;

const kernel = smallKernel({
  symbols: {
    widget_poll: [BASE, "t"],
    "widget_poll.cold": [BASE + 0x40n, "t"],
    widget_read: [BASE + 0x100n, "t"],
    twin: [BASE + 0x180n, "t"],
    start_kernel: [BASE + 0x1000n, "T"],
  },
  debugInfo: new KernelDebugInfo({ module: undefined, path: "vmlinux", info, bias: 0n }, () => []),
});

const [report] = reportsIn(`[   10.000000] BUG: kernel NULL pointer dereference, address: 0000000000000028
[   10.000001] Oops: 0000 [#1] SMP
[   10.000002] CPU: 3 PID: 77 Comm: feeder Not tainted 6.1.0 #1
[   10.000003] RIP: 0010:widget_poll+0x1c/0x40
[   10.000004] Call Trace:
[   10.000005]  widget_read+0x33/0x80
[   10.000006]  elsewhere+0x33/0x80
[   10.000007] ---[ end trace 0000000000000000 ]---`) as [LogReport];

test("the pc stands for itself, a return address for the call before it; inlined functions come first", () => {
  const { pc, traces } = symbolised(kernel, report);
  expect(pc).toMatchObject({ function: "widget_poll", file: "drivers/widget.c", line: 3 });
  expect(traces[0]?.frames).toEqual([
    { function: "widget_check", file: "drivers/widget.c", line: 7, inlined: true },
    { function: "widget_read", offset: 0x33, size: 0x80, file: "drivers/widget.c", line: 20 },
    { function: "elsewhere", offset: 0x33, size: 0x80 },
  ]);
});

test("a place is found by name and size; a module's function is not the kernel's", () => {
  expect(addressOfFrame(kernel, { function: "widget_poll", offset: 4, size: 0x40 })).toBe(BASE + 4n);
  // The unlikely part has another size.
  expect(addressOfFrame(kernel, { function: "widget_poll", offset: 4, size: 0xc0 })).toBe(BASE + 0x44n);
  expect(addressOfFrame(kernel, { function: "widget_poll", offset: 4, size: 0x400 })).toBeUndefined();
  expect(addressOfFrame(kernel, { function: "widget_poll", offset: 4, size: 0x40, module: "widget" })).toBeUndefined();
  expect(addressOfFrame(kernel, { function: "widget_poll", size: 0x40 })).toBeUndefined();
});

test("frames that have their lines are left alone", () => {
  const given = {
    ...report,
    traces: [{ name: "Call Trace", frames: [{ function: "widget_read", offset: 0x33, size: 0x80, file: "a.c", line: 1 }] }],
  };
  expect(symbolised(kernel, given).traces).toEqual(given.traces);
});

test("the last function of a module reaches to the end of its text, the others only over their padding", () => {
  const text = 0xffffffffa0000000n;
  const widget = smallKernel({
    symbols: { first: [text, "t", "widget"], last: [text + 0x40n, "t", "widget"], other: [text + 0x2000n, "t", "gadget"] },
  });
  // As ELF files have it: each function ends with its code.
  const short = (symbol: KernelSymbol) => ({ ...symbol, size: 0x1c });
  const table = widget.symbols;
  const loaded = Object.create(widget, {
    symbols: {
      value: {
        prefix: () => [],
        allByName: (name: string) => table.allByName(name).map(short),
        neighbours: (address: VirtualAddress) => table.neighbours(address),
      },
    },
  }) as typeof widget;
  const at = (name: string, size: number) => addressOfFrame(loaded, { function: name, offset: 4, size, module: "widget" });
  expect(at("last", 0xfc0)).toBe(text + 0x44n);
  expect(at("last", 0x1900)).toBeUndefined();
  expect(at("first", 0x30)).toBe(text + 4n);
  expect(at("first", 0xfc0)).toBe(undefined);
});
