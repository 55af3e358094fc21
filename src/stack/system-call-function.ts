/**
 * The system call that a task is in: its number as user mode left it (struct pt_regs: orig_ax, syscallno), and sys_call_table[number].
 * Asked for the frames that dispatch it: their calls are indirect, or one jump for every system call, and what they compute of the number
 * is in no register any more.
 * Source: arch/x86/entry/common.c (syscall_64.c since 6.15), arch/arm64/kernel/syscall.c.
 */
import { add } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { UnwoundStack } from "./frame.ts";
import type { FrameEvaluation } from "./frame-evaluation.ts";

/** Functions that call what the table holds; do_syscall_x64 and __invoke_syscall are inlined into the others as a rule. */
const DISPATCHERS = ["do_syscall_64", "do_syscall_x64", "invoke_syscall", "__invoke_syscall", "el0_svc_common"];
/** Numbers end below 600; those of the x32 ABI (__X32_SYSCALL_BIT) are another table's. */
const MAX_NUMBER = 2048n;
const NUMBER_REGISTERS = ["orig_rax", "syscallno"];

/** Address of the function, when the frame is one that dispatches system calls and the number is known. */
export function systemCallFunction({ kernel, stack, place }: FrameEvaluation): bigint | undefined {
  return DISPATCHERS.includes(place.function.name ?? "") ? tableEntry(kernel, stack) : undefined;
}

/**
 * What an inlined part of the dispatcher was given: do_syscall_x64(regs, nr) the number, which syscall_enter_from_user_mode() has read from
 * the saved registers again; __invoke_syscall(regs, syscall_fn) the function.
 */
export function dispatched({ kernel, stack }: FrameEvaluation, fn: string | undefined, parameter: string): bigint | undefined {
  if (fn === "do_syscall_x64" && parameter === "nr") return numberOf(stack);
  return fn === "__invoke_syscall" && parameter === "syscall_fn" ? tableEntry(kernel, stack) : undefined;
}

function tableEntry(kernel: Kernel, stack: UnwoundStack): bigint | undefined {
  const table = kernel.tryAddress("sys_call_table");
  const number = numberOf(stack);
  return table === undefined || number === undefined ? undefined : kernel.memory.tryU64(add(table, number * 8n));
}

function numberOf({ user }: UnwoundStack): bigint | undefined {
  const registers = user?.registers;
  const name = NUMBER_REGISTERS.find((each) => registers?.file.names.includes(each));
  const number = name === undefined ? undefined : registers?.get(registers.file.names.indexOf(name));
  return number === undefined || number >= MAX_NUMBER ? undefined : number;
}
