import { expect, test } from "vitest";
import { RegisterSet } from "../../arch/registers.ts";
import { RIP, RSP, X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { virtual } from "../../bytes/address.ts";
import { startOfRegisters } from "../../stack/start.ts";
import { taskStack } from "../../stack/task-stack.ts";
import { callRule, FakeStackKernel, STACK, TASK } from "../../stack/testing/fake-stack-kernel.ts";
import { unwindFrom } from "../../stack/unwind.ts";
import { belowStack } from "./queries.ts";

test("a stack pointer in the guard page is an overflow; one on the stack or far away is none", () => {
  const kernel = new FakeStackKernel("x86_64");
  kernel.define("recurse", callRule(16));
  const at = (sp: bigint) => {
    const registers = new RegisterSet(X86_64_REGISTERS);
    registers.set(RIP, kernel.start("recurse") + 4n);
    registers.set(RSP, sp);
    return belowStack(unwindFrom(kernel.kernel, startOfRegisters(registers), TASK), taskStack(kernel.kernel, virtual(TASK)), 4096);
  };
  expect(at(STACK - 0x170n)).toBe(STACK - 0x170n);
  expect(at(STACK + 0x170n)).toBeUndefined();
  expect(at(STACK - 0x1170n)).toBeUndefined();
});
