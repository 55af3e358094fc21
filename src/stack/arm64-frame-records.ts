/**
 * Steps by arm64 frame records. Source: arch/arm64/kernel/stacktrace.c, entry.S (kernel_entry), arch/arm64/include/asm/stacktrace/frame.h.
 *
 *   x29 ──► [fp of the caller's record][lr: return address, maybe with an authentication code]
 *
 *   At an exception the entry code makes pt_regs.stackframe the newest record:
 *     to 6.12   from kernel mode {x29, elr}: the "return address" is the interrupted instruction; from user mode {0, 0}
 *     6.13 on   {0, 0, type}: 1 = the stack ends, 2 = go on with the pt_regs around it (commit c2c6b27b5aa1)
 *
 * A function interrupted before it linked its own record (or one that never does) is called from where x30 points; the records alone
 * would lose that caller, as the kernel's own traces do.
 */
import { arm64CallAt, arm64RecordLinked } from "../arch/arm64-frames.ts";
import {
  ARM64_PT_REGS_HEAD,
  ARM64_REGISTERS,
  arm64IsUser,
  arm64PlausibleRegisters,
  arm64RegistersFromPtRegs,
  FP,
  LR,
  PC,
} from "../arch/arm64-registers.ts";
import { RegisterSet } from "../arch/registers.ts";
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { CodePlace } from "./code-ranges.ts";
import type { ExceptionFrame } from "./frame.ts";
import type { EndStep, FrameState, RuleSource, Step } from "./unwinder.ts";

/** What the kernel of this dump tells about records and code. */
export interface Arm64Help {
  /** Offset of stackframe in struct pt_regs. */
  readonly recordOffset: number;
  /** The record carries a type word (struct frame_record_meta). */
  readonly typed: boolean;
  strip(address: bigint): VirtualAddress;
  place(pc: VirtualAddress, isReturnAddress: boolean): CodePlace | undefined;
  isReturnAddress(address: bigint): boolean;
  /** Is this the exception entry code, where x30 is still the interrupted function's and says nothing of a call? */
  isEntry(pc: bigint): boolean;
}

/** enum frame_meta_type. */
const META_FINAL = 1n;
const META_PT_REGS = 2n;
/** Functions longer than this are not read for their prologue. */
const MAX_FUNCTION = 65536;

export class Arm64FrameRecords implements RuleSource {
  readonly #memory: Memory;
  readonly #help: Arm64Help;

  constructor(memory: Memory, help: Arm64Help) {
    this.#memory = memory;
    this.#help = help;
  }

  step(state: FrameState): Step | undefined {
    const fp = state.registers.get(FP);
    if (fp === undefined) return undefined;
    if (state.interrupted) {
      const leaf = this.#leaf(state, fp);
      if (leaf !== undefined) return leaf;
    }
    if (fp === 0n) return { kind: "end", complete: true, text: "end of the stack" };
    if ((fp & 7n) !== 0n) return { kind: "end", complete: false, text: `the frame pointer ${hex16(fp)} is not aligned` };
    const record = virtual(fp);
    const callerFp = this.#memory.tryU64(record);
    const lr = this.#memory.tryU64(add(record, 8));
    if (callerFp === undefined || lr === undefined)
      return { kind: "end", complete: false, text: `the frame record at ${hex16(fp)} cannot be read` };
    if (callerFp === 0n && lr === 0n) return this.#final(record);
    const interrupted = this.#interruptedAt(record, callerFp, lr);
    if (interrupted !== undefined) return this.#found(interrupted);
    const registers = new RegisterSet(ARM64_REGISTERS);
    const pc = this.#help.strip(lr);
    registers.set(PC, pc);
    registers.set(FP, callerFp);
    const own = virtual(callerFp === 0n ? fp + 16n : callerFp);
    return { kind: "found", next: { registers, pc, interrupted: false }, slot: own, foundBy: "frame pointer" };
  }

  /** {0, 0}: the metadata record of 6.13 on, or the end of the stack with the registers of user mode around it. */
  #final(record: VirtualAddress): Step {
    if (this.#help.typed) {
      const type = this.#memory.tryU64(add(record, 16));
      const exception = this.#registersAround(record);
      if (type === META_PT_REGS && exception !== undefined && !exception.user) return this.#found(exception);
      if (type === META_FINAL) return this.#end(exception);
      if (type === META_PT_REGS)
        return { kind: "end", complete: false, text: `the exception frame around ${hex16(record)} cannot be read` };
      return { kind: "end", complete: false, text: `the frame record at ${hex16(record)} is of unknown type ${type}` };
    }
    return this.#end(this.#registersAround(record));
  }

  /**
   * A kernel thread has zeroes for registers at its stack's end; what came from user mode has a pstate of exception level 0 and a pc
   * below the kernel's half.
   */
  #end(exception: ExceptionFrame | undefined): EndStep {
    if (exception?.user !== true || exception.registers.get(PC) === 0n || (exception.registers.get(PC) ?? 0n) >> 55n !== 0n) {
      return { kind: "end", complete: true, text: "end of the stack" };
    }
    return { kind: "end", complete: true, text: "user mode", exception };
  }

  /** pt_regs whose stackframe is this record. */
  #registersAround(record: VirtualAddress): ExceptionFrame | undefined {
    const address = add(record, -this.#help.recordOffset);
    const bytes = this.#memory.tryBytes(address, ARM64_PT_REGS_HEAD);
    if (bytes === undefined) return undefined;
    const registers = arm64RegistersFromPtRegs(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    if (arm64PlausibleRegisters(registers) === undefined) return undefined;
    return { address, user: arm64IsUser(registers), partial: false, registers };
  }

  /** Before 6.13: the record is the one inside pt_regs when both its words are repeated there as x29 and pc, in kernel mode. */
  #interruptedAt(record: VirtualAddress, fp: bigint, lr: bigint): ExceptionFrame | undefined {
    if (this.#help.typed) return undefined;
    const regs = add(record, -this.#help.recordOffset);
    if (this.#memory.tryU64(add(regs, FP * 8)) !== fp || this.#memory.tryU64(add(regs, PC * 8)) !== lr) return undefined;
    const found = this.#registersAround(record);
    return found === undefined || found.user ? undefined : found;
  }

  #found(exception: ExceptionFrame): Step {
    const pc = virtual(exception.registers.get(PC) ?? 0n);
    const slot = virtual(exception.registers.get(FP) ?? 0n);
    return { kind: "found", next: { registers: exception.registers, pc, interrupted: true }, slot, foundBy: "exception frame", exception };
  }

  /**
   * The caller in x30, when the interrupted function has no record of its own: x30 leads out of the function, the newest record does not
   * repeat it, and either the branch before it leads to this very function or the code up to the pc has linked no record. A CPU caught
   * at an exception's entry has the interrupted pc only in ELR_EL1, which dumps do not keep; x30 is then of the interrupted function or
   * of its caller, and the frame is a guess.
   */
  #leaf(state: FrameState, fp: bigint): Step | undefined {
    const saved = state.registers.get(LR);
    const place = this.#help.place(state.pc, false);
    if (saved === undefined || place === undefined) return undefined;
    const lr = this.#help.strip(saved);
    if (!this.#help.isReturnAddress(lr) || this.#help.place(lr, true)?.start === place.start) return undefined;
    const repeated = fp === 0n ? undefined : this.#memory.tryU64(virtual(fp + 8n));
    if (repeated !== undefined && this.#help.strip(repeated) === lr) return undefined;
    const word = this.#memory.tryU32(virtual(lr - 4n));
    const target = word === undefined ? undefined : arm64CallAt(word, lr - 4n);
    const entry = this.#help.isEntry(state.pc);
    if (target === undefined || (!entry && target !== place.start && this.#linked(place.start, state.pc))) return undefined;
    // What a call does not preserve is the callee's own by now.
    const registers = new RegisterSet(ARM64_REGISTERS);
    registers.set(PC, lr);
    registers.set(FP, fp);
    return { kind: "found", next: { registers, pc: lr, interrupted: false }, slot: virtual(fp), foundBy: "link register", doubtful: entry };
  }

  /** Unreadable or very long code counts as linked: no caller is invented. */
  #linked(start: VirtualAddress, pc: VirtualAddress): boolean {
    const length = Number(pc - start);
    if (length > MAX_FUNCTION) return true;
    const bytes = this.#memory.tryBytes(start, length);
    if (bytes === undefined) return true;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const words = new Uint32Array(length >> 2);
    for (let i = 0; i < words.length; i++) words[i] = view.getUint32(i * 4, true);
    return arm64RecordLinked(words);
  }
}
