/**
 * Steps by ORC, the kernel's own unwind tables. Source: arch/x86/kernel/unwind_orc.c, arch/x86/include/asm/orc_types.h,
 * Documentation/arch/x86/orc-unwinder.rst.
 *
 *   CFA ("previous sp") = register + offset, or the word found there      call:     return address at CFA − 8, sp = CFA
 *   bp  = unchanged, or a word at CFA + offset or bp + offset             regs:     pt_regs at CFA
 *                                                                         partial:  only {ip, cs, flags, sp, ss} at CFA
 *
 * The table is asked for pc − 1 of a return address (a call that never returns may be the last instruction of its function and the
 * stack's shape may differ after it), for the pc itself of an interrupted frame.
 */
import { RegisterSet } from "../arch/registers.ts";
import {
  R10,
  R13,
  RAX,
  RBP,
  RDI,
  RDX,
  RIP,
  RSP,
  X86_IRET_SIZE,
  X86_PT_REGS_SIZE,
  x86ApplyIretFrame,
  x86IsUser,
  x86RegistersFromPtRegs,
} from "../arch/x86-64-registers.ts";
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { OrcEntry, OrcRegister } from "../debug-info/orc.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { ExceptionFrame } from "./frame.ts";
import type { FrameState, RuleSource, Step } from "./unwinder.ts";

/** Looks up the entry that covers a pc. */
export interface OrcLookup {
  find(pc: VirtualAddress): OrcEntry | undefined;
}

export class OrcRules implements RuleSource {
  readonly #memory: Memory;
  readonly #orc: OrcLookup;

  constructor(memory: Memory, orc: OrcLookup) {
    this.#memory = memory;
    this.#orc = orc;
  }

  step(state: FrameState): Step | undefined {
    const entry = this.#orc.find(state.interrupted ? state.pc : virtual(state.pc - 1n));
    if (entry === undefined) return undefined;
    if (entry.type === "end_of_stack") return { kind: "end", complete: true, text: "end of the stack" };
    // "Undefined" is what objtool writes where it has no knowledge (STACK_FRAME_NON_STANDARD): another source may have.
    if (entry.type === "undefined" || entry.type === "unknown") return undefined;
    const cfa = this.#previousSp(entry, state.registers);
    if (typeof cfa === "string") return { kind: "end", complete: false, text: cfa };
    switch (entry.type) {
      case "call":
        return this.#call(entry, state.registers, cfa);
      case "regs":
      case "regs_partial":
        return this.#exception(entry, state.registers, cfa);
    }
  }

  /** The stack pointer before the call or exception, or why it cannot be known. */
  #previousSp(entry: OrcEntry, registers: RegisterSet): VirtualAddress | string {
    const base = (register: number): VirtualAddress | string => {
      const value = registers.get(register);
      if (value === undefined) return `the unwind table wants ${registers.file.names[register]}, which no frame saved`;
      return virtual(value);
    };
    const plus = (value: VirtualAddress | string, offset: number) => (typeof value === "string" ? value : add(value, offset));
    const word = (value: VirtualAddress | string): VirtualAddress | string => {
      if (typeof value === "string") return value;
      const read = this.#memory.tryU64(value);
      return read === undefined ? `the stack at ${hex16(value)} cannot be read` : virtual(read);
    };
    switch (entry.spReg) {
      case "sp":
        return plus(base(RSP), entry.spOffset);
      case "bp":
        return plus(base(RBP), entry.spOffset);
      // Since 5.12 (commit aafeb14e9da2) the offset counts after the look-up; older tables have 0 here, where both readings agree.
      case "sp_indirect":
        return plus(word(base(RSP)), entry.spOffset);
      case "bp_indirect":
        return word(plus(base(RBP), entry.spOffset));
      default: {
        const register = PLAIN_REGISTERS[entry.spReg];
        return register === undefined ? `the unwind table names an unknown register (${entry.spReg})` : base(register);
      }
    }
  }

  #call(entry: OrcEntry, registers: RegisterSet, cfa: VirtualAddress): Step {
    const slot = add(cfa, -8);
    const pc = this.#memory.tryU64(slot);
    if (pc === undefined) return { kind: "end", complete: false, text: `the stack at ${hex16(slot)} cannot be read` };
    // ORC says of registers other than sp and bp nothing at all: past a call they are unknown (saved-registers.ts finds them).
    const next = new RegisterSet(registers.file);
    next.set(RIP, pc);
    next.set(RSP, cfa);
    next.set(RBP, this.#previousBp(entry, registers, cfa));
    return { kind: "found", next: { registers: next, pc: virtual(pc), interrupted: false }, slot, foundBy: "orc" };
  }

  #exception(entry: OrcEntry, registers: RegisterSet, at: VirtualAddress): Step {
    const partial = entry.type === "regs_partial";
    const size = partial ? X86_IRET_SIZE : X86_PT_REGS_SIZE;
    const bytes = this.#memory.tryBytes(at, size);
    if (bytes === undefined) return { kind: "end", complete: false, text: `the exception frame at ${hex16(at)} cannot be read` };
    const view = new DataView(bytes.buffer, bytes.byteOffset, size);
    const saved = partial ? x86ApplyIretFrame(registers, view) : x86RegistersFromPtRegs(view);
    if (partial) saved.set(RBP, this.#previousBp(entry, registers, at));
    const user = x86IsUser(saved);
    const exception: ExceptionFrame = { address: at, user, partial, registers: saved };
    if (user) return { kind: "end", complete: true, text: "user mode", exception };
    const pc = virtual(saved.get(RIP) ?? 0n);
    const slot = virtual(saved.get(RSP) ?? 0n);
    // A frame without the signal flag is entered as if by a call: 6.3 on says so by itself, older tables mean every regs entry.
    return { kind: "found", next: { registers: saved, pc, interrupted: entry.signal }, slot, foundBy: "exception frame", exception };
  }

  #previousBp(entry: OrcEntry, registers: RegisterSet, cfa: VirtualAddress): bigint | undefined {
    const bp = registers.get(RBP);
    switch (entry.bpReg) {
      case "undefined":
        return bp;
      case "prev_sp":
        return this.#memory.tryU64(add(cfa, entry.bpOffset));
      case "bp":
        return bp === undefined ? undefined : this.#memory.tryU64(add(virtual(bp), entry.bpOffset));
      default:
        return undefined;
    }
  }
}

/** Registers that briefly hold the stack pointer around a realignment or a switch of stacks. */
const PLAIN_REGISTERS: Partial<Record<OrcRegister, number>> = { ax: RAX, dx: RDX, di: RDI, r10: R10, r13: R13 };
