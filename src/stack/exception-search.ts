/**
 * Saved registers anywhere on a stack, found by what they must look like: selectors or pstate, a pc in code, a stack pointer on a stack.
 * Some are stale; an unwind uses none of this.
 *
 *   x86-64   cs 0x10 with ss 0x18 or 0, or cs 0x33/0x23 with ss 0x2b; flags with their fixed bits. A jump to nowhere leaves a pc in no
 *            code: such registers must lie right below where their own stack pointer was, which the CPU aligns to 16 before it pushes
 *   arm64    pstate of EL1/EL2 with pc, sp and frame pointer of the kernel; user registers only where the kernel keeps them, at the stack's end
 */
import { ARM64_PT_REGS_HEAD, arm64PlausibleRegisters, arm64RegistersFromPtRegs, FP } from "../arch/arm64-registers.ts";
import type { RegisterSet } from "../arch/registers.ts";
import { X86_PT_REGS_SIZE, x86PlausibleRegisters, x86RegistersFromPtRegs } from "../arch/x86-64-registers.ts";
import { add, distance, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { CodeRanges } from "./code-ranges.ts";
import type { ExceptionFrame, StackArea } from "./frame.ts";
import { StackMap } from "./stack-map.ts";
import { onStack, taskPtRegs } from "./task-stack.ts";

const MAX_BYTES = 1 << 20;

/** Exception frames of a stack, low to high. @param from start of the search; the stack's lowest byte unless told */
export function findExceptionFrames(kernel: Kernel, area: StackArea, from: VirtualAddress = area.start): ExceptionFrame[] {
  const x86 = kernel.arch.name === "x86_64";
  const size = x86 ? X86_PT_REGS_SIZE : ARM64_PT_REGS_HEAD;
  const length = Math.min(distance(area.end, from), MAX_BYTES);
  const found: ExceptionFrame[] = [];
  for (let offset = 0; offset + size <= length; offset += 8) {
    const address = add(from, offset);
    const bytes = kernel.memory.tryBytes(address, size);
    if (bytes === undefined) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const frame = x86 ? x86Frame(kernel, area, address, view) : arm64Frame(kernel, area, address, view);
    if (frame !== undefined) found.push(frame);
  }
  return found;
}

function x86Frame(kernel: Kernel, area: StackArea, address: VirtualAddress, view: DataView): ExceptionFrame | undefined {
  // The selector word alone rules out nearly everything.
  const cs = view.getUint16(136, true);
  if (cs !== 0x10 && cs !== 0x33 && cs !== 0x23) return undefined;
  const registers = x86RegistersFromPtRegs(view);
  const mode = x86PlausibleRegisters(registers);
  if (mode === undefined || !plausible(kernel, area, registers, mode, pushedBelow(address, registers))) return undefined;
  return { address, user: mode === "user", partial: false, registers };
}

/** An exception of kernel mode that took no other stack. */
function pushedBelow(address: VirtualAddress, registers: RegisterSet): boolean {
  const sp = registers.sp ?? 0n;
  return (sp & ~15n) === add(address, X86_PT_REGS_SIZE);
}

function arm64Frame(kernel: Kernel, area: StackArea, address: VirtualAddress, view: DataView): ExceptionFrame | undefined {
  const pstate = view.getUint32(264, true) & 0x1f;
  const user = pstate === 0 || pstate === 0x10;
  if (user && (area.kind !== "task" || address !== taskPtRegs(kernel, area))) return undefined;
  const registers = arm64RegistersFromPtRegs(view);
  const mode = arm64PlausibleRegisters(registers);
  if (mode === undefined || !plausible(kernel, area, registers, mode, false)) return undefined;
  if (mode === "kernel" && !arm64Interrupted(kernel, area, registers, pstate)) return undefined;
  return { address, user: mode === "user", partial: false, registers };
}

/** Linux runs with SP_ELx only (EL1h, EL2h), and its frame pointer is 0 or on a stack: else these are words of the frames that lie here. */
function arm64Interrupted(kernel: Kernel, area: StackArea, registers: RegisterSet, mode: number): boolean {
  if (mode !== 0x5 && mode !== 0x9) return false;
  const fp = registers.get(FP) ?? 0n;
  return fp === 0n || onStack(area, fp) || StackMap.of(kernel).find(fp) !== undefined;
}

/** @param anyPc the pc need not be in code */
function plausible(kernel: Kernel, area: StackArea, registers: RegisterSet, mode: "kernel" | "user", anyPc: boolean): boolean {
  const pc = registers.pc ?? 0n;
  const sp = registers.sp ?? 0n;
  if (mode === "user") return pc !== 0n && sp !== 0n && pc >> 56n === 0n && sp >> 56n === 0n;
  if ((sp & 7n) !== 0n || !(anyPc || CodeRanges.of(kernel).isCode(pc))) return false;
  return onStack(area, sp - 1n) || StackMap.of(kernel).find(sp - 1n) !== undefined || kernel.arch.isKernelAddress(sp);
}
