import { describe, expect, test } from "vitest";
import { ARM64_REGISTERS, FP, PC, SP } from "../../arch/arm64-registers.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { startOfRegisters } from "../../stack/start.ts";
import { FakeStackKernel, STACK, STACK_END, TASK } from "../../stack/testing/fake-stack-kernel.ts";
import { unwindFrom } from "../../stack/unwind.ts";
import { stackResult } from "./stack-result.ts";

describe("stackResult", () => {
  test("a CPU caught at an exception's entry lacks the frame that it interrupted; elsewhere nothing is lost", () => {
    const fake = new FakeStackKernel("arm64");
    for (const name of ["vectors", "delay", "panic"]) fake.define(name);
    fake.symbol("__entry_text_start", fake.start("vectors"));
    fake.symbol("__entry_text_end", fake.start("vectors") + 0x100n);
    const record = STACK + 0x1000n;
    fake.words(record, STACK_END - 16n, fake.call("panic", 0x40, "delay"));
    const lost = (pc: bigint) => {
      const registers = new RegisterSet(ARM64_REGISTERS);
      for (const [index, value] of [
        [PC, pc],
        [FP, record],
        [SP, record],
      ] as const)
        registers.set(index, value);
      const { frames } = stackResult(fake.kernel, null, unwindFrom(fake.kernel, startOfRegisters(registers), TASK), undefined);
      return frames.map(({ function: name, interruptedLost }) => `${name}${interruptedLost === true ? " lost" : ""}`).slice(0, 2);
    };
    expect(lost(fake.start("vectors") + 0x80n)).toEqual(["vectors lost", "panic"]);
    expect(lost(fake.start("delay") + 0x10n)).toEqual(["delay", "panic"]);
  });

  test("a running CPU's registers are shown though the call it is in was inlined", () => {
    const fake = new FakeStackKernel("arm64");
    for (const name of ["delay", "panic"]) fake.define(name);
    const registers = new RegisterSet(ARM64_REGISTERS);
    registers.set(PC, fake.start("delay") + 0x10n);
    registers.set(SP, STACK + 0x1000n);
    registers.set(FP, STACK + 0x1000n);
    const stack = unwindFrom(fake.kernel, startOfRegisters(registers), TASK);
    const [first, ...rest] = stack.frames;
    if (first === undefined) throw new Error("no frames");
    const shown = (frames: typeof stack.frames) => stackResult(fake.kernel, null, { ...stack, frames }, undefined).registers?.registers.pc;
    expect(shown(stack.frames)).toBe(fake.start("delay") + 0x10n);
    expect(shown([{ ...first, kind: "inline" }, first, ...rest])).toBe(fake.start("delay") + 0x10n);
    expect(shown(rest)).toBeUndefined();
  });
});
