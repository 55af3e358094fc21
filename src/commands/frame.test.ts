import { beforeEach, expect, test, vi } from "vitest";
import { RegisterSet } from "../arch/registers.ts";
import { X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import type { Scope } from "../debug-info/debug-info.ts";
import { UNSIGNED_LONG } from "../kernel/expression/values.ts";
import { Value } from "../kernel/value.ts";
import type { StackFrame } from "../stack/frame.ts";
import type { FrameVariable } from "../stack/frame-variables.ts";
import { printSession } from "./testing/print-session.ts";

const SP = 0xffff888000004000n;

function frameAt(level: number, name: string, known: Readonly<Record<string, bigint>>): StackFrame {
  const registers = new RegisterSet(X86_64_REGISTERS);
  for (const [register, value] of Object.entries(known)) registers.set(X86_64_REGISTERS.names.indexOf(register), value);
  return {
    level,
    sp: virtual(SP + BigInt(level) * 16n),
    pc: virtual(registers.pc ?? 0n),
    function: name,
    offset: 4,
    module: undefined,
    kind: level === 0 ? "interrupted" : "call",
    certainty: "exact",
    foundBy: level === 0 ? "registers" : "orc",
    stack: { kind: "task", start: virtual(SP), end: virtual(SP + 0x4000n), cpu: undefined },
    registers,
    exception: undefined,
  };
}

const stack = {
  frames: [
    frameAt(0, "stop_it", { rip: 0xffffffff81000044n, rsp: SP, rax: 0x1234567890abcdefn, rbx: 5n }),
    frameAt(1, "run_it", { rip: 0xffffffff81000014n, rsp: SP + 16n, rbx: 7n }),
  ],
  stop: { complete: true, text: "user mode" },
  user: undefined,
};
vi.mock("../stack/unwind.ts", () => ({ unwindTask: () => stack }));
vi.mock("../stack/inlined-frames.ts", () => ({ withInlinedFrames: (_kernel: unknown, same: unknown) => same }));
let variables: FrameVariable[] = [];
vi.mock("../stack/frame-variables.ts", () => ({
  frameVariables: () => variables,
  frameVariable: (...[, , , name]: unknown[]) => (variables as { name: string }[]).find((each) => each.name === name),
}));

let { run, session } = printSession();
beforeEach(() => {
  ({ run, session } = printSession());
  session.context = session.kernel.address("head");
  variables = [];
});

/** A session whose kernel has debug information, for the frame's variables. */
function described(): void {
  Object.defineProperty(session.kernel.debugInfo, "present", { get: () => true });
  session.kernel.debugInfo.scopes = () => [{ die: { unit: {} } }] as unknown as readonly Scope[];
  session.kernel.debugInfo.line = () => undefined;
  const memory = session.kernel.memory;
  const head = { type: UNSIGNED_LONG, reason: undefined, register: undefined, atEntry: false } as const;
  const value = (immediate: bigint) => new Value(memory, UNSIGNED_LONG, { immediate });
  variables = [
    { ...head, name: "ticks", kind: "parameter", state: "known", value: value(1000n) },
    { ...head, name: "len", kind: "parameter", state: "from caller", value: value(3n) },
    { ...head, name: "first", kind: "parameter", state: "from caller", atEntry: true, value: value(4n) },
    { ...head, name: "gone", kind: "local", state: "optimized out", value: undefined },
    { ...head, name: "lost", kind: "local", state: "unreadable", value: undefined, reason: "rdx is not known" },
  ];
}

test("frames are chosen by number and by steps", () => {
  expect(run("frame")).toEqual(["#0  0xffffffff81000044 in stop_it ()"]);
  expect(run("up")).toEqual(["#1  0xffffffff81000014 in run_it ()"]);
  expect(() => run("up")).toThrow("frame 1 is the outermost one: user mode");
  expect(run("down 5")).toEqual(["#0  0xffffffff81000044 in stop_it ()"]);
  expect(() => run("down")).toThrow("frame 0 is the innermost one");
  expect(() => run("frame 7")).toThrow("there is no frame 7: the stack has frames 0 to 1");
  expect(() => run("frame -1")).toThrow("-1 is no number of a frame");
});

test("registers are those of the chosen frame, narrow ones and roles too", () => {
  const value = (line: string) => run(line)[0]?.replace(/^\$\d+ = /, "");
  expect(value("p $rip")).toBe("(void (*)()) 0xffffffff81000044 <stop_it+4>");
  expect(value("p $sp")).toBe("(void *) 0xffff888000004000");
  expect(value("p $rbx + 1")).toBe("6");
  expect(value("p/x $eax")).toBe("0x90abcdef");
  expect(value("p/x $ax")).toBe("0xcdef");
  expect(value("p/x $ah")).toBe("0xcd");
  run("up");
  expect(value("p $rbx")).toBe("7");
  expect(() => run("p $rax")).toThrow("register rax is not known in frame 1: functions do not keep it over a call");
  session.context = session.kernel.address("ticks");
  expect(value("p $rbx")).toBe("5");
});

test("info registers: gdb's columns, what is nowhere shares a line", () => {
  expect(run("info registers rbx pc")).toEqual([
    "rbx            0x5                 5",
    "rip            0xffffffff81000044  0xffffffff81000044 <stop_it+4>",
  ]);
  expect(run("info registers").at(-1)).toMatch(/^not known in this frame: rcx rdx /);
  expect(run("info registers rcx")).toEqual(["rcx            <not known in this frame>"]);
  expect(() => run("info registers rxb")).toThrow("(nearest: rbx)");
});

test("info frame says how the frame was found", () => {
  expect(run("info f")).toEqual([
    "Stack level 0, frame at 0xffff888000004000:",
    " rip = 0xffffffff81000044 in stop_it; saved rip = 0xffffffff81000014",
    " found by registers, exact; on the task stack",
    " called by frame 1: run_it",
    " Registers kept over calls:",
    "  rbx=0x5",
  ]);
});

test("variables of the frame, and why some have no value", () => {
  expect(() => run("info locals")).toThrow("locals need debug information, and none describes stop_it: inquest DUMP VMLINUX");
  described();
  expect(run("frame")).toEqual(["#0  0xffffffff81000044 in stop_it (ticks=1000, len=3 (from caller), first=4 (from caller, at entry))"]);
  expect(run("info args")).toEqual(["ticks = 1000", "len = 3 (from caller)", "first = 4 (from caller, at entry)"]);
  expect(run("info locals")).toEqual(["gone = <optimized out>", "lost = <unreadable: rdx is not known>"]);
  expect(run("p len + 1")[0]).toMatch(/= 4$/);
  expect(() => run("p gone")).toThrow("gone of frame 0: optimized out");
});

test("the kernel's names come first until a frame is chosen", () => {
  described();
  expect(run("p ticks")[0]).toMatch(/^ticks = \$\d+ = 42$/);
  run("frame 0");
  expect(run("p ticks")[0]).toMatch(/^\$\d+ = 1000$/);
});

test("topics of info", () => {
  expect(run("info symbol run_it + 4")).toEqual(["run_it + 4 in section .text"]);
  expect(run("info symbol 0x7000000000")).toEqual(["No symbol matches 0x7000000000."]);
  expect(run("info address ticks")).toEqual(['Symbol "ticks" is static storage at address 0xffffffff82000040.']);
  expect(run("info address run_it")).toEqual(['Symbol "run_it" is a function at address 0xffffffff81000010.']);
  expect(() => run("info line run_it")).toThrow("source lines need a vmlinux");
  expect(() => run("info loc")).toThrow("locals need");
  expect(() => run("info lo")).toThrow("locals need");
  expect(() => run("info simbol")).toThrow("nearest: symbol");
  expect(() => run("info")).toThrow("info what? symbol, address");
});
