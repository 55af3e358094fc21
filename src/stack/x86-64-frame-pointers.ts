/**
 * Steps by rbp, for kernels without ORC (CONFIG_UNWINDER_FRAME_POINTER) and for code that has no ORC entry but a frame pointer: BPF
 * programs, and whatever a kernel generated itself. Source: arch/x86/kernel/unwind_frame.c, arch/x86/include/asm/frame.h.
 *
 *   rbp ──► [caller's rbp][return address]         caller's rsp = rbp + 16
 *   rbp with bit 0 set: entry code put there the address of pt_regs (ENCODE_FRAME_POINTER), kernels without ORC only
 */
import { RegisterSet } from "../arch/registers.ts";
import { x86FrameSetup } from "../arch/x86-64-frames.ts";
import { RBP, RIP, RSP, X86_64_REGISTERS, X86_PT_REGS_SIZE, x86IsUser, x86RegistersFromPtRegs } from "../arch/x86-64-registers.ts";
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { CodePlace } from "./code-ranges.ts";
import type { FrameState, RuleSource, Step } from "./unwinder.ts";

/** What frame-pointer steps ask about code and stacks. */
export interface FramePointerHelp {
  place(pc: VirtualAddress, isReturnAddress: boolean): CodePlace | undefined;
  /** Is the word before this return address a call, and the address code? */
  isReturnAddress(address: bigint): boolean;
  /** Does the address lie on a stack that this unwind may use? */
  onStack(address: bigint): boolean;
  /** The kernel was built to unwind by frame pointers. */
  readonly everyFunction: boolean;
  /** Does ORC cover the pc, be it to say that it knows nothing there? Such code is the kernel's own and need not have a frame pointer. */
  coveredByOrc(pc: VirtualAddress): boolean;
}

const PROLOGUE_BYTES = 32;

export class X86FramePointers implements RuleSource {
  readonly #memory: Memory;
  readonly #help: FramePointerHelp;

  constructor(memory: Memory, help: FramePointerHelp) {
    this.#memory = memory;
    this.#help = help;
  }

  step(state: FrameState): Step | undefined {
    if (state.interrupted && this.#help.everyFunction) {
      const early = this.#prologue(state);
      if (early !== undefined) return early;
    }
    const bp = state.registers.get(RBP);
    if (bp === undefined || this.#help.coveredByOrc(state.interrupted ? state.pc : virtual(state.pc - 1n))) return undefined;
    if (this.#help.everyFunction && bp === 0n) return { kind: "end", complete: true, text: "end of the stack" };
    if (this.#help.everyFunction && (bp & 1n) === 1n) return this.#encodedRegisters(virtual(bp & ~1n));
    if ((bp & 7n) !== 0n || !this.#help.onStack(bp)) return undefined;
    const caller = this.#memory.tryU64(virtual(bp));
    const pc = this.#memory.tryU64(virtual(bp + 8n));
    if (caller === undefined || pc === undefined) return undefined;
    // The outermost frame of an idle task was made without a call: secondary_startup_64 pushes where lretq's function is to return to.
    const outermost = this.#help.everyFunction && caller === 0n && this.#help.place(virtual(pc), true) !== undefined;
    return outermost || this.#help.isReturnAddress(pc) ? this.#found(pc, caller, virtual(bp + 8n)) : undefined;
  }

  /** A function that was interrupted before its frame pointer stood, or at its return. */
  #prologue(state: FrameState): Step | undefined {
    const place = this.#help.place(state.pc, false);
    const sp = state.registers.get(RSP);
    if (place === undefined || sp === undefined) return undefined;
    const code = this.#memory.tryBytes(place.start, PROLOGUE_BYTES);
    if (code === undefined) return undefined;
    const setup = x86FrameSetup(code, place.offset, this.#memory.tryBytes(state.pc, 1)?.[0]);
    if (setup === "set up") return undefined;
    const slot = virtual(setup === "after push" ? sp + 8n : sp);
    const pc = this.#memory.tryU64(slot);
    const bp = setup === "after push" ? this.#memory.tryU64(virtual(sp)) : state.registers.get(RBP);
    return pc === undefined || !this.#help.isReturnAddress(pc) ? undefined : this.#found(pc, bp, slot);
  }

  #encodedRegisters(at: VirtualAddress): Step {
    const bytes = this.#memory.tryBytes(at, X86_PT_REGS_SIZE);
    if (bytes === undefined) return { kind: "end", complete: false, text: `the exception frame at ${hex16(at)} cannot be read` };
    const registers = x86RegistersFromPtRegs(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    const user = x86IsUser(registers);
    const exception = { address: at, user, partial: false, registers };
    if (user) return { kind: "end", complete: true, text: "user mode", exception };
    // A kernel thread's place for user registers: copy_thread() fills it with zeroes.
    if ((registers.get(RIP) ?? 0n) === 0n) return { kind: "end", complete: true, text: "end of the stack" };
    return {
      kind: "found",
      next: { registers, pc: virtual(registers.get(RIP) ?? 0n), interrupted: true },
      slot: virtual(registers.get(RSP) ?? 0n),
      foundBy: "exception frame",
      exception,
    };
  }

  #found(pc: bigint, bp: bigint | undefined, slot: VirtualAddress): Step {
    const registers = new RegisterSet(X86_64_REGISTERS);
    registers.set(RIP, pc);
    registers.set(RSP, add(slot, 8));
    registers.set(RBP, bp);
    return { kind: "found", next: { registers, pc: virtual(pc), interrupted: false }, slot, foundBy: "frame pointer" };
  }
}
