/**
 * The caller's registers without debug information: from what the function's own code, as it lies in the dump, saves and where
 * (arch/register-saves.ts). The code's idea of the frame must be the one that was proved: as far below the CFA as the code has moved the
 * stack pointer, or, on arm64, with the frame record where the code stores it.
 */
import { LR } from "../arch/arm64-registers.ts";
import type { FlowMachine } from "../arch/register-effects.ts";
import { type CodePart, type FlowHelp, RegisterSaves, type SavedState } from "../arch/register-saves.ts";
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { CodePlace } from "./code-ranges.ts";
import type { CallerRegisters, ProvedFrame, SavedRegisterSource } from "./saved-registers.ts";

export interface CodeHelp {
  place(pc: VirtualAddress, isReturnAddress: boolean): CodePlace | undefined;
  /** End of the function that starts there; undefined for code that is in no symbol table. */
  endOf(start: VirtualAddress): VirtualAddress | undefined;
  /** Starts of all functions of that name. */
  named(name: string): readonly VirtualAddress[];
  /** Is it assembler code that keeps no convention (the kernel's entry)? */
  isEntry(pc: bigint): boolean;
}

/** Longer functions are not followed: some milliseconds each. */
const MAX_FUNCTION = 1 << 16;
/** Functions kept, some 20 KiB each. */
const MAX_KEPT = 256;
const MAX_RETURNING = 1 << 16;
/** What GCC and Clang call the unlikely part of a function. */
const COLD = /\.cold(\.\d+)?$/;

/**
 * Functions that never return though their code has a return or a jump out of it. Source: __noreturn in the kernel's headers,
 * tools/objtool/noreturns.h; those of older kernels too. Others are seen from their code: compilers find out, and go by it.
 */
const NO_RETURN = new Set(
  (
    "panic vpanic do_exit do_group_exit do_task_dead make_task_dead rewind_stack_and_make_dead rewind_stack_do_exit complete_and_exit " +
    "kthread_exit kthread_complete_and_exit __module_put_and_kthread_exit __module_put_and_exit __stack_chk_fail fortify_panic " +
    "__fortify_panic usercopy_abort __ubsan_handle_builtin_unreachable nmi_panic_self_stop panic_smp_self_stop stop_this_cpu " +
    "cpu_startup_entry arch_cpu_idle_dead play_dead hlt_play_dead mwait_play_dead machine_real_restart rest_init start_kernel " +
    "x86_64_start_kernel x86_64_start_reservations xen_start_kernel cpu_bringup_and_idle ex_handler_msr_mce sev_es_terminate snp_abort " +
    "hv_ghcb_terminate __tdx_hypercall_failed kunit_try_catch_throw __kunit_abort mpt_halt_firmware lbug_with_loc rust_begin_unwind " +
    "rust_helper_BUG bch2_trans_restart_error bch2_trans_in_restart_error bch2_trans_unlocked_error __reiserfs_panic " +
    "arm64_serror_panic cpu_die_early cpu_park_loop cpu_panic_kernel panic_bad_stack handle_bad_stack machine_kexec hyp_panic " +
    "nvhe_hyp_panic_handler __hyp_do_panic __cpu_soft_restart cpu_soft_restart cpu_die"
  ).split(" "),
);

interface Followed {
  readonly start: VirtualAddress;
  readonly saves: RegisterSaves;
}

export class CodeSaves implements SavedRegisterSource {
  readonly #memory: Memory;
  readonly #machine: FlowMachine;
  readonly #help: CodeHelp;
  readonly #known = new Map<bigint, RegisterSaves | null>();
  readonly #returning = new Map<bigint, boolean>();

  constructor(memory: Memory, machine: FlowMachine, help: CodeHelp) {
    this.#memory = memory;
    this.#machine = machine;
    this.#help = help;
  }

  callerRegisters(frame: ProvedFrame): CallerRegisters | undefined {
    const { state } = frame;
    const saved = this.stateAt(state.pc, !state.interrupted);
    const cfa = saved === undefined ? undefined : this.#cfa(frame, saved);
    if (saved === undefined || cfa === undefined) return undefined;
    const { file } = state.registers;
    const values = new Map<number, bigint>([[file.sp, cfa]]);
    for (const register of file.calleeSaved) {
      const place = saved.of(register);
      const value =
        place === "same"
          ? state.registers.get(register)
          : place === undefined
            ? undefined
            : this.#memory.tryU64(virtual(cfa - BigInt(place)));
      if (value !== undefined) values.set(register, value);
    }
    return values;
  }

  /** What is saved at a pc; undefined where the function cannot be followed to it. */
  stateAt(pc: VirtualAddress, isReturnAddress: boolean): SavedState | undefined {
    if (this.#help.isEntry(pc)) return undefined;
    const found = this.#function(pc, isReturnAddress);
    if (found === undefined) return undefined;
    const offset = distance(pc, found.start);
    return isReturnAddress ? found.saves.beforeEnding(offset) : found.saves.before(offset);
  }

  /** The CFA, when the frame is as the code makes it. */
  #cfa({ state, cfa, record }: ProvedFrame, saved: SavedState): bigint | undefined {
    const { sp, fp, file } = state.registers;
    const byStack = sp === undefined || saved.depth === undefined ? undefined : BigInt.asUintN(64, sp + BigInt(saved.depth));
    if (cfa !== undefined) {
      const byFrame = fp === undefined || saved.frame === undefined ? undefined : BigInt.asUintN(64, fp + BigInt(saved.frame));
      return (byStack ?? byFrame) === cfa ? cfa : undefined;
    }
    // arm64: a function without a record has its return address in the link register still.
    if (record === undefined) return saved.of(LR) === "same" ? byStack : undefined;
    const place = saved.of(file.fp);
    const link = saved.of(LR);
    if (typeof place !== "number" || link !== place - 8) return undefined;
    const byRecord = BigInt.asUintN(64, record + BigInt(place));
    return byStack === undefined || byStack === byRecord ? byRecord : undefined;
  }

  #function(pc: VirtualAddress, isReturnAddress: boolean): Followed | undefined {
    const place = this.#help.place(pc, isReturnAddress);
    if (place === undefined) return undefined;
    if (!COLD.test(place.function)) {
      const saves = this.#follow(place.start, place.function);
      return saves === undefined ? undefined : { start: place.start, saves };
    }
    const name = place.function.replace(COLD, "");
    for (const start of this.#help.named(name)) {
      const saves = this.#follow(start, name);
      if (saves?.covers(distance(place.start, start)) === true) return { start, saves };
    }
    return undefined;
  }

  #follow(start: VirtualAddress, name: string): RegisterSaves | undefined {
    let known = this.#known.get(start);
    if (known === undefined) {
      const code = this.#code(start);
      const help: FlowHelp = {
        part: (target) => this.#coldPart(start, name, target),
        returns: (target) => this.#returns(add(start, target)),
      };
      known = (code === undefined ? undefined : RegisterSaves.of(this.#machine, code, help)) ?? null;
      if (this.#known.size >= MAX_KEPT) this.#known.clear();
      this.#known.set(start, known);
    }
    return known ?? undefined;
  }

  /** May the function that is called there return? */
  #returns(target: VirtualAddress): boolean {
    const place = this.#help.place(target, false);
    if (place === undefined) return true;
    let known = this.#returning.get(place.start);
    if (known === undefined) {
      const code = NO_RETURN.has(place.function) ? undefined : this.#code(place.start);
      known = code === undefined ? !NO_RETURN.has(place.function) : this.#mayReturn(place.start, place.function, code);
      if (this.#returning.size >= MAX_RETURNING) this.#returning.clear();
      this.#returning.set(place.start, known);
    }
    return known;
  }

  /** In one of its parts: a function may jump to its unlikely part to return from there (__warn_printk() of 6.1). */
  #mayReturn(start: VirtualAddress, name: string, code: Uint8Array): boolean {
    const parts = new Map<number, Uint8Array>();
    const isPart = (offset: number): boolean => {
      const part = this.#coldPart(start, name, offset);
      if (part !== undefined) parts.set(part.offset, part.bytes);
      return part !== undefined;
    };
    if (RegisterSaves.mayReturn(this.#machine, code, isPart)) return true;
    const isOwn = (offset: number): boolean =>
      (offset >= 0 && offset < code.length) || [...parts].some(([at, { length }]) => offset >= at && offset < at + length);
    return [...parts].some(([at, bytes]) => RegisterSaves.mayReturn(this.#machine, bytes, (target) => isOwn(at + target)));
  }

  /** The unlikely part of a function, where it jumps there. */
  #coldPart(start: VirtualAddress, name: string, target: number): CodePart | undefined {
    const place = this.#help.place(add(start, target), false);
    if (place === undefined || !COLD.test(place.function) || place.function.replace(COLD, "") !== name) return undefined;
    const bytes = this.#code(place.start);
    return bytes === undefined ? undefined : { offset: distance(place.start, start), bytes };
  }

  #code(start: VirtualAddress): Uint8Array | undefined {
    const end = this.#help.endOf(start);
    const length = end === undefined ? 0 : distance(end, start);
    return length <= 0 || length > MAX_FUNCTION ? undefined : this.#memory.tryBytes(start, length);
  }
}
