/**
 * The function of the system call that a task is in: sys_call_table[number], the number as user mode left it (struct pt_regs: orig_ax,
 * syscallno). Asked for the frames that dispatch it: their calls are indirect, or one jump for every system call.
 * Source: arch/x86/entry/common.c (syscall_64.c since 6.15), arch/arm64/kernel/syscall.c.
 */
import { add } from "../bytes/address.ts";
import type { FrameEvaluation } from "./frame-evaluation.ts";

/** Functions that call what the table holds; do_syscall_x64 and __invoke_syscall are inlined into the others as a rule. */
const DISPATCHERS = ["do_syscall_64", "do_syscall_x64", "invoke_syscall", "__invoke_syscall", "el0_svc_common"];
/** Numbers end below 600; those of the x32 ABI (__X32_SYSCALL_BIT) are another table's. */
const MAX_NUMBER = 2048n;
const NUMBER_REGISTERS = ["orig_rax", "syscallno"];

/** Address of the function, when the frame is one that dispatches system calls and the number is known. */
export function systemCallFunction({ kernel, stack, place }: FrameEvaluation): bigint | undefined {
  if (!DISPATCHERS.includes(place.function.name ?? "")) return undefined;
  const table = kernel.tryAddress("sys_call_table");
  const registers = stack.user?.registers;
  const name = NUMBER_REGISTERS.find((each) => registers?.file.names.includes(each));
  const number = name === undefined ? undefined : registers?.get(registers.file.names.indexOf(name));
  if (table === undefined || number === undefined || number >= MAX_NUMBER) return undefined;
  return kernel.memory.tryU64(add(table, number * 8n));
}
