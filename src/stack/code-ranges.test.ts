import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { StructTable } from "../linux/testing/fake-kernel.ts";
import { fakeTypes } from "../linux/testing/fake-kernel.ts";
import { CodeRanges } from "./code-ranges.ts";
import { FakeStackKernel } from "./testing/fake-stack-kernel.ts";

const HEAD = 0xffff_ffff_8500_0000n;
const PROGRAM = 0xffff_8880_0500_0000n;
const JIT = 0xffff_ffff_c000_1000n;
const TABLE: StructTable = { bpf_ksym: { start: [0, "u64"], end: [8, "u64"], name: [16, "bytes64"], lnode: [80, "bytes16"] } };

describe("code", () => {
  it("is named by the call for a return address, by the pc otherwise", () => {
    const kernel = new FakeStackKernel("x86_64");
    kernel.define("first");
    const second = virtual(kernel.define("second"));
    const code = CodeRanges.of(kernel.kernel);
    expect(code.place(second, true)).toMatchObject({ function: "first", offset: 0x1000 });
    expect(code.place(second, false)).toMatchObject({ function: "second", offset: 0 });
    // Twice: the answer is remembered by address and must not grow.
    expect(code.place(second, true)?.offset).toBe(0x1000);
  });

  it("is the kernel's text, modules' text and what the kernel generated", () => {
    const kernel = new FakeStackKernel("x86_64");
    const start = virtual(kernel.define("first"));
    const regions = [
      { kind: "text", start: virtual(0xffff_ffff_c100_0000n), size: 4096 },
      { kind: "data", start: virtual(0xffff_ffff_c200_0000n), size: 4096 },
    ];
    Object.assign(kernel, { modules: [{ name: "m", regions }], types: fakeTypes(kernel.memory, TABLE) });
    kernel.symbol("bpf_kallsyms", HEAD);
    kernel.memory.put64(HEAD, PROGRAM + 80n);
    kernel.words(PROGRAM, JIT, JIT + 0x100n);
    kernel.memory.putText(PROGRAM + 16n, "bpf_prog_6deef7357e7b4530_trace\0");
    kernel.memory.put64(PROGRAM + 80n, HEAD);
    const code = CodeRanges.of(kernel.kernel);
    expect([start, 0xffff_ffff_c100_0fffn, JIT].map((at) => code.isCode(at))).toEqual([true, true, true]);
    expect([0xffff_ffff_c100_1000n, 0xffff_ffff_c200_0000n, JIT + 0x100n, 0n].map((at) => code.isCode(at))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    // Without symbols the module is still known.
    expect([start, 0xffff_ffff_c100_0fffn, 0xffff_ffff_c200_0000n, JIT].map((at) => code.moduleOf(at))).toEqual([
      undefined,
      "m",
      undefined,
      undefined,
    ]);
    expect([start, JIT].map((at) => code.isGenerated(at))).toEqual([false, true]);
    expect(code.place(virtual(JIT + 0x20n), false)).toEqual({
      function: "bpf_prog_6deef7357e7b4530_trace",
      offset: 0x20,
      module: "bpf",
      start: JIT,
    });
  });
});
