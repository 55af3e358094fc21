/**
 * The unwind: from a start outwards, one step at a time, until the stack ends or cannot be followed. Never invents a frame: what is not
 * proved by registers and tables is marked as guessed, and an unwind that stops early says why.
 *
 *   start ─► frame ─► step (first source that knows the pc) ─► frame ─► … ─► user mode │ end of the stack │ reason + guessed rest
 */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { findExceptionFrames } from "./exception-search.ts";
import type { Certainty, FoundBy, FrameKind, StackArea, StackFrame, Stop, UnwoundStack, UserRegisters } from "./frame.ts";
import { type UnwindKit, unwindKit } from "./machine-rules.ts";
import { callBefore, callsInto } from "./return-address.ts";
import { ReturnTrampolines } from "./return-trampolines.ts";
import { scanCandidates, stackWords } from "./scan.ts";
import { type StackStart, taskStart } from "./start.ts";
import { taskStack } from "./task-stack.ts";
import type { FrameState, RuleSource, Step } from "./unwinder.ts";

/** As many frames as any stack can hold; a longer chain is a loop. */
const MAX_FRAMES = 1024;
/** Steps that the search for a way on after an early stop may cost. */
const MAX_GUESS_STEPS = 1024;
/** Guessed frames listed when no way on was found. */
const MAX_GUESSED = 256;

/** Unwinds a task's kernel stack. Throws FaultError when its task_struct cannot be read. */
export function unwindTask(kernel: Kernel, task: VirtualAddress): UnwoundStack {
  return unwindFrom(kernel, taskStart(kernel, task), task);
}

/** Unwinds from a given start. @param task whose stack it is, when that is known */
export function unwindFrom(kernel: Kernel, start: StackStart, task: VirtualAddress | undefined): UnwoundStack {
  switch (start.kind) {
    case "none": {
      const stop = { complete: false, text: start.text };
      const guessed = start.running === true && task !== undefined ? new Unwind(kernel, task).guessWhole() : undefined;
      return { frames: guessed?.frames ?? [], stop, user: guessed?.user };
    }
    case "user":
      return {
        frames: [],
        stop: { complete: true, text: "running in user mode" },
        user: { address: undefined, registers: start.registers },
      };
    case "frame":
      return new Unwind(kernel, task).run(start.state, start.slot);
  }
}

interface Guessed {
  readonly frames: readonly StackFrame[];
  readonly user: UserRegisters | undefined;
}

interface Cursor {
  readonly state: FrameState;
  readonly slot: VirtualAddress;
  readonly kind: FrameKind;
  readonly foundBy: FoundBy;
  readonly doubtful: boolean;
}

class Unwind {
  readonly #kernel: Kernel;
  readonly #kit: UnwindKit;
  readonly #task: VirtualAddress | undefined;
  readonly #taskStack: StackArea | undefined;
  readonly #sources: readonly RuleSource[];

  constructor(kernel: Kernel, task: VirtualAddress | undefined) {
    this.#kernel = kernel;
    this.#kit = unwindKit(kernel);
    this.#task = task;
    this.#taskStack = task === undefined ? undefined : taskStack(kernel, task);
    this.#sources = this.#kit.sources(this.#taskStack);
  }

  run(state: FrameState, slot: VirtualAddress): UnwoundStack {
    const start: Cursor = { state, slot, kind: state.interrupted ? "interrupted" : "start", foundBy: "registers", doubtful: false };
    const { frames, stop, user, last } = this.#follow(start, "exact", 0);
    if (stop.complete) return { frames: nameInterruptStack(frames), stop, user };
    const guessed = this.#guess(last, frames.length);
    return { frames: [...nameInterruptStack(frames), ...guessed.frames], stop, user: guessed.user };
  }

  /**
   * The stack of a running task whose registers are lost (raw memory, a CPU that kdump did not reach): the innermost chain that leads to
   * the stack's natural end. Frame records are easily taken for one, so on arm64 it begins at an exception whose handler's record is still
   * there. All of it is a guess.
   */
  guessWhole(): Guessed {
    const area = this.#taskStack as StackArea;
    const record = this.#kernel.arch.name === "aarch64" ? this.#kernel.types.tryStruct("pt_regs")?.tryField("stackframe") : undefined;
    if (record === undefined) return this.#guessFrom(area, area.start, undefined, 0);
    const words = new Set([...stackWords(this.#kernel, area.start, area.end)].map(([, word]) => word));
    for (const { address, user, registers } of findExceptionFrames(this.#kernel, area).slice(0, MAX_GUESSED)) {
      if (user || !words.has(record.address(address))) continue;
      const state = { registers, pc: virtual(registers.pc ?? 0n), interrupted: true };
      const way = this.#follow({ state, slot: address, kind: "interrupted", foundBy: "scan", doubtful: true }, "guessed", 0, 128);
      if (way.stop.complete) return { frames: way.frames, user: way.user };
    }
    return this.#guessFrom(area, area.start, undefined, 0);
  }

  /** Follows the rules from a cursor until they end. `last` is where they stopped. */
  #follow(start: Cursor, certainty: Certainty, firstLevel: number, limit = MAX_FRAMES): UnwoundStack & { readonly last: Cursor } {
    const frames: StackFrame[] = [];
    const trampolines = new ReturnTrampolines(this.#kernel, this.#task);
    const left = new Set<bigint>();
    let cursor = start;
    let user: UserRegisters | undefined;
    let stop: Stop | undefined;
    while (stop === undefined) {
      const area = this.#area(cursor.slot);
      const step = this.#step(cursor.state);
      const exception = step?.exception;
      frames.push(this.#frame(firstLevel + frames.length, cursor, area, certainty, exception));
      if (exception?.user === true) user = { address: exception.address, registers: exception.registers };
      if (step === undefined) stop = { complete: false, text: `no unwind rule for ${this.#name(cursor.state)}` };
      else if (step.kind === "end") stop = { complete: step.complete, text: step.text };
      else {
        const next = this.#advance(cursor, area, step, trampolines, left);
        if ("complete" in next) stop = next;
        else if (frames.length >= limit) stop = { complete: false, text: `more than ${limit} frames` };
        else cursor = next;
      }
    }
    return { frames, stop, user, last: cursor };
  }

  #step(state: FrameState): Step | undefined {
    for (const source of this.#sources) {
      const step = source.step(state);
      if (step !== undefined) return step;
    }
    return undefined;
  }

  /** The next cursor, or why the step must not be believed. */
  #advance(
    cursor: Cursor,
    area: StackArea,
    step: Step & { kind: "found" },
    trampolines: ReturnTrampolines,
    left: Set<bigint>,
  ): Cursor | Stop {
    let { next } = step;
    if (!next.interrupted) {
      const pc = trampolines.recover(next.pc);
      if (pc === undefined) return { complete: false, text: "a tracer replaced the return address, and the true one is not to be found" };
      if (pc !== next.pc) {
        next.registers.set(next.registers.file.pc, pc);
        next = { ...next, pc };
      }
      if (!this.#kit.code.isCode(pc - 1n))
        return { complete: false, text: `the return address ${hex16(pc)} is in no code that the kernel knows` };
    }
    const target = this.#area(step.slot);
    if (target.start !== area.start) {
      if (target.kind !== "unknown" && left.has(target.start)) {
        return { complete: false, text: `the stack pointer returns to the ${target.kind} stack, which was left before` };
      }
      left.add(area.start);
    } else if (!this.#rises(cursor, step)) {
      return { complete: false, text: `the stack does not go on outwards at ${hex16(step.slot)}` };
    }
    return {
      state: next,
      slot: step.slot,
      kind: next.interrupted ? "interrupted" : "call",
      foundBy: step.foundBy,
      doubtful: step.doubtful === true,
    };
  }

  /** Progress on one stack. A caller found in the link register, or by a bad call, may share its callee's place. */
  #rises(cursor: Cursor, step: Step & { kind: "found" }): boolean {
    const before = this.#position(cursor.state);
    const after = this.#position(step.next);
    if (before === undefined || after === undefined) return step.slot > cursor.slot;
    if (after > before) return true;
    const still = step.foundBy === "link register" || step.foundBy === "call through a bad pointer";
    // The outermost arm64 record of a thread may lead to nothing: {0, lr}.
    return after === before ? still : after === 0n && this.#kernel.arch.name === "aarch64";
  }

  #position(state: FrameState): bigint | undefined {
    return state.registers.file.link === undefined ? state.registers.sp : state.registers.fp;
  }

  #area(address: VirtualAddress): StackArea {
    const task = this.#taskStack;
    // Below its lowest byte lies the guard page, into which an overflowing stack pointer runs.
    if (task !== undefined && address >= task.start - BigInt(this.#kernel.arch.pageSize) && address < task.end) return task;
    return this.#kit.stacks.find(address) ?? { kind: "unknown", start: address, end: address, cpu: undefined };
  }

  #frame(level: number, cursor: Cursor, stack: StackArea, certainty: Certainty, exception: StackFrame["exception"]): StackFrame {
    const { state, slot, kind, foundBy } = cursor;
    const place = this.#kit.code.place(state.pc, !state.interrupted);
    return {
      level,
      sp: slot,
      pc: state.pc,
      function: place?.function,
      offset: place?.offset,
      module: place === undefined ? this.#kit.code.moduleOf(state.pc) : place.module,
      kind,
      certainty: cursor.doubtful ? "guessed" : certainty,
      foundBy,
      stack,
      registers: state.registers,
      exception,
    };
  }

  #name(state: FrameState): string {
    const place = this.#kit.code.place(state.pc, !state.interrupted);
    return place === undefined ? hex16(state.pc) : `${place.function}+0x${place.offset.toString(16)}`;
  }

  /**
   * What may come after an early stop: the first word further out from which the rules lead to the stack's natural end, a return address
   * of the very function in which the unwind stopped before any other; without such a word every return address that is still there, as
   * the kernel's own reports list them.
   */
  #guess(last: Cursor, level: number): Guessed {
    const area = this.#area(last.slot);
    if (area.kind === "unknown") return { frames: [], user: undefined };
    const stopped = this.#kit.code.place(last.state.pc, !last.state.interrupted)?.start;
    return this.#guessFrom(area, virtual(last.slot + 8n), stopped, level);
  }

  #guessFrom(area: StackArea, from: VirtualAddress, stopped: bigint | undefined, level: number): Guessed {
    const candidates = [...scanCandidates(this.#kernel, this.#kit.isReturnAddress, area, from)];
    const calling = candidates.filter(({ state }) => stopped !== undefined && callsInto(callBefore(this.#kernel, state.pc), stopped));
    let steps = 0;
    for (const { state, slot } of [...calling, ...candidates]) {
      if (steps >= MAX_GUESS_STEPS) break;
      const way = this.#follow({ state, slot, kind: "call", foundBy: "scan", doubtful: true }, "guessed", level, 128);
      steps += way.frames.length;
      if (way.stop.complete) return { frames: way.frames, user: way.user };
    }
    const all = candidates.slice(0, MAX_GUESSED).map(({ state, slot }, index) => {
      return this.#frame(level + index, { state, slot, kind: "call", foundBy: "scan", doubtful: true }, area, "guessed", undefined);
    });
    return { frames: all, user: undefined };
  }
}

/** Functions that stand on the task's stack where arm64 turns to the IRQ stack, in kernels up to and from 5.14. */
const INTERRUPT_ENTRIES = new Set(["el1_irq", "el0_irq", "call_on_irq_stack"]);

/**
 * A kernel that lists no data symbols and describes no per-CPU variables (Debian 11's arm64) hides where its IRQ stacks are; frames on a
 * stack that is left through the interrupt entry are on one.
 */
function nameInterruptStack(frames: readonly StackFrame[]): readonly StackFrame[] {
  const boundary = frames.findIndex(
    (frame, i) =>
      i > 0 && INTERRUPT_ENTRIES.has(frame.function ?? "") && frame.stack.kind === "task" && frames[i - 1]?.stack.kind === "unknown",
  );
  if (boundary < 0) return frames;
  return frames.map((frame, i) =>
    i < boundary && frame.stack.kind === "unknown" ? { ...frame, stack: { ...frame.stack, kind: "irq" as const } } : frame,
  );
}
