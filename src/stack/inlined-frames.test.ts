import { describe, expect, it } from "vitest";
import { RegisterSet } from "../arch/registers.ts";
import { RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { FormatError } from "../bytes/errors.ts";
import type { DebugInfo, Scope } from "../debug-info/debug-info.ts";
import { KernelDebugInfo } from "../kernel/debug-info.ts";
import { withInlinedFrames } from "./inlined-frames.ts";
import { startOfRegisters } from "./start.ts";
import { callRule, END_RULE, FakeStackKernel, STACK, TASK } from "./testing/fake-stack-kernel.ts";
import { unwindFrom } from "./unwind.ts";

const BIAS = 0x1000_0000n;

const scope = (kind: Scope["kind"], name?: string, line?: number, entry?: bigint): Scope =>
  ({ kind, name, entry, call: line === undefined ? undefined : { file: "/k/a.c", line, column: 1 } }) as Scope;

/** leaf (interrupted) ← work, into which b was inlined, and c into b ← kthread. */
function stack() {
  const kernel = new FakeStackKernel("x86_64");
  kernel.define("leaf", callRule(8));
  kernel.define("work", callRule(16));
  kernel.define("kthread", END_RULE);
  kernel.words(STACK + 1024n, kernel.call("work", 0x40, "leaf"), 0n, kernel.call("kthread", 0x20, "work"));
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(RIP, kernel.start("leaf"));
  registers.set(RSP, STACK + 1024n);
  const unwound = unwindFrom(kernel.kernel, startOfRegisters(registers), TASK);
  return { kernel, unwound };
}

function describeWith(kernel: FakeStackKernel, info: Partial<DebugInfo>): FakeStackKernel["kernel"] {
  kernel.debugInfo = new KernelDebugInfo({ module: undefined, path: "vmlinux", info: info as DebugInfo, bias: BIAS }, () => []);
  return kernel.kernel;
}

const lineAt: DebugInfo["lineAt"] = (address) => ({
  file: "/k/a.c",
  line: Number(address & 0xffn),
  column: 0,
  range: { low: address, high: address },
  statement: true,
});

describe("inlined frames", () => {
  it("stand before the frame they were inlined into, each with the line of its own", () => {
    const { kernel, unwound } = stack();
    const call = kernel.start("work") + 0x3fn - BIAS;
    const scopes = [scope("block"), scope("inlined", "c", 12), scope("block"), scope("inlined", "b", 90), scope("function", "work")];
    const opened = describeWith(kernel, { lineAt, scopesAt: (address) => (address === call ? scopes : []) });
    const { frames, stop } = withInlinedFrames(opened, unwound);
    expect(frames.map(({ level, function: name, kind, source }) => `#${level} ${name} ${kind} ${source?.line}`)).toEqual([
      "#0 leaf interrupted 0",
      "#1 c inline 63",
      "#2 b inline 12",
      "#3 work call 90",
      "#4 kthread call 31",
    ]);
    const physical = frames[3];
    for (const inlined of [frames[1], frames[2]]) {
      expect(inlined).toMatchObject({ pc: physical?.pc, sp: physical?.sp, offset: undefined, exception: undefined });
      expect(inlined?.registers).toBe(physical?.registers);
    }
    expect(stop).toEqual(unwound.stop);
  });

  it("are left out, or lines are, when that is asked; what is done is not done again", () => {
    const { kernel, unwound } = stack();
    const opened = describeWith(kernel, { lineAt, scopesAt: () => [scope("inlined", "c", 12), scope("function")] });
    const without = withInlinedFrames(opened, unwound, { frames: false });
    expect(without.frames.map(({ function: name, source }) => `${name} ${source?.line}`)).toEqual(["leaf 0", "work 63", "kthread 31"]);
    const noLines = withInlinedFrames(opened, unwound, { lines: false });
    expect(noLines.frames.map(({ function: name }) => name)).toEqual(["c", "leaf", "c", "work", "c", "kthread"]);
    expect(noLines.frames.some(({ source }) => source !== undefined)).toBe(false);
    expect(withInlinedFrames(opened, without)).toBe(without);
    expect(withInlinedFrames(opened, noLines)).toBe(noLines);
  });

  it("do not come without debug information", () => {
    const { kernel, unwound } = stack();
    expect(withInlinedFrames(kernel.kernel, unwound)).toBe(unwound);
  });

  it("cost a stack nothing where debug information is damaged, which is told", () => {
    const { kernel, unwound } = stack();
    const damaged = () => {
      throw new FormatError("vmlinux: .debug_line", "it is damaged");
    };
    const opened = describeWith(kernel, { lineAt: damaged, scopesAt: damaged });
    const notes: string[] = [];
    Object.assign(opened, { note: (text: string) => notes.push(text) });
    expect(withInlinedFrames(opened, unwound).frames.map(({ function: name }) => name)).toEqual(["leaf", "work", "kthread"]);
    expect(new Set(notes)).toEqual(new Set(["debug information: vmlinux: .debug_line: it is damaged"]));
  });
});

describe("names of physical frames", () => {
  it("are the symbol table's, unless it has the function's own name at that place too, or none at all", () => {
    const { kernel, unwound } = stack();
    const start = kernel.start("work");
    const scopesAt = (address: bigint) => {
      const at = address + BIAS;
      if (at < start) return [scope("function", "real_leaf")];
      return at < start + 0x1000n ? [scope("function", "own_work")] : [scope("function", "kthread")];
    };
    const opened = describeWith(kernel, { lineAt, scopesAt });
    const names = () => withInlinedFrames(opened, unwound).frames.map(({ function: name }) => name);
    Object.assign(kernel.symbols, { allByName: () => [] });
    expect(names()).toEqual(["leaf", "work", "kthread"]);
    Object.assign(kernel.symbols, { allByName: (name: string) => (name === "own_work" ? [{ address: start }] : []) });
    expect(names()).toEqual(["leaf", "own_work", "kthread"]);
    const nameless = { ...unwound, frames: unwound.frames.map((frame) => ({ ...frame, function: undefined, offset: undefined })) };
    const entry = start - BIAS;
    const described = describeWith(kernel, { lineAt, scopesAt: () => [scope("function", "work", undefined, entry)] });
    expect(withInlinedFrames(described, nameless).frames[1]).toMatchObject({ function: "work", offset: 0x40 });
  });
});
