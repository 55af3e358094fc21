/**
 * arm64 registers and the places where the kernel and the dump keep them.
 * Source: arch/arm64/include/asm/ptrace.h (struct pt_regs), arch/arm64/include/asm/processor.h (struct cpu_context).
 *
 *   pt_regs: x0 … x30 │ sp pc pstate │ orig_x0 │ syscallno s32, … │ … │ stackframe {fp, lr[, type]} …
 *            0          248            272       280                    found by the dump's own type: its place moved
 */
import type { RegisterFile } from "./registers.ts";
import { RegisterSet } from "./registers.ts";

export const X19 = 19;
export const FP = 29;
export const LR = 30;
export const SP = 31;
export const PC = 32;
export const PSTATE = 33;
export const ORIG_X0 = 34;
export const SYSCALLNO = 35;

/** 0–31 are DWARF's numbers (ABI for the Arm 64-bit architecture, DWARF). */
export const ARM64_REGISTERS: RegisterFile = {
  names: [...Array.from({ length: 31 }, (_, i) => `x${i}`), "sp", "pc", "pstate", "orig_x0", "syscallno"],
  pc: PC,
  sp: SP,
  fp: FP,
  link: LR,
  calleeSaved: [19, 20, 21, 22, 23, 24, 25, 26, 27, 28, FP],
};

/** Bytes up to syscallno inclusive, padded. */
export const ARM64_PT_REGS_HEAD = 288;

/** Takes x0 … pstate, orig_x0 and syscallno; the caller has checked that ARM64_PT_REGS_HEAD bytes are there. */
export function arm64RegistersFromPtRegs(view: DataView, offset = 0): RegisterSet {
  const set = new RegisterSet(ARM64_REGISTERS);
  for (let register = 0; register <= PSTATE; register++) set.set(register, view.getBigUint64(offset + register * 8, true));
  set.set(ORIG_X0, view.getBigUint64(offset + 272, true));
  set.set(SYSCALLNO, BigInt(view.getInt32(offset + 280, true)));
  return set;
}

/** Exception level 0 (AArch64), or any of AArch32's modes (bit 4), which the kernel never runs in. */
export function arm64IsUser(registers: RegisterSet): boolean {
  const pstate = registers.get(PSTATE) ?? 0n;
  return (pstate & 0xfn) === 0n || (pstate & SPSR_AARCH32) !== 0n;
}

/** Bits of SPSR_EL1 that are zero for every exception taken from AArch64, at any feature level so far: 63–36, 27–26, 19–14, 5. */
const SPSR_RESERVED = 0xffff_fff0_0c0f_c020n;
/** M[4]: the state is AArch32, whose flag bits lie elsewhere. */
const SPSR_AARCH32 = 0x10n;

/** Could these be saved registers of kernel ("kernel") or user mode ("user")? Judged by pstate alone. */
export function arm64PlausibleRegisters(registers: RegisterSet): "kernel" | "user" | undefined {
  const pstate = registers.get(PSTATE);
  if (pstate === undefined) return undefined;
  if ((pstate & SPSR_AARCH32) !== 0n) return pstate >> 32n === 0n && (pstate & 0xfn) === 0n ? "user" : undefined;
  if ((pstate & SPSR_RESERVED) !== 0n) return undefined;
  switch (pstate & 0xfn) {
    case 0x00n:
      return "user";
    case 0x04n:
    case 0x05n:
    case 0x08n:
    case 0x09n:
      return "kernel";
    default:
      return undefined;
  }
}

/** Registers by the words of an NT_PRSTATUS note (struct user_pt_regs). Undefined when there are too few. */
export function arm64RegistersFromWords(words: readonly bigint[]): RegisterSet | undefined {
  if (words.length <= PSTATE) return undefined;
  return new RegisterSet(ARM64_REGISTERS, words.slice(0, PSTATE + 1));
}
