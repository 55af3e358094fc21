/**
 * x86-64 registers and the places where the kernel and the dump keep them.
 * Source: arch/x86/include/asm/ptrace.h (struct pt_regs), arch/x86/include/asm/user_64.h (struct user_regs_struct).
 *
 *   pt_regs, low to high: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax │ ip cs flags sp ss
 *                         └─ pushed by the entry code ───────────────────────────────┘ └ iret frame, pushed by the CPU
 *
 * With FRED (6.9) the words of cs and ss carry event information above their low 16 bits.
 */
import type { RegisterFile } from "./registers.ts";
import { RegisterSet } from "./registers.ts";

export const RAX = 0;
export const RDX = 1;
export const RBX = 3;
export const RDI = 5;
export const RBP = 6;
export const RSP = 7;
export const R10 = 10;
export const R12 = 12;
export const R13 = 13;
export const R14 = 14;
export const R15 = 15;
export const RIP = 16;
export const RFLAGS = 17;
export const CS = 18;
export const SS = 19;
export const ORIG_RAX = 20;

/** 0–16 are DWARF's numbers (System V ABI, figure 3.36). */
export const X86_64_REGISTERS: RegisterFile = {
  names: [
    "rax",
    "rdx",
    "rcx",
    "rbx",
    "rsi",
    "rdi",
    "rbp",
    "rsp",
    "r8",
    "r9",
    "r10",
    "r11",
    "r12",
    "r13",
    "r14",
    "r15",
    "rip",
    "rflags",
    "cs",
    "ss",
    "orig_rax",
  ],
  pc: RIP,
  sp: RSP,
  fp: RBP,
  link: undefined,
  calleeSaved: [RBX, RBP, R12, R13, R14, R15],
};

/** Register numbers in the order of pt_regs. */
const PT_REGS_ORDER = [R15, R14, R13, R12, RBP, RBX, 11, R10, 9, 8, RAX, 2, RDX, 4, RDI, ORIG_RAX, RIP, CS, RFLAGS, RSP, SS] as const;

/** Bytes of struct pt_regs. */
export const X86_PT_REGS_SIZE = PT_REGS_ORDER.length * 8;
/** Bytes of the iret frame {ip, cs, flags, sp, ss} at its end. */
export const X86_IRET_SIZE = 40;

const SELECTOR_MASK = 0xffffn;

/** Takes pt_regs from the view at an offset; the caller has checked that X86_PT_REGS_SIZE bytes are there. */
export function x86RegistersFromPtRegs(view: DataView, offset = 0): RegisterSet {
  const set = new RegisterSet(X86_64_REGISTERS);
  PT_REGS_ORDER.forEach((register, index) => {
    const word = view.getBigUint64(offset + index * 8, true);
    set.set(register, register === CS || register === SS ? word & SELECTOR_MASK : word);
  });
  return set;
}

/** Lays an iret frame over registers that were live when it was pushed: the partial pt_regs of early entry code. */
export function x86ApplyIretFrame(live: RegisterSet, view: DataView, offset = 0): RegisterSet {
  const set = live.copy();
  [RIP, CS, RFLAGS, RSP, SS].forEach((register, index) => {
    const word = view.getBigUint64(offset + index * 8, true);
    set.set(register, register === CS || register === SS ? word & SELECTOR_MASK : word);
  });
  set.set(ORIG_RAX, undefined);
  return set;
}

/** Requested privilege level 3 in the code selector. */
export function x86IsUser(registers: RegisterSet): boolean {
  return ((registers.get(CS) ?? 0n) & 3n) === 3n;
}

/** Bits of RFLAGS that are always zero (3, 5, 15, 22–63), and the one that is always one (1). */
const FLAGS_ZERO = 0xffff_ffff_ffc0_8028n;
const FLAGS_ONE = 2n;
/** __KERNEL_CS, __KERNEL_DS, and the user selectors of arch/x86/include/asm/segment.h. */
const KERNEL_CS = 0x10n;
const KERNEL_SS = [0x18n, 0x0n];
const USER_CS = [0x33n, 0x23n];
const USER_SS = 0x2bn;

/** Could these be saved registers of kernel ("kernel") or user mode ("user")? Judged by selectors and flags only. */
export function x86PlausibleRegisters(registers: RegisterSet): "kernel" | "user" | undefined {
  const flags = registers.get(RFLAGS);
  const cs = registers.get(CS);
  const ss = registers.get(SS);
  if (flags === undefined || cs === undefined || ss === undefined) return undefined;
  if ((flags & FLAGS_ZERO) !== 0n || (flags & FLAGS_ONE) === 0n) return undefined;
  if (cs === KERNEL_CS && KERNEL_SS.includes(ss)) return "kernel";
  return USER_CS.includes(cs) && ss === USER_SS ? "user" : undefined;
}

/** Registers by the words of an NT_PRSTATUS note: user_regs_struct begins as pt_regs does. Undefined when there are too few. */
export function x86RegistersFromWords(words: readonly bigint[]): RegisterSet | undefined {
  if (words.length < PT_REGS_ORDER.length) return undefined;
  const set = new RegisterSet(X86_64_REGISTERS);
  PT_REGS_ORDER.forEach((register, index) => {
    set.set(register, words[index]);
  });
  return set;
}
