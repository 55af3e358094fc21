/**
 * The notes of one thread in a core file: NT_PRSTATUS with its user registers, and its floating-point state.
 * Source: include/linux/elfcore.h (struct elf_prstatus), arch/x86/include/asm/user_64.h, arch/arm64/include/uapi/asm/ptrace.h,
 * arch/x86/kernel/fpu/xstate.c, Intel SDM 1, 13.4 (XSAVE area).
 *
 *   elf_prstatus   info 12 │ cursig 2 │ sigpend 8 │ sighold 8 │ pid ppid pgrp sid 16 │ four times of 16 │ registers │ fpvalid 4
 *                  0         12         16          24          32                     48               112
 */
import type { RegisterSet } from "../../arch/registers.ts";
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { parentPid, type Task } from "../../linux/task.ts";
import { taskTimes } from "../../linux/task-times.ts";
import { unlessBroken } from "../../linux/until-broken.ts";
import { cpuRegisters } from "../../stack/cpu-registers.ts";
import { taskPtRegs, taskStack } from "../../stack/task-stack.ts";
import type { CoreNote } from "./elf-core.ts";

const NT_PRSTATUS = 1;
const NT_FPREGSET = 2;
const NT_X86_XSTATE = 0x202;
const NT_ARM_TLS = 0x401;

const REGISTERS_AT = 112;
/** user_regs_struct: pt_regs, then fs_base gs_base ds es fs gs. */
const X86_WORDS = 27;
const X86_PT_REGS_WORDS = 21;
/** user_pt_regs: x0 … x30, sp, pc, pstate. */
const ARM64_WORDS = 34;

/** user_regs_struct by the names of the register file, in its order. */
const X86_ORDER = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs rflags rsp ss".split(" ");

/** @param notes takes a line for each state that cannot be had */
export function threadNotes(kernel: Kernel, task: Task, notes: string[]): readonly CoreNote[] {
  const told = (what: string) => (error: Error) => notes.push(`${what} of thread ${task.pid} (${task.comm}): ${error.message}`);
  const words = unlessBroken(() => userRegisters(kernel, task, notes), told("the user registers"));
  const status: CoreNote = { name: "CORE", type: NT_PRSTATUS, bytes: prstatus(kernel, task, words ?? []) };
  const float = unlessBroken(
    () => (kernel.arch.name === "x86_64" ? x86Float(kernel, task) : arm64Float(kernel, task)),
    told("the floating-point registers"),
  );
  return [status, ...(float ?? [])];
}

function prstatus(kernel: Kernel, task: Task, registers: readonly bigint[]): Uint8Array {
  const words = kernel.arch.name === "x86_64" ? X86_WORDS : ARM64_WORDS;
  const bytes = new Uint8Array(REGISTERS_AT + words * 8 + 8);
  const view = new DataView(bytes.buffer);
  const struct = kernel.types.struct("task_struct");
  const word = (path: string) => {
    const field = struct.tryField(path);
    return field === undefined ? 0n : (kernel.memory.tryU64(field.address(task.address)) ?? 0n);
  };
  const signal = killedBy(kernel, task);
  view.setUint32(0, signal, true);
  view.setUint16(12, signal, true);
  view.setBigUint64(16, word("pending.signal"), true);
  view.setBigUint64(24, word("blocked"), true);
  view.setUint32(32, task.pid, true);
  view.setUint32(36, parentPid(kernel, task), true);
  view.setUint32(40, groupId(kernel, task, "PIDTYPE_PGID"), true);
  view.setUint32(44, groupId(kernel, task, "PIDTYPE_SID"), true);
  const times = unlessBroken(
    () => taskTimes(kernel, task),
    () => {},
  );
  for (const [at, nano] of [
    [48, times?.user ?? 0n],
    [64, times?.system ?? 0n],
  ] as const) {
    view.setBigUint64(at, nano / 1_000_000_000n, true);
    view.setBigUint64(at + 8, (nano % 1_000_000_000n) / 1000n, true);
  }
  registers.slice(0, words).forEach((value, i) => {
    view.setBigUint64(REGISTERS_AT + i * 8, BigInt.asUintN(64, value), true);
  });
  view.setUint32(REGISTERS_AT + words * 8, 1, true);
  return bytes;
}

/** The signal that ends the process (signal_struct.group_exit_code), 0 for one that lives. */
function killedBy(kernel: Kernel, task: Task): number {
  const code = unlessBroken(
    () => {
      const signal = kernel.types.struct("task_struct").field("signal").pointer(task.address);
      return signal === 0n ? 0 : kernel.types.struct("signal_struct").field("group_exit_code").number(signal);
    },
    () => {},
  );
  return (code ?? 0) & 0x7f;
}

/** Process group and session in the first pid namespace: signal->pids[] since 5.0 (2c4704756cab); 0 where they cannot be read. */
export function groupId(kernel: Kernel, task: Task, type: "PIDTYPE_PGID" | "PIDTYPE_SID"): number {
  const index = kernel.types.constant(type);
  const pids = kernel.types.tryStruct("signal_struct")?.tryField("pids");
  const numbers = kernel.types.tryStruct("pid")?.tryField("numbers");
  if (index === undefined || pids === undefined || numbers === undefined) return 0;
  const nr = kernel.types.tryStruct("upid")?.tryField("nr");
  const found = unlessBroken(
    () => {
      const signal = kernel.types.struct("task_struct").field("signal").pointer(task.address);
      const pid = kernel.memory.u64(add(pids.address(signal), Number(index) * 8));
      return kernel.memory.u32(add(numbers.address(virtual(pid)), nr?.offset ?? 0));
    },
    () => {},
  );
  return found ?? 0;
}

/** As the machine's elf_gregset_t has them. A task that was in user mode when the kernel died has them in its CPU only. */
function userRegisters(kernel: Kernel, task: Task, notes: string[]): readonly bigint[] {
  const cpu = task.active ? cpuRegisters(kernel)[task.cpu] : undefined;
  const live = cpu?.user === true ? cpu.registers : undefined;
  const at = taskPtRegs(kernel, taskStack(kernel, task.address));
  if (kernel.arch.name !== "x86_64") {
    if (live !== undefined) return Array.from({ length: ARM64_WORDS }, (_, i) => live.get(i) ?? 0n);
    return readWords(kernel, at, ARM64_WORDS);
  }
  const general = live === undefined ? readWords(kernel, at, X86_PT_REGS_WORDS) : x86Words(live);
  const struct = kernel.types.struct("task_struct");
  const value = (field: Field | undefined) => (field === undefined ? 0n : field.bigint(task.address));
  // fs and gs until 4.8 (296f781a4b7801).
  const bases = [struct.firstField("thread.fsbase", "thread.fs"), struct.firstField("thread.gsbase", "thread.gs")];
  const selectors = ["ds", "es", "fsindex", "gsindex"].map((name) => struct.tryField(`thread.${name}`));
  if (task.active)
    notes.push(`thread ${task.pid} was running: its fs_base, gs_base and floating-point registers are those of its last switch`);
  // With FRED the words of cs and ss carry more above their low 16 bits.
  return [...general.map((word, i) => (i === 17 || i === 20 ? word & 0xffffn : word)), ...[...bases, ...selectors].map(value)];
}

function x86Words(registers: RegisterSet): readonly bigint[] {
  const { names } = registers.file;
  return X86_ORDER.map((name) => registers.get(names.indexOf(name)) ?? 0n);
}

function readWords(kernel: Kernel, at: VirtualAddress, count: number): readonly bigint[] {
  return Array.from({ length: count }, (_, i) => kernel.memory.u64(add(at, i * 8)));
}

function arm64Float(kernel: Kernel, task: Task): readonly CoreNote[] {
  const struct = kernel.types.struct("task_struct");
  // thread.uw since 4.16 (65896545b69f).
  const state = struct.firstField("thread.uw.fpsimd_state", "thread.fpsimd_state");
  const tls = struct.firstField("thread.uw.tp_value", "thread.tp_value");
  const notes: CoreNote[] = [];
  // user_fpsimd_state: v0 … v31, fpsr, fpcr.
  if (state !== undefined) notes.push({ name: "CORE", type: NT_FPREGSET, bytes: kernel.memory.bytes(state.address(task.address), 528) });
  if (tls !== undefined) notes.push({ name: "LINUX", type: NT_ARM_TLS, bytes: kernel.memory.bytes(tls.address(task.address), 8) });
  return notes;
}

const FXSAVE = 512;
const XSAVE_HEADER_END = 576;
/** Where the bits of XCR0 stand for debuggers, in bytes that fxsave leaves to software. */
const XCR0_AT = 464;
/** x87, SSE, AVX, MPX, AVX-512, PKRU, AMX: what user mode can see. */
const USER_FEATURES = 0x602ffn;
const COMPACTED = 1n << 63n;
const MAX_XSAVE = 1 << 14;

function x86Float(kernel: Kernel, task: Task): readonly CoreNote[] {
  const at = fpuState(kernel, task);
  if (at === undefined) return [];
  const header = new DataView(kernel.memory.bytes(add(at, FXSAVE), 16).buffer);
  const inUse = header.getBigUint64(0, true);
  const layout = header.getBigUint64(8, true);
  const image = kernel.memory.bytes(at, XSAVE_HEADER_END);
  const view = new DataView(image.buffer);
  // What is not in use is in its first state and not stored: the control words of a new process, registers of zero.
  if ((inUse & 1n) === 0n) {
    image.fill(0, 0, 24);
    image.fill(0, 32, 160);
    view.setUint16(0, 0x37f, true);
  }
  if ((inUse & 2n) === 0n) image.fill(0, 160, 416);
  if ((inUse & 6n) === 0n) view.setUint32(24, 0x1f80, true);
  const notes: CoreNote[] = [{ name: "CORE", type: NT_FPREGSET, bytes: image.slice(0, FXSAVE) }];
  const features = layout === 0n ? inUse : layout & USER_FEATURES;
  const whole = standardImage(kernel, at, image, { inUse, layout, features });
  if (whole !== undefined) notes.push({ name: "LINUX", type: NT_X86_XSTATE, bytes: whole });
  return notes;
}

/** The XSAVE area: thread.fpu.fpstate->regs (5.16+), thread.fpu.state before; since 6.16 struct fpu lies behind the task_struct. */
function fpuState(kernel: Kernel, task: Task): VirtualAddress | undefined {
  const struct = kernel.types.struct("task_struct");
  const fpu = kernel.types.tryStruct("fpu");
  if (fpu === undefined) return undefined;
  // cb7ca40a3882: x86_task_fpu() is the task plus its size.
  const own = struct.tryField("thread.fpu");
  const at = own === undefined ? add(task.address, struct.size) : own.address(task.address);
  const state = fpu.tryField("state");
  if (state !== undefined) return state.address(at);
  const pointer = fpu.tryField("fpstate");
  const regs = kernel.types.tryStruct("fpstate")?.tryField("regs");
  return pointer === undefined || regs === undefined ? undefined : regs.address(pointer.pointer(at));
}

interface Xsave {
  readonly inUse: bigint;
  /** XCOMP_BV. */
  readonly layout: bigint;
  /** What the note describes. */
  readonly features: bigint;
}

/** The area in its standard form, as debuggers want it; undefined where the kernel does not tell where the parts lie. */
function standardImage(kernel: Kernel, at: VirtualAddress, head: Uint8Array, xsave: Xsave): Uint8Array | undefined {
  const { inUse, layout, features } = xsave;
  const parts = features >> 2n === 0n ? [] : xsaveParts(kernel, layout);
  if (parts === undefined) return undefined;
  const wanted = parts.filter(({ bit }) => ((features >> BigInt(bit)) & 1n) === 1n);
  const size = Math.max(XSAVE_HEADER_END, ...wanted.map(({ offset, size: length }) => offset + length));
  if (size > MAX_XSAVE) return undefined;
  const bytes = new Uint8Array(size);
  bytes.set(head);
  for (const { bit, offset, stored, size: length } of wanted)
    if (((inUse >> BigInt(bit)) & 1n) === 1n) bytes.set(kernel.memory.bytes(add(at, stored), length), offset);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(XCR0_AT, features | 3n, true);
  view.setBigUint64(FXSAVE, inUse & features, true);
  view.setBigUint64(FXSAVE + 8, 0n, true);
  return bytes;
}

interface XsavePart {
  readonly bit: number;
  readonly size: number;
  /** In the standard form, and where this kernel stores it. */
  readonly offset: number;
  readonly stored: number;
}

/** The parts behind the header: xstate_offsets and xstate_sizes as the CPU told them; compacted ones lie in the order of their bits. */
function xsaveParts(kernel: Kernel, layout: bigint): readonly XsavePart[] | undefined {
  const table = (name: string) => {
    const address = kernel.tryAddress(name);
    return (bit: number) => (address === undefined ? undefined : kernel.memory.tryU32(add(address, bit * 4)));
  };
  const [offsets, sizes, flags, places] = ["xstate_offsets", "xstate_sizes", "xstate_flags", "xstate_comp_offsets"].map(table);
  if (offsets?.(2) === undefined || sizes?.(2) === undefined) return undefined;
  const parts: XsavePart[] = [];
  let next = XSAVE_HEADER_END;
  for (let bit = 2; bit <= 18; bit++) {
    const size = sizes(bit) ?? 0;
    if ((layout & COMPACTED) !== 0n && ((layout >> BigInt(bit)) & 1n) === 0n) continue;
    const offset = offsets(bit) ?? 0;
    if (size === 0 || size > MAX_XSAVE) continue;
    // ECX bit 1 of CPUID leaf 0xd: starts at a multiple of 64 (kept in xstate_flags since 6.1, placed in xstate_comp_offsets before).
    if (((flags?.(bit) ?? 0) & 2) !== 0) next = (next + 63) & ~63;
    parts.push({ bit, size, offset, stored: (layout & COMPACTED) === 0n ? offset : (places?.(bit) ?? next) });
    next += size;
  }
  return parts;
}
