/**
 * Registers of the CPUs at the moment of the dump. Source: kernel/vmcore_info.c (crash_save_cpu), kernel/kexec_core.c, QEMU's
 * dump/ and target/<machine>/arch_dump.c.
 *
 *   real kdump (VMCOREINFO has CRASHTIME): each CPU wrote an NT_PRSTATUS into its own crash_notes. The dump's notes are those of
 *       /proc/vmcore, which leaves out CPUs without one (offline, or deaf to the NMI), so their order says nothing of CPU numbers
 *   hypervisor dump: one NT_PRSTATUS a CPU in the dump's notes, pr_pid = CPU + 1 (QEMU)
 */
import { arm64IsUser, arm64RegistersFromWords } from "../arch/arm64-registers.ts";
import type { RegisterSet } from "../arch/registers.ts";
import { x86IsUser, x86RegistersFromWords } from "../arch/x86-64-registers.ts";
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { parseNotes } from "../dump/elf-notes.ts";
import { type RegisterNote, registerNotes } from "../dump/register-notes.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { tryWord } from "./task-stack.ts";

export interface CpuRegisters {
  readonly cpu: number;
  readonly registers: RegisterSet;
  readonly user: boolean;
  /** Where they come from. */
  readonly source: "crash_notes" | "notes of the dump";
  /** pr_pid of the note: the task's pid in a kdump. */
  readonly pid: number;
}

/** Longer than any machine's NT_PRSTATUS; crash_notes are aligned so that one page holds them (crash_notes_memory_init). */
const MAX_CRASH_NOTE = 1024;

/** Registers by CPU number; undefined for a CPU that left none. */
export function cpuRegisters(kernel: Kernel): readonly (CpuRegisters | undefined)[] {
  return kernel.memo(cpuRegisters, () => {
    const own = kernel.vmcoreinfo?.crashTime === undefined ? undefined : fromCrashNotes(kernel);
    return own ?? fromDumpNotes(kernel);
  });
}

function decode(kernel: Kernel, cpu: number, note: RegisterNote, source: CpuRegisters["source"]): CpuRegisters | undefined {
  const x86 = kernel.arch.name === "x86_64";
  const registers = x86 ? x86RegistersFromWords(note.registers) : arm64RegistersFromWords(note.registers);
  if (registers === undefined) return undefined;
  return { cpu, registers, user: x86 ? x86IsUser(registers) : arm64IsUser(registers), source, pid: note.pid };
}

/** Undefined when crash_notes cannot be found or no CPU wrote one. */
function fromCrashNotes(kernel: Kernel): (CpuRegisters | undefined)[] | undefined {
  const symbol = kernel.tryAddress("crash_notes");
  const pointer = symbol === undefined ? undefined : tryWord(kernel, symbol);
  if (pointer === undefined || pointer === 0n) return undefined;
  const found = kernel.perCpuOffsets.map((offset, cpu) => (offset === undefined ? undefined : crashNote(kernel, virtual(pointer), cpu)));
  return found.some((entry) => entry !== undefined) ? found : undefined;
}

function crashNote(kernel: Kernel, pointer: VirtualAddress, cpu: number): CpuRegisters | undefined {
  try {
    const address = kernel.perCpuAddress(pointer, cpu);
    const name = kernel.memory.u32(address);
    const data = kernel.memory.u32(add(address, 4));
    // Behind the note's end mark lies whatever else is per-CPU: only the first note is looked at, padded to 4 as the kernel does.
    const length = 12 + 4 * Math.ceil(name / 4) + 4 * Math.ceil(data / 4);
    if (length > MAX_CRASH_NOTE) return undefined;
    const note = registerNotes(parseNotes(kernel.memory.bytes(address, length), true, 4).notes, kernel.arch.name)[0];
    return note === undefined ? undefined : decode(kernel, cpu, note, "crash_notes");
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function fromDumpNotes(kernel: Kernel): (CpuRegisters | undefined)[] {
  const notes = registerNotes(kernel.dump.notes, kernel.arch.name, kernel.dump.littleEndian);
  // QEMU numbers the notes; other hypervisors are trusted to keep the order of the CPUs.
  const numbered =
    new Set(notes.map((note) => note.pid)).size === notes.length && notes.every((note) => note.pid >= 1 && note.pid <= notes.length);
  const found: (CpuRegisters | undefined)[] = [];
  notes.forEach((note, index) => {
    const cpu = numbered ? note.pid - 1 : index;
    found[cpu] = decode(kernel, cpu, note, "notes of the dump");
  });
  return found;
}
