/**
 * Steps and registers by call-frame information of a vmlinux or a module's debug file.
 *
 *   pc (a return address: the call before it) ─► row ─► CFA ─► return address, the caller's registers
 *
 * What it cannot be trusted with:
 *   - Code that compilers did not write has none, or (functions of inline assembly that switch stacks, since 5.12) one that is wrong while
 *     the stack is switched: the CFA is then a register's old value, which the switch left on top of the interrupt stack.
 *   - Exceptions and the kernel's entry: no rows at all. pt_regs are found by others.
 * So a step must lead to a return address, and where another source proved the frame the CFA must be that one.
 */
import { RegisterSet } from "../arch/registers.ts";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { FrameRow, RegisterRule } from "../debug-info/debug-info.ts";
import { evaluateScalar } from "../debug-info/dwarf/expression.ts";
import type { ExpressionContext } from "../debug-info/dwarf/expression-context.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { KernelDebugInfo } from "../kernel/debug-info.ts";
import type { CallerRegisters, ProvedFrame, SavedRegisterSource } from "./saved-registers.ts";
import type { FrameState, RuleSource, Step } from "./unwinder.ts";

export interface CallFrameHelp {
  /** Is the word before this return address a call, and the address code? Or is it a tracer's trampoline? */
  isReturnAddress(address: bigint): boolean;
  /** Removes a pointer authentication code. */
  strip(address: bigint): VirtualAddress;
  /** Is the address the topmost word of an interrupt stack, where the stack pointer of the stack that was left is kept? */
  isSwitchSlot(address: bigint): boolean;
}

/** A row over the registers of a frame. */
interface Evaluated {
  readonly row: FrameRow;
  readonly bias: bigint;
  readonly registers: RegisterSet;
}

export class CallFrameRules implements RuleSource, SavedRegisterSource {
  readonly #memory: Memory;
  readonly #debugInfo: KernelDebugInfo;
  readonly #help: CallFrameHelp;

  constructor(memory: Memory, debugInfo: KernelDebugInfo, help: CallFrameHelp) {
    this.#memory = memory;
    this.#debugInfo = debugInfo;
    this.#help = help;
  }

  step(state: FrameState): Step | undefined {
    const found = this.#at(state);
    const cfa = found === undefined ? undefined : this.#cfa(found);
    if (found === undefined || cfa === undefined) return undefined;
    const { file } = state.registers;
    const { row } = found;
    const rule = row.registers.get(row.returnRegister);
    // How compilers mark the outermost function; the default of a machine that pushes return addresses is to have a rule.
    if (rule?.kind === "undefined") return { kind: "end", complete: true, text: "end of the stack" };
    const saved = rule === undefined && file.link === undefined ? undefined : this.#caller(found, cfa, row.returnRegister);
    if (saved === undefined) return undefined;
    const pc = this.#help.strip(saved);
    if (!row.signal && !this.#help.isReturnAddress(pc)) return undefined;
    const registers = new RegisterSet(file);
    for (const [register, value] of this.#callerRegisters(found, cfa)) registers.set(register, value);
    registers.set(file.pc, pc);
    const slot = rule?.kind === "at cfa" ? virtual(cfa + BigInt(rule.offset)) : virtual(cfa);
    return { kind: "found", next: { registers, pc, interrupted: row.signal }, slot, foundBy: "call-frame information" };
  }

  callerRegisters({ state, cfa: proved, record }: ProvedFrame): CallerRegisters | undefined {
    const found = this.#at(state);
    if (found === undefined) return undefined;
    const own = this.#cfa(found);
    if (proved !== undefined) return own === proved ? this.#callerRegisters(found, proved) : undefined;
    const cfa = record === undefined ? this.#leaf(found, own) : this.#cfaOfRecord(found, own, record);
    return cfa === undefined ? undefined : this.#callerRegisters(found, cfa);
  }

  /** A function without a record: the return address must still be in the link register. */
  #leaf({ row, registers }: Evaluated, cfa: bigint | undefined): bigint | undefined {
    const kept = row.registers.get(registers.file.link ?? -1)?.kind ?? "same";
    return kept === "same" ? cfa : undefined;
  }

  /**
   * The CFA from where the frame record is: the row must say that frame pointer and link register were saved side by side. The stack
   * pointer, which the row goes by, is exact only where an exception or a context switch saved it; then both ways must agree.
   */
  #cfaOfRecord({ row, registers }: Evaluated, own: bigint | undefined, record: bigint): bigint | undefined {
    const { file } = registers;
    const fp = row.registers.get(file.fp);
    const link = row.registers.get(file.link ?? -1);
    if (fp?.kind !== "at cfa" || link?.kind !== "at cfa" || link.offset !== fp.offset + 8) return undefined;
    const cfa = BigInt.asUintN(64, record - BigInt(fp.offset));
    return own === undefined || own === cfa ? cfa : undefined;
  }

  /** The row for a frame; undefined where there is none, or it is damaged. */
  #at({ pc, interrupted, registers }: FrameState): Evaluated | undefined {
    const found = this.#debugInfo.at(interrupted ? pc : virtual(pc - 1n));
    if (found === undefined) return undefined;
    try {
      const row = found.info.frameRow(found.link);
      return row === undefined ? undefined : { row, bias: found.bias, registers };
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  }

  #cfa(found: Evaluated): bigint | undefined {
    const { cfa } = found.row;
    if ("expression" in cfa) return this.#evaluate(found, cfa.expression);
    let base = found.registers.get(cfa.register);
    if (base !== undefined && cfa.register === found.registers.file.sp && this.#help.isSwitchSlot(base)) {
      base = this.#memory.tryU64(virtual(base));
    }
    return base === undefined ? undefined : BigInt.asUintN(64, base + BigInt(cfa.offset));
  }

  #callerRegisters(found: Evaluated, cfa: bigint): CallerRegisters {
    const { file } = found.registers;
    const values = new Map<number, bigint>([[file.sp, cfa]]);
    for (const register of file.calleeSaved) {
      const value = this.#caller(found, cfa, register);
      if (value !== undefined) values.set(register, value);
    }
    return values;
  }

  /** A register of the caller. Both machines' conventions: those in question are unchanged where nothing is said. */
  #caller(found: Evaluated, cfa: bigint, register: number): bigint | undefined {
    const rule: RegisterRule = found.row.registers.get(register) ?? { kind: "same" };
    switch (rule.kind) {
      case "undefined":
        return undefined;
      case "same":
        return found.registers.get(register);
      case "register":
        return found.registers.get(rule.register);
      case "at cfa":
        return this.#memory.tryU64(virtual(cfa + BigInt(rule.offset)));
      case "is cfa":
        return BigInt.asUintN(64, cfa + BigInt(rule.offset));
      case "at expression": {
        const at = this.#evaluate(found, rule.expression, cfa);
        return at === undefined ? undefined : this.#memory.tryU64(virtual(at));
      }
      case "is expression":
        return this.#evaluate(found, rule.expression, cfa);
    }
  }

  #evaluate({ registers, bias }: Evaluated, expression: Uint8Array, cfa?: bigint): bigint | undefined {
    const memory = this.#memory;
    const context: ExpressionContext = {
      unit: undefined,
      memory: {
        u8: (address) => memory.u8(virtual(address)),
        u16: (address) => memory.u16(virtual(address)),
        u32: (address) => memory.u32(virtual(address)),
        u64: (address) => memory.u64(virtual(address)),
      },
      register: (register) => registers.get(register),
      registerName: (register) => registers.file.names[register] ?? `register ${register}`,
      runtime: (link) => virtual(link + bias),
    };
    try {
      return evaluateScalar(expression, context, cfa === undefined ? [] : [cfa]);
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  }
}
