/**
 * Registers of the CPUs as the notes of a dump keep them.
 *
 * NT_PRSTATUS (struct elf_prstatus, include/linux/elfcore.h; 64-bit machines):
 *   12 pr_cursig u16 | 32 pr_pid u32 | 112 pr_reg: 27 words on x86_64 (r15 … gs), 34 on aarch64 (x0 … x30, sp, pc, pstate)
 *
 * "QEMU" (struct QEMUCPUState, QEMU target/i386/arch_dump.c; x86 only, one per CPU after all the PRSTATUS):
 *   0 version u32 | 4 size u32 | 8 rax rbx rcx rdx rsi rdi rsp rbp r8 … r15 rip rflags (18 × u64)
 *   152 cs ds es fs gs ss ldt tr gdt idt (10 × { selector u32, limit u32, flags u32, pad u32, base u64 })
 *   392 cr0 cr1 cr2 cr3 cr4 (u64 each) | 432 kernel_gs_base u64 (QEMU 3.0 and later)
 */
import type { Machine, Note } from "./dump.ts";

export const NT_PRSTATUS = 1;
const PR_SIGNAL = 12;
const PR_PID = 32;
const PR_REG = 112;
const REGISTER_WORDS: Partial<Record<Machine, number>> = { x86_64: 27, aarch64: 34 };

/** One NT_PRSTATUS note. */
export interface RegisterNote {
  /** pr_pid: the task that ran (kdump), or CPU number + 1 (QEMU). */
  readonly pid: number;
  readonly signal: number;
  /** pr_reg word by word, in the order of the machine's user_regs_struct / user_pt_regs. */
  readonly registers: readonly bigint[];
}

/**
 * The NT_PRSTATUS notes in the order of the dump, which is that of the CPUs; kdump skips CPUs that were offline or did not answer.
 * Notes too short for the machine are left out.
 */
export function registerNotes(notes: readonly Note[], machine: Machine, littleEndian = true): RegisterNote[] {
  const words = REGISTER_WORDS[machine];
  if (words === undefined) return [];
  const found: RegisterNote[] = [];
  for (const { name, type, data } of notes) {
    // s390 and makedumpfile keep the kernel's name "CORE"; crash_notes are always written under it (kernel/vmcore_info.c).
    if (name !== "CORE" || type !== NT_PRSTATUS || data.length < PR_REG + 8 * words) continue;
    const view = viewOf(data);
    const registers = Array.from({ length: words }, (_, index) => view.getBigUint64(PR_REG + 8 * index, littleEndian));
    found.push({ pid: view.getUint32(PR_PID, littleEndian), signal: view.getUint16(PR_SIGNAL, littleEndian), registers });
  }
  return found;
}

/** A segment or descriptor-table register. */
export interface QemuSegment {
  readonly selector: number;
  readonly limit: number;
  readonly flags: number;
  readonly base: bigint;
}

const GENERAL = [
  "rax",
  "rbx",
  "rcx",
  "rdx",
  "rsi",
  "rdi",
  "rsp",
  "rbp",
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
] as const;
const SEGMENTS = ["cs", "ds", "es", "fs", "gs", "ss", "ldt", "tr", "gdt", "idt"] as const;
const CONTROLS = ["cr0", "cr1", "cr2", "cr3", "cr4"] as const;
const SEGMENT_SIZE = 24;
const FIXED_SIZE = 8 + GENERAL.length * 8 + SEGMENTS.length * SEGMENT_SIZE + CONTROLS.length * 8;

/** State of one x86 CPU as QEMU saw it, whatever the guest was doing. */
export type QemuCpuState = { readonly [name in (typeof GENERAL)[number] | (typeof CONTROLS)[number]]: bigint } & {
  readonly [name in (typeof SEGMENTS)[number]]: QemuSegment;
} & {
  /** MSR_KERNEL_GS_BASE; undefined from old QEMUs. */
  readonly kernelGsBase: bigint | undefined;
};

/** The "QEMU" notes in order of the CPUs; empty for dumps that QEMU did not write, and for other machines than x86. */
export function qemuCpuStates(notes: readonly Note[]): QemuCpuState[] {
  const found: QemuCpuState[] = [];
  for (const { name, data } of notes) {
    if (name !== "QEMU" || data.length < FIXED_SIZE) continue;
    const view = viewOf(data);
    const fields: [string, bigint | QemuSegment | undefined][] = [];
    let at = 8;
    const word = () => {
      at += 8;
      return view.getBigUint64(at - 8, true);
    };
    for (const register of GENERAL) fields.push([register, word()]);
    for (const segment of SEGMENTS) {
      const base = view.getBigUint64(at + 16, true);
      fields.push([
        segment,
        { selector: view.getUint32(at, true), limit: view.getUint32(at + 4, true), flags: view.getUint32(at + 8, true), base },
      ]);
      at += SEGMENT_SIZE;
    }
    for (const control of CONTROLS) fields.push([control, word()]);
    fields.push(["kernelGsBase", data.length >= at + 8 ? word() : undefined]);
    found.push(Object.fromEntries(fields) as unknown as QemuCpuState);
  }
  return found;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
