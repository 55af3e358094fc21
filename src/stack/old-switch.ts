/**
 * Where a sleeping task of an x86-64 kernel before 4.9 (0100301bfdf5) stands. The switch was inline in __schedule, with no structure and no
 * return address of its own (arch/x86/include/asm/switch_to.h):
 *
 *   pushf ; pushq %rbp            thread.sp ──► [rbp][flags] │ frame of __schedule …
 *   … rsp = next's thread.sp …
 *   call __switch_to              the instruction behind this call is where every task but a new one goes on
 *   … popq %rbp ; popf
 *
 * A new task has thread.sp at its user registers and goes on at ret_from_fork.
 */
import { RegisterSet } from "../arch/registers.ts";
import { RBP, RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { FrameState } from "./unwinder.ts";

/** __schedule has some KiB. */
const MAX_FUNCTION = 1 << 15;
const CALL = 0xe8;

/** Was the switch inline? 4.9 brought __switch_to_asm together with struct inactive_task_frame. */
export function switchesInline(kernel: Kernel): boolean {
  return kernel.memo(
    switchesInline,
    () => kernel.types.tryStruct("inactive_task_frame") === undefined && kernel.tryAddress("__switch_to_asm") === undefined,
  );
}

/** The place where sleeping tasks stand; undefined when __schedule cannot be read or does not switch. */
function resumePoint(kernel: Kernel): VirtualAddress | undefined {
  return kernel.memo(resumePoint, () => {
    const target = kernel.tryAddress("__switch_to");
    // schedule() itself before 2.6.38.
    const start = kernel.tryAddress("__schedule") ?? kernel.tryAddress("schedule");
    if (target === undefined || start === undefined) return undefined;
    const next = kernel.symbols.neighbours(start).next?.address;
    const length = next === undefined ? MAX_FUNCTION : Math.min(MAX_FUNCTION, distance(next, start));
    const code = kernel.memory.tryBytes(start, length);
    if (code === undefined) return undefined;
    const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
    for (let at = 0; at + 5 <= code.length; at++) {
      const behind = add(start, at + 5);
      if (code[at] === CALL && add(behind, view.getInt32(at + 1, true)) === target) return behind;
    }
    return undefined;
  });
}

/** State of a task that sleeps with this saved stack pointer; undefined when its place is not known. */
export function inlineSwitchState(kernel: Kernel, sp: VirtualAddress, userRegisters: VirtualAddress): FrameState | undefined {
  const registers = new RegisterSet(X86_64_REGISTERS);
  const fresh = sp === userRegisters;
  const pc = fresh ? kernel.tryAddress("ret_from_fork") : resumePoint(kernel);
  if (pc === undefined) return undefined;
  registers.set(RIP, pc);
  if (fresh) {
    registers.set(RSP, sp);
  } else {
    registers.set(RBP, kernel.memory.tryU64(sp));
    // Unwind tables know nothing of the two pushes of inline assembly.
    registers.set(RSP, add(sp, 16));
  }
  return { registers, pc: virtual(pc), interrupted: fresh };
}
