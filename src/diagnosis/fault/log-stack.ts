/**
 * The stack of a fault that only the log tells: the functions of its call trace with the registers that the report printed, as far out as
 * nobody has changed them. What a function saved on its stack is gone; what it left alone its caller had as well.
 *
 *   RIP: refcount_warn_saturate+0xba      rbx rbp r12 …    printed
 *   gadget_put+0x12 [gadget]              rbx rbp r12 …    refcount_warn_saturate changes none of them
 *   gadget_close+0x40 [gadget]            rbp r12 …        gadget_put has saved rbx, where nobody can read it any more
 */
import type { RegisterSet } from "../../arch/registers.ts";
import { RegisterSet as Registers } from "../../arch/registers.ts";
import { distance, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { flowOf } from "../../type-flow/function-flow.ts";
import { machineOf } from "../../type-flow/machine.ts";
import { plainName } from "../log-report/frame-line.ts";
import type { VerdictFrame } from "../verdict.ts";
import { instructionBefore } from "./instruction-at.ts";

/** Frames that are made. */
const MAX_FRAMES = 16;
/** Callers whose registers are asked for: each costs a look through a function. */
const MAX_FLOWS = 5;
/** Functions that the compiler made of one. */
const MAX_VARIANTS = 16;

/**
 * undefined where the trace does not begin at the fault, or no function of it has just one address.
 * @param trace of the report, innermost first; on arm64 it begins with the fault's own function
 */
export function stackOfLog(
  kernel: Kernel,
  pc: VirtualAddress,
  registers: RegisterSet,
  trace: readonly VerdictFrame[],
): UnwoundStack | undefined {
  const frames: StackFrame[] = [frameAt(kernel, 0, pc, "interrupted", registers)];
  let inner = { pc: pc as bigint, registers };
  for (const frame of trace) {
    if (frame.doubtful === true || frame.inlined === true || frames.length >= MAX_FRAMES) continue;
    const address = addressOfFrame(kernel, frame);
    if (address === undefined) break;
    if (frames.length === 1 && address === pc) continue;
    const call = instructionBefore(kernel, address);
    if (call === undefined) break;
    const known = frames.length > MAX_FLOWS ? new Registers(registers.file) : untouched(kernel, inner.pc, inner.registers);
    frames.push(frameAt(kernel, frames.length, address, "call", known));
    inner = { pc: call.address, registers: known };
  }
  return frames.length < 2 ? undefined : { frames, stop: { complete: false, text: "the log tells no more" }, user: undefined };
}

/** Where a frame of a printed trace lies. The report may leave out what the compiler added to a name (.constprop.0, .cold): of several the one of the printed size. */
export function addressOfFrame(kernel: Kernel, { function: name, offset, size, module }: VerdictFrame): VirtualAddress | undefined {
  if (name === undefined || offset === undefined) return undefined;
  const names = new Set([name, ...kernel.symbols.prefix(`${name}.`, MAX_VARIANTS).filter((each) => plainName(each) === name)]);
  const all = [...names].flatMap((each) => kernel.symbols.allByName(each)).filter((symbol) => symbol.module === module);
  const fitting = all.length > 1 && size !== undefined ? all.filter(({ address }) => sizeAt(kernel, address) === size) : all;
  const [only] = fitting;
  return only === undefined || fitting.length > 1 ? undefined : virtual(only.address + BigInt(offset));
}

/** As the kernel prints it: up to the next symbol. */
function sizeAt(kernel: Kernel, address: VirtualAddress): number | undefined {
  const { next } = kernel.symbols.neighbours(address);
  return next === undefined ? undefined : distance(next.address, address);
}

/** Registers that calls preserve and that the function has not changed before the instruction. */
function untouched(kernel: Kernel, pc: bigint, registers: RegisterSet): RegisterSet {
  const found = new Registers(registers.file);
  try {
    const flow = flowOf(kernel, virtual(pc));
    const machine = machineOf(kernel.arch.name);
    for (const name of machine.preserved) {
      if (name === machine.stackPointer) continue;
      const number = registers.file.names.indexOf(name);
      const value = number < 0 ? undefined : registers.get(number);
      const origin = value === undefined ? undefined : flow.originOf(pc, name);
      if (value !== undefined && origin?.kind === "entry" && origin.register === name) found.set(number, value);
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return found;
}

function frameAt(kernel: Kernel, level: number, pc: VirtualAddress, kind: StackFrame["kind"], registers: RegisterSet): StackFrame {
  // A return address behind a call that does not return belongs to the next function.
  const symbol = kernel.arch.isKernelAddress(pc) ? kernel.symbols.byAddress(virtual(kind === "call" ? pc - 1n : pc)) : undefined;
  const nowhere = virtual(0n);
  return {
    level,
    sp: nowhere,
    pc,
    function: symbol?.symbol.name,
    offset: symbol === undefined ? undefined : symbol.offset + (kind === "call" ? 1 : 0),
    module: symbol?.symbol.module,
    kind,
    certainty: "exact",
    foundBy: "registers",
    stack: { kind: "unknown", start: nowhere, end: nowhere, cpu: undefined },
    registers,
    exception: undefined,
  };
}
