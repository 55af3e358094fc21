import { expect, it } from "vitest";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import type { FaultCase } from "./fault-case.ts";
import { givenByProcess } from "./user-memory.ts";

const BUFFER = 0x26fc_6650n;

function given(rsi: bigint, thread = false) {
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(registers.file.names.indexOf("rsi"), rsi);
  const stack = thread ? {} : { user: { registers } };
  return givenByProcess({ bad: { value: BUFFER }, state: { stack } } as unknown as FaultCase);
}

it("knows a pointer that the process itself gave to its system call", () => {
  expect(given(BUFFER)?.story).toBe("The process itself passed that pointer to its system call, in rsi.");
  expect(given(1n)).toBeUndefined();
  expect(given(BUFFER, true)).toBeUndefined();
});
