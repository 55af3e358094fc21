/**
 * A jump to nowhere: the pc of an exception is 0 or in no code, because the kernel called through a bad pointer. The call itself did
 * its work first, so the return address is where a call leaves it. Source: null_orc_entry in arch/x86/kernel/unwind_orc.c.
 *
 *   x86-64:  [rsp] = return address        arm64:  x30 = return address
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { FrameState, RuleSource, Step } from "./unwinder.ts";

export interface BadCallHelp {
  isCode(address: bigint): boolean;
  /** Is the word before this return address a call, and the address code? */
  isReturnAddress(address: bigint): boolean;
  /** Removes a pointer authentication code. */
  strip(address: bigint): VirtualAddress;
}

export class BadCall implements RuleSource {
  readonly #memory: Memory;
  readonly #help: BadCallHelp;

  constructor(memory: Memory, help: BadCallHelp) {
    this.#memory = memory;
    this.#help = help;
  }

  step(state: FrameState): Step | undefined {
    if (!state.interrupted || this.#help.isCode(state.pc)) return undefined;
    const file = state.registers.file;
    const sp = state.registers.sp;
    if (sp === undefined) return undefined;
    const pushed = file.link === undefined;
    const word = pushed ? this.#memory.tryU64(virtual(sp)) : state.registers.get(file.link);
    const pc = word === undefined ? undefined : this.#help.strip(word);
    if (pc === undefined || !this.#help.isReturnAddress(pc)) return undefined;
    const registers = state.registers.copy();
    registers.set(file.pc, pc);
    registers.set(file.sp, pushed ? sp + 8n : sp);
    if (file.link !== undefined) registers.set(file.link, undefined);
    return { kind: "found", next: { registers, pc, interrupted: false }, slot: virtual(sp), foundBy: "call through a bad pointer" };
  }
}
