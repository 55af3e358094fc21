/**
 * DWARF expressions over one physical frame of a stack: its registers as the unwind recovered them, memory as it is in the dump, the
 * canonical frame address, the function's frame base, and, through the caller, what registers held when the function was entered.
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError, UnsupportedError } from "../bytes/errors.ts";
import { DW_AT_frame_base, DW_AT_location } from "../debug-info/dwarf/constants.ts";
import type { Unit } from "../debug-info/dwarf/die.ts";
import { evaluateScalar } from "../debug-info/dwarf/expression.ts";
import { type ExpressionContext, type ExpressionMemory, expressionUnit } from "../debug-info/dwarf/expression-context.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type CodeWorld, registerAt } from "./code-values.ts";
import { EntryRegisters } from "./entry-registers.ts";
import type { StackFrame, UnwoundStack } from "./frame.ts";
import { type PhysicalPlace, physicalIndex, physicalPlace } from "./frame-place.ts";
import { FunctionCode } from "./function-code.ts";
import { stableWord } from "./stable-memory.ts";

/** Variables that are defined by other variables, nested; a ring ends here. */
const MAX_VARIABLES = 8;

/** How one expression is to be evaluated. */
export interface EvaluationMode {
  /** Link-time address of the function at which the expression held; not told: where the frame stands. */
  readonly at?: bigint;
  /** Told when the caller was asked. */
  readonly onCaller?: () => void;
}

export class FrameEvaluation {
  readonly kernel: Kernel;
  readonly stack: UnwoundStack;
  readonly place: PhysicalPlace;
  #entry: EntryRegisters | undefined;
  #cfa: bigint | null | undefined;
  #depth = 0;

  /** The evaluation of a physical frame, by its place in the stack's list; undefined where no debug information describes its code. */
  static of(kernel: Kernel, stack: UnwoundStack, index: number): FrameEvaluation | undefined {
    const stacks = kernel.memo(FrameEvaluation, () => new WeakMap<UnwoundStack, Map<number, FrameEvaluation | undefined>>());
    const known = stacks.get(stack) ?? new Map<number, FrameEvaluation | undefined>();
    stacks.set(stack, known);
    if (!known.has(index)) {
      const place = physicalPlace(kernel, stack, index);
      known.set(index, place === undefined ? undefined : new FrameEvaluation(kernel, stack, place));
    }
    return known.get(index);
  }

  private constructor(kernel: Kernel, stack: UnwoundStack, place: PhysicalPlace) {
    this.kernel = kernel;
    this.stack = stack;
    this.place = place;
  }

  /** The unit of the code. */
  get unit(): Unit {
    return this.place.function.die.unit;
  }

  /** The frame that called this one; undefined when that is not certain, or not described. */
  get caller(): FrameEvaluation | undefined {
    return this.calledNormally ? FrameEvaluation.of(this.kernel, this.stack, this.#next) : undefined;
  }

  /** The next physical frame is the caller, proved by the unwind; not what an exception interrupted, and not a guess. */
  get calledNormally(): boolean {
    const next = this.stack.frames[this.#next];
    return next?.kind === "call" && next.certainty === "exact" && this.place.frame.certainty === "exact";
  }

  /** The next physical frame, whoever wrote it. */
  get callerFrame(): StackFrame | undefined {
    return this.calledNormally ? this.stack.frames[this.#next] : undefined;
  }

  /** Registers of the next physical frame; those that a call preserves are the ones this function was entered with. */
  callerRegister(register: number): bigint | undefined {
    return this.callerFrame?.registers.get(register);
  }

  /** What registers held when the function was entered. */
  get entry(): EntryRegisters {
    this.#entry ??= new EntryRegisters(this);
    return this.#entry;
  }

  /** Canonical frame address: from call-frame information over the frame's registers, else the caller's stack pointer. */
  get cfa(): bigint | undefined {
    this.#cfa ??= this.#computeCfa() ?? null;
    return this.#cfa ?? undefined;
  }

  register(register: number): bigint | undefined {
    return this.place.frame.registers.get(register);
  }

  registerName(register: number): string {
    return this.place.frame.registers.file.names[register] ?? `register ${register}`;
  }

  /** A link-time address in the dump. Addresses of the per-CPU section of x86-64, which starts at 0, are not shifted by KASLR. */
  runtime(link: bigint): VirtualAddress {
    return link >> 63n === 1n ? this.kernel.debugInfo.runtime(this.place.described, link) : virtual(link);
  }

  context(mode: EvaluationMode = {}): ExpressionContext {
    // Told before it is asked: an answer that fails rests on the caller too.
    const ask = (question: () => bigint): bigint => {
      mode.onCaller?.();
      return question();
    };
    const { at } = mode;
    return {
      unit: expressionUnit(this.unit, at ?? this.place.described.link),
      memory: at === undefined ? this.memory : this.#stableMemory(),
      register: (register) => (at === undefined ? this.register(register) : this.#registerAt(register, at, ask)),
      registerName: (register) => this.registerName(register),
      runtime: (link) => this.runtime(link),
      cfa: () => this.cfa,
      frameBase: () => this.#frameBase(mode),
      entryValue: (expression) => ask(() => this.entry.evaluate(expression)),
      parameterValue: (entry) => ask(() => this.entry.parameter(this.unit.dieAt(this.unit.offset + entry))),
      variableValue: (entry) => this.#variable(entry, mode),
    };
  }

  /** The dump's memory as expressions read it. */
  get memory(): ExpressionMemory {
    const { memory } = this.kernel;
    return {
      u8: (address) => memory.u8(virtual(address)),
      u16: (address) => memory.u16(virtual(address)),
      u32: (address) => memory.u32(virtual(address)),
      u64: (address) => memory.u64(virtual(address)),
    };
  }

  /** Where the function stands, and the registers it has there, for what is computed from its code. */
  get now(): CodeWorld["now"] {
    const { frame, function: fn, described } = this.place;
    const at = frame.kind === "interrupted" ? frame.pc : FunctionCode.of(this.kernel, described, fn)?.before(frame.pc);
    return at === undefined ? undefined : { at, register: (register) => this.register(register) };
  }

  /** A register at another place of the function: as on entry, or computed from the code. */
  #registerAt(register: number, link: bigint, ask: (question: () => bigint) => bigint): bigint | undefined {
    const { kernel, place } = this;
    const { described, function: fn, frame } = place;
    if (link === fn.entry) return ask(() => this.entry.value(register));
    const code = FunctionCode.of(kernel, described, fn);
    if (code === undefined) return undefined;
    const world: CodeWorld = {
      file: frame.registers.file,
      entryRegister: (each) => orUndefined(() => ask(() => this.entry.value(each))),
      word: (address) => kernel.memory.tryU32(virtual(address)),
      stableMemory: (address, size) => stableWord(kernel, this.stack, address, size),
      now: this.now,
    };
    return registerAt(code, world, register, kernel.debugInfo.runtime(described, link));
  }

  /** Memory that is as it was when the function was entered. */
  #stableMemory(): ExpressionMemory {
    const read = (address: bigint, size: number): bigint => {
      const word = stableWord(this.kernel, this.stack, address, size);
      if (word === undefined) throw new UnsupportedError("needs memory that may have been changed since");
      return word;
    };
    return {
      u8: (address) => Number(read(address, 1)),
      u16: (address) => Number(read(address, 2)),
      u32: (address) => Number(read(address, 4)),
      u64: (address) => read(address, 8),
    };
  }

  get #next(): number {
    return physicalIndex(this.stack, this.place.index + 1);
  }

  #frameBase(mode: EvaluationMode): bigint | undefined {
    const { function: fn, described } = this.place;
    const expression = fn.die.unit.locationAt(fn.die, DW_AT_frame_base, mode.at ?? described.link);
    // The frame base of a frame base would be a ring.
    return expression === undefined ? undefined : evaluateScalar(expression, { ...this.context(mode), frameBase: () => undefined });
  }

  #variable(entry: number, mode: EvaluationMode): bigint | undefined {
    if (entry < this.unit.offset || entry >= this.unit.end || this.#depth >= MAX_VARIABLES) return undefined;
    const die = this.unit.dieAt(entry);
    const expression = this.unit.locationAt(die, DW_AT_location, mode.at ?? this.place.described.link);
    if (expression === undefined) return undefined;
    this.#depth++;
    try {
      return evaluateScalar(expression, this.context(mode));
    } finally {
      this.#depth--;
    }
  }

  #computeCfa(): bigint | undefined {
    const { described, frame } = this.place;
    const row = described.info.frameRow(described.link);
    try {
      if (row !== undefined) {
        // A rule that itself asks for the CFA would be a ring.
        if ("expression" in row.cfa) return evaluateScalar(row.cfa.expression, { ...this.context(), cfa: () => undefined });
        const base = this.register(row.cfa.register);
        if (base !== undefined) return BigInt.asUintN(64, base + BigInt(row.cfa.offset));
      }
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    // The ABI of both machines: the caller's stack pointer after the return.
    return this.callerRegister(frame.registers.file.sp);
  }
}

function orUndefined(compute: () => bigint): bigint | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
