/**
 * Steps by a function's prologue, for the few functions that objtool was told to leave alone (STACK_FRAME_NON_STANDARD: __crash_kexec,
 * where every kdump by panic() begins, the entry to guests in KVM). Two witnesses must agree: the prologue's size leads to a word, and
 * that word is the return address of a call to this very function (or of an indirect call).
 *
 *   sp ──► [locals][pushed …][return address]     slot = sp + locals + 8 × pushes
 */
import { RegisterSet } from "../arch/registers.ts";
import { x86Prologue } from "../arch/x86-64-frames.ts";
import { RIP, RSP } from "../arch/x86-64-registers.ts";
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { CodePlace } from "./code-ranges.ts";
import { type CallTarget, callsInto } from "./return-address.ts";
import type { FrameState, RuleSource, Step } from "./unwinder.ts";

export interface PrologueHelp {
  place(pc: VirtualAddress, isReturnAddress: boolean): CodePlace | undefined;
  isReturnAddress(address: bigint): boolean;
  /** What the instruction before a return address calls. */
  callBefore(address: bigint): CallTarget;
}

/** No prologue is longer. */
const PROLOGUE_BYTES = 64;

export class X86Prologues implements RuleSource {
  readonly #memory: Memory;
  readonly #help: PrologueHelp;

  constructor(memory: Memory, help: PrologueHelp) {
    this.#memory = memory;
    this.#help = help;
  }

  step(state: FrameState): Step | undefined {
    const place = this.#help.place(state.pc, !state.interrupted);
    const sp = state.registers.get(RSP);
    if (place === undefined || sp === undefined) return undefined;
    const before = distance(state.pc, place.start);
    const code = before < 0 ? undefined : this.#memory.tryBytes(place.start, Math.min(PROLOGUE_BYTES, before));
    if (code === undefined) return undefined;
    const { pushed, locals } = x86Prologue(code);
    if (locals < 0) return undefined;
    const slot = virtual(sp + BigInt(locals + pushed.length * 8));
    const pc = this.#memory.tryU64(slot);
    if (pc === undefined || !this.#help.isReturnAddress(pc)) return undefined;
    const call = this.#help.callBefore(pc);
    if (!callsInto(call, place.start) && call !== "indirect") return undefined;
    const registers = new RegisterSet(state.registers.file);
    for (const register of registers.file.calleeSaved) {
      const index = pushed.indexOf(register);
      registers.set(register, index < 0 ? state.registers.get(register) : this.#memory.tryU64(add(slot, -8 * (index + 1))));
    }
    registers.set(RIP, pc);
    registers.set(RSP, add(slot, 8));
    return { kind: "found", next: { registers, pc: virtual(pc), interrupted: false }, slot, foundBy: "prologue" };
  }
}
