/**
 * Trampolines that ftrace builds for its users: copies of ftrace_caller or ftrace_regs_caller in memory of their own, which therefore
 * unwind by the ORC entries of the original. Source: kernel/trace/ftrace.c, arch/x86/kernel/ftrace.c (create_trampoline),
 * orc_ftrace_find() in arch/x86/kernel/unwind_orc.c.
 *
 *   ftrace_ops_list ► struct ftrace_ops { flags, trampoline, trampoline_size, next } ► … ► ftrace_list_end
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

export interface FtraceTrampoline {
  readonly start: VirtualAddress;
  readonly end: VirtualAddress;
  /** Function that it is a copy of. */
  readonly original: VirtualAddress | undefined;
}

const MAX_OPS = 10_000;
const MAX_SIZE = 1n << 16n;

/** Trampolines of the dump, on most machines none. What was read before a broken link counts. */
export function ftraceTrampolines(kernel: Kernel): readonly FtraceTrampoline[] {
  return kernel.memo(ftraceTrampolines, () => {
    const found: FtraceTrampoline[] = [];
    try {
      for (const trampoline of walk(kernel)) found.push(trampoline);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    return found;
  });
}

function* walk(kernel: Kernel): Iterable<FtraceTrampoline> {
  const list = kernel.tryAddress("ftrace_ops_list");
  const last = kernel.tryAddress("ftrace_list_end");
  const struct = kernel.types.tryStruct("ftrace_ops");
  const start = struct?.tryField("trampoline");
  const size = struct?.tryField("trampoline_size");
  const next = struct?.tryField("next");
  const flags = struct?.tryField("flags");
  // An enum constant: its bit has moved (BIT(2) before 4.20).
  const saveRegs = kernel.types.constant("FTRACE_OPS_FL_SAVE_REGS");
  if (list === undefined || struct === undefined || start === undefined || size === undefined || next === undefined) return;
  let ops = virtual(kernel.memory.u64(list));
  for (let count = 0; ops !== 0n && ops !== last && count < MAX_OPS; count++) {
    const from = start.pointer(ops);
    const length = size.bigint(ops);
    if (from !== 0n && length > 0n && length <= MAX_SIZE) {
      const regs = saveRegs !== undefined && flags !== undefined && (flags.bigint(ops) & saveRegs) !== 0n;
      yield { start: from, end: virtual(from + length), original: kernel.tryAddress(regs ? "ftrace_regs_caller" : "ftrace_caller") };
    }
    ops = next.pointer(ops);
  }
}

/** The place in the original code that a pc in a trampoline stands for; undefined when it is in none. */
export function ftraceOriginal(kernel: Kernel, pc: VirtualAddress): VirtualAddress | undefined {
  for (const { start, end, original } of ftraceTrampolines(kernel)) {
    if (pc >= start && pc < end && original !== undefined) return virtual(original + (pc - start));
  }
  return undefined;
}
