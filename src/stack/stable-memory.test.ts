import { expect, test } from "vitest";
import { RegisterSet } from "../arch/registers.ts";
import { ORIG_RAX, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import { SparseMemory, smallKernel, struct, ULONG } from "../kernel/testing/small-kernel.ts";
import type { UnwoundStack } from "./frame.ts";
import type { FrameEvaluation } from "./frame-evaluation.ts";
import { isStable, stableWord } from "./stable-memory.ts";
import { dispatched, systemCallFunction } from "./system-call-function.ts";

const REGS = 0xffff_c900_0000_3f58n;
const RODATA = 0xffff_ffff_8200_0000n;
const TABLE = 0xffff_ffff_8210_0000n;

function build(number: bigint | undefined = 1n) {
  const memory = new SparseMemory()
    .put(REGS + 8n, 0x1122334455667788n)
    .put(RODATA, 7, 4)
    .put(TABLE + 8n, 0xffff_ffff_8100_0100n);
  const kernel = smallKernel({
    memory,
    types: [
      struct("pt_regs", [
        ["r15", ULONG],
        ["r14", ULONG],
      ]),
    ],
    symbols: { __start_rodata: [RODATA, "R"], sys_call_table: [TABLE, "R"], __end_rodata: [RODATA + 0x1000n, "R"] },
  });
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(ORIG_RAX, number);
  const stack = { frames: [], user: { address: virtual(REGS), registers } } as unknown as UnwoundStack;
  const evaluation = (name: string) => ({ kernel, stack, place: { function: { name } } }) as unknown as FrameEvaluation;
  return { kernel, stack, evaluation };
}

test("saved registers of user mode and read-only data stay, nothing else does", () => {
  const { kernel, stack } = build();
  expect(stableWord(kernel, stack, REGS + 8n, 8)).toBe(0x1122334455667788n);
  expect(stableWord(kernel, stack, REGS + 8n, 2)).toBe(0x7788n);
  expect(stableWord(kernel, stack, RODATA, 4)).toBe(7n);
  expect(stableWord(kernel, stack, REGS + 12n, 8)).toBeUndefined();
  expect(stableWord(kernel, stack, REGS - 8n, 8)).toBeUndefined();
  expect(stableWord(kernel, stack, RODATA + 0xffdn, 4)).toBeUndefined();
  expect(isStable(kernel, { ...stack, user: undefined }, REGS + 8n, 8)).toBe(false);
});

test("the function of the system call, for those that dispatch it; no number of another table", () => {
  const { evaluation } = build();
  expect(systemCallFunction(evaluation("do_syscall_64"))).toBe(0xffff_ffff_8100_0100n);
  expect(systemCallFunction(evaluation("vfs_read"))).toBeUndefined();
  expect(dispatched(evaluation("x"), "do_syscall_x64", "nr")).toBe(1n);
  expect(dispatched(evaluation("x"), "do_syscall_x64", "regs")).toBeUndefined();
  expect(dispatched(evaluation("x"), "__invoke_syscall", "syscall_fn")).toBe(0xffff_ffff_8100_0100n);
  expect(systemCallFunction(build(0x4000_0001n).evaluation("do_syscall_64"))).toBeUndefined();
});
