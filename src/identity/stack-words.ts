/**
 * What the words of a stack are, from its unwind: return addresses, saved registers, registers that an exception pushed, the guard values,
 * and words that hold the same value as a register of a frame.
 *
 *   x86-64   │ … locals │ saved rbx │ … │ return address into frame N │      CFA of a frame: behind the return address into its caller
 *   arm64    │ record: x29, x30 │ saved x19 … │ locals │                    the record leads to the caller's; x30 is the return address
 *
 * Where a function saves registers is told by its own code (stack/code-saves.ts); a slot is named only when what lies there is what the
 * unwind recovered for the caller.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "../stack/frame.ts";
import { unwindKit } from "../stack/machine-rules.ts";
import { STACK_END_MAGIC, stackEndAddress, taskLayout, taskStack } from "../stack/task-stack.ts";
import { briefText, offsetText } from "./describe.ts";
import { identifyAddress } from "./identify.ts";

/** Registers whose value on a stack tells nothing: every word near the frame would match. */
const TELLS_NOTHING = new Set([
  "rip",
  "rsp",
  "rflags",
  "cs",
  "ss",
  "orig_rax",
  "pc",
  "sp",
  "pstate",
  "fp",
  "x29",
  "x30",
  "orig_x0",
  "syscallno",
]);

export class StackWords {
  readonly #kernel: Kernel;
  readonly #slots = new Map<bigint, string>();
  readonly #values = new Map<bigint, string>();
  readonly #canary: bigint | undefined;

  /** @param task its task_struct; undefined for the stack of a CPU alone */
  constructor(kernel: Kernel, stack: UnwoundStack, task: VirtualAddress | undefined) {
    this.#kernel = kernel;
    const frames = stack.frames.filter(({ kind }) => kind !== "inline");
    this.#registersOfUser(stack);
    for (const [i, frame] of frames.entries()) {
      this.#exception(frame);
      if (kernel.arch.name === "x86_64") this.#x86(frame, frames[i + 1]);
      else this.#arm64(frame, frames[i + 1]);
      this.#remember(frame);
    }
    this.#canary = task === undefined ? undefined : this.#task(task);
  }

  /** What is known of the word at an address of the stack; undefined when it is just a number. */
  note(address: bigint, value: bigint): string | undefined {
    const slot = this.#slots.get(address);
    // The function is the frame's: behind a call that never returns another one may begin.
    if (slot?.startsWith(RETURN_ADDRESS) === true) return slot;
    const parts = slot === undefined ? [] : [slot];
    if (this.#canary !== undefined && value === this.#canary) parts.push("stack canary");
    const identity = briefText(identifyAddress(this.#kernel, value, { brief: true }));
    if (identity !== undefined) parts.push(identity);
    const same = this.#values.get(value);
    if (same !== undefined && !slotSays(slot, same)) parts.push(`same value as ${same}`);
    return parts.length === 0 ? undefined : parts.join("; ");
  }

  #slot(address: bigint, what: string): void {
    if (!this.#slots.has(address)) this.#slots.set(address, what);
  }

  #exception({ exception, level }: StackFrame): void {
    if (exception === undefined) return;
    this.#ptRegs(exception.address, exception.user ? "registers of user mode" : `exception frame of frame ${level}`);
  }

  #registersOfUser({ user }: UnwoundStack): void {
    if (user?.address !== undefined) this.#ptRegs(user.address, "registers of user mode");
  }

  /** Members of struct pt_regs; the array of arm64's general registers by name. */
  #ptRegs(at: VirtualAddress, what: string): void {
    const struct = this.#kernel.types.tryStruct("pt_regs");
    if (struct === undefined) return;
    const array = struct.tryField("regs") ?? struct.tryField("user_regs.regs");
    for (let i = 0; array !== undefined && i < Math.min(31, array.size / 8); i++) {
      this.#slot(add(at, array.offset + i * 8), `${what}: x${i}`);
    }
    for (const name of PT_REGS) {
      const field = struct.tryField(name);
      if (field !== undefined && field.size === 8)
        this.#slot(
          field.address(at),
          `${what}: ${this.#kernel.arch.name === "x86_64" ? (X86_NAMES[name] ?? name) : name.replace("user_regs.", "")}`,
        );
    }
  }

  #x86(frame: StackFrame, next: StackFrame | undefined): void {
    if (frame.kind === "call" && this.#kernel.memory.tryU64(frame.sp) === frame.pc) {
      this.#slot(frame.sp, returnAddress(frame));
    }
    // The return address into the caller lies right below the end of the frame.
    if (next !== undefined && next.kind === "call" && next.stack.start === frame.stack.start) this.#saved(frame, next, add(next.sp, 8));
  }

  #arm64(frame: StackFrame, next: StackFrame | undefined): void {
    if (next === undefined || next.stack.start !== frame.stack.start) return;
    const link = this.#kernel.memory.tryU64(add(frame.sp, 8));
    if (link === undefined || this.#kernel.arch.stripPointer(link) !== next.pc) return;
    this.#slot(add(frame.sp, 8), returnAddress(next));
    this.#slot(frame.sp, `frame record: x29 of frame ${next.level}`);
    const state = unwindKit(this.#kernel).saves.stateAt(frame.pc, frame.kind === "call");
    const place = state?.of(frame.registers.file.fp);
    if (typeof place === "number") this.#saved(frame, next, add(frame.sp, place));
  }

  /** Slots in which a function saved its caller's registers. @param cfa end of its frame */
  #saved(frame: StackFrame, next: StackFrame, cfa: VirtualAddress): void {
    const state = unwindKit(this.#kernel).saves.stateAt(frame.pc, frame.kind === "call");
    if (state === undefined) return;
    const { file } = next.registers;
    for (const register of file.calleeSaved) {
      const place = state.of(register);
      if (typeof place !== "number") continue;
      const slot = add(cfa, -place);
      const value = next.registers.get(register);
      if (value === undefined || this.#kernel.memory.tryU64(slot) !== value) continue;
      this.#slot(slot, `saved ${file.names[register] ?? "?"} of frame ${next.level}`);
    }
  }

  #remember({ registers, level, kind }: StackFrame): void {
    for (const register of kind === "interrupted" ? registers.file.names.keys() : registers.file.calleeSaved) {
      const name = registers.file.names[register] ?? "";
      const value = registers.get(register);
      if (value !== undefined && this.#telling(name, value)) this.#value(value, `frame ${level}'s ${name}`);
    }
  }

  #telling(name: string, value: bigint): boolean {
    return !TELLS_NOTHING.has(name) && this.#kernel.arch.isKernelAddress(value) && value < (1n << 64n) - 4096n;
  }

  /** The innermost frame's word counts. */
  #value(value: bigint, what: string): void {
    if (!this.#values.has(value)) this.#values.set(value, what);
  }

  /** Marks at the ends of the task's stack; its canary. */
  #task(task: VirtualAddress): bigint | undefined {
    const kernel = this.#kernel;
    try {
      const area = taskStack(kernel, task);
      const end = stackEndAddress(kernel, area);
      if (kernel.memory.tryU64(end) === STACK_END_MAGIC) this.#slot(end, "STACK_END_MAGIC");
      const { struct, saved } = taskLayout(kernel);
      if (kernel.arch.name === "x86_64" && saved !== undefined) this.#switchFrame(saved.pointer(task));
      const canary = struct.tryField("stack_canary")?.pointer(task);
      return canary === 0n ? undefined : canary;
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  }

  /** What a task that sleeps pushed when it was switched out (struct inactive_task_frame); of a running one it is stale. */
  #switchFrame(sp: VirtualAddress): void {
    const struct = this.#kernel.types.tryStruct("inactive_task_frame");
    if (struct === undefined || ![...this.#slots.keys()].some((slot) => slot === add(sp, struct.size - 8))) return;
    for (const name of ["flags", "r15", "r14", "r13", "r12", "bx", "bp"]) {
      const field = struct.tryField(name);
      if (field !== undefined) this.#slot(field.address(sp), `${X86_NAMES[name] ?? name} at the switch`);
    }
  }
}

const RETURN_ADDRESS = "return address of frame ";

function returnAddress({ level, function: name, offset, module }: StackFrame): string {
  const owner = module === undefined ? "" : ` [${module}]`;
  const place = name === undefined ? "" : `: ${name}${offsetText(offset ?? 0)}${owner}`;
  return `${RETURN_ADDRESS}${level}${place}`;
}

/** Does the name of the slot tell the same register of the same frame? */
function slotSays(slot: string | undefined, same: string): boolean {
  const [, level, register] = /^frame (\d+)'s (\w+)$/.exec(same) ?? [];
  return (
    slot !== undefined &&
    (slot === `saved ${register} of frame ${level}` || (slot.startsWith("exception frame") && slot.endsWith(`: ${register}`)))
  );
}

const PT_REGS = (
  "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss pc pstate orig_x0 syscallno " +
  "user_regs.sp user_regs.pc user_regs.pstate"
).split(" ");

/** Members of x86-64's pt_regs by the names of the registers. */
const X86_NAMES: Readonly<Record<string, string>> = {
  ...Object.fromEntries("bp bx ax cx dx si di ip sp".split(" ").map((name) => [name, `r${name}`])),
  flags: "rflags",
  orig_ax: "orig_rax",
};

/** A word that lies on no stack. */
export function wordNote(kernel: Kernel, value: bigint): string | undefined {
  return briefText(identifyAddress(kernel, virtual(value), { brief: true }));
}
