/**
 * Entry code of kernels without ORC: what it called stands on pt_regs. Source: arch/x86/entry/entry_64.S (idtentry_body, entry_SYSCALL_64,
 * paranoid_entry, asm_exc_nmi, ret_from_fork), arch/x86/entry/calling.h.
 *
 *   asm_exc_page_fault:  … push all registers; mov %rsp,%rdi; call exc_page_fault       sp behind the call ──► pt_regs
 *
 * The kernel's own unwinder for such kernels goes by an encoded frame pointer (ENCODE_FRAME_POINTER), which needs frame pointers; this
 * goes by where the code is. The registers found must make sense: of user mode at the stack's end, or of kernel mode with a stack pointer
 * on a stack and, where the CPU changed no stack, right above.
 */
import { RIP, RSP, X86_PT_REGS_SIZE, x86IsUser, x86PlausibleRegisters, x86RegistersFromPtRegs } from "../arch/x86-64-registers.ts";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { ExceptionFrame } from "./frame.ts";
import type { FrameState, RuleSource, Step } from "./unwinder.ts";

export interface EntryHelp {
  /** Is it the kernel's entry code, which no compiler wrote? */
  isEntry(pc: bigint): boolean;
  isCode(address: bigint): boolean;
  /** Does the address lie on a stack that this unwind may use? */
  onStack(address: bigint): boolean;
  /** Where the registers of the task's last entry from user mode lie; zeroes there for a kernel thread. */
  readonly userRegisters: bigint | undefined;
}

export class X86Entry implements RuleSource {
  readonly #memory: Memory;
  readonly #help: EntryHelp;

  constructor(memory: Memory, help: EntryHelp) {
    this.#memory = memory;
    this.#help = help;
  }

  step(state: FrameState): Step | undefined {
    const { sp } = state.registers;
    if (state.interrupted || sp === undefined || !this.#help.isEntry(state.pc - 1n)) return undefined;
    const address = virtual(sp);
    const bytes = this.#memory.tryBytes(address, X86_PT_REGS_SIZE);
    if (bytes === undefined) return undefined;
    const registers = x86RegistersFromPtRegs(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    const exception: ExceptionFrame = { address, user: x86IsUser(registers), partial: false, registers };
    const mode = x86PlausibleRegisters(registers);
    if (mode === "user") return { kind: "end", complete: true, text: "user mode", exception };
    if (mode === "kernel") return this.#interrupted(exception, address);
    // A kernel thread: the place is kept free, and never filled.
    return sp === this.#help.userRegisters ? { kind: "end", complete: true, text: "end of the stack" } : undefined;
  }

  #interrupted(exception: ExceptionFrame, address: VirtualAddress): Step | undefined {
    const pc = exception.registers.get(RIP) ?? 0n;
    const sp = exception.registers.get(RSP) ?? 0n;
    const above = address + BigInt(X86_PT_REGS_SIZE);
    // Without a change of stack the CPU aligns the old stack pointer to 16 bytes, and pushes below it.
    const same = (sp & ~15n) === above || sp === above;
    if (!same && !(this.#help.isCode(pc) && this.#help.onStack(sp - 1n))) return undefined;
    const next = { registers: exception.registers, pc: virtual(pc), interrupted: true };
    return { kind: "found", next, slot: virtual(sp), foundBy: "exception frame", exception };
  }
}
