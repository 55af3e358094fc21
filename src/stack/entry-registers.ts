/**
 * What registers held when a frame's function was entered, as the caller knows it. DWARF 5, section 2.5.1.7 (DW_OP_entry_value) and 3.4
 * (call sites).
 *
 *   caller:  call_site_parameter  location rdi, value breg3(rbx)+8      evaluated over the CALLER's registers, memory, entry values
 *   callee:  entry value of rdi  ◄─────────────┘
 *            entry value of rbx  ◄── the caller's rbx: a call preserves it, the unwind recovered it
 */
import { virtual } from "../bytes/address.ts";
import { InquestError, UnsupportedError } from "../bytes/errors.ts";
import type { Scope } from "../debug-info/debug-info.ts";
import { DW_AT_abstract_origin, DW_AT_call_parameter, DW_AT_location } from "../debug-info/dwarf/constants.ts";
import type { Die } from "../debug-info/dwarf/die.ts";
import { evaluateLocation, evaluateScalar } from "../debug-info/dwarf/expression.ts";
import { type ExpressionContext, expressionUnit } from "../debug-info/dwarf/expression-context.ts";
import { registerOf } from "../debug-info/dwarf/expression-register.ts";
import { assemblyPassed } from "./assembly-calls.ts";
import { type CallChain, callChain, type DescribedCall } from "./call-chain.ts";
import { recomputedTarget } from "./call-target.ts";
import { type CodeWorld, entryCopy, registerAt } from "./code-values.ts";
import type { FrameEvaluation } from "./frame-evaluation.ts";
import { FunctionCode } from "./function-code.ts";
import { stableWord } from "./stable-memory.ts";

/** Callers that one value may lead through. */
const MAX_CALLERS = 32;
/** Smaller numbers are equal by chance. */
const TELLING = 0x1_0000n;

export class EntryRegisters {
  readonly #frame: FrameEvaluation;
  readonly #known = new Map<number, bigint | string>();
  #chain: CallChain | string | undefined;

  constructor(frame: FrameEvaluation) {
    this.#frame = frame;
  }

  /** Content of a register on entry. Throws UnsupportedError with the reason. */
  value(register: number): bigint {
    let known = this.#known.get(register);
    if (known === undefined) {
      known = this.#attempt(() => this.#compute(register));
      this.#known.set(register, known);
    }
    if (typeof known === "string") throw new UnsupportedError(known);
    return known;
  }

  /** An expression over the registers of the entry (the operand of DW_OP_entry_value). Throws UnsupportedError. */
  evaluate(expression: Uint8Array): bigint {
    const register = registerOf(expression);
    if (register !== undefined) return this.value(register);
    return this.#unwrap(
      this.#attempt(() => evaluateScalar(expression, this.#frame.context({ at: this.#frame.place.function.entry ?? 0n }))),
    );
  }

  /** What was passed for a parameter that the function does not take any more (constant propagation). Throws UnsupportedError. */
  parameter(die: Die): bigint {
    return this.#passed(this.#trusted().calls, die);
  }

  #compute(register: number): bigint {
    const frame = this.#frame;
    const { frame: physical, described, function: fn } = frame.place;
    const { file } = physical.registers;
    // Interrupted at its very first instruction: nothing has happened since.
    const untouched = physical.kind === "interrupted" && described.link === fn.entry ? frame.register(register) : undefined;
    if (untouched !== undefined) return untouched;
    if (register === file.sp && frame.cfa !== undefined) return BigInt.asUintN(64, frame.cfa - (file.link === undefined ? 8n : 0n));
    if (file.calleeSaved.includes(register)) {
      const value = frame.callerRegister(register);
      if (value === undefined) throw new UnsupportedError(`needs ${frame.registerName(register)} of the caller, which is not known`);
      return value;
    }
    return assemblyPassed(frame, register) ?? this.#copied(register) ?? this.#passed(this.#trusted().calls, register);
  }

  /** A copy that the function itself has made and still has. */
  #copied(register: number): bigint | undefined {
    const { kernel, place, now } = this.#frame;
    const code = FunctionCode.of(kernel, place.described, place.function);
    return code === undefined ? undefined : entryCopy(code, { file: place.frame.registers.file, now }, register);
  }

  /** The calls into this frame when their word counts. Throws UnsupportedError when it does not. */
  #trusted(): CallChain {
    this.#chain ??= this.#proved(callChain(this.#frame, (call, before) => this.#target(call, before)));
    if (typeof this.#chain === "string") throw new UnsupportedError(this.#chain);
    return this.#chain;
  }

  /**
   * An indirect call may have been one of another function, which jumped on to this one with other arguments. It is believed when a
   * parameter that this frame still has where it keeps it equals what the call passed for it.
   */
  #proved(chain: CallChain | string): CallChain | string {
    if (typeof chain === "string" || !chain.indirect) return chain;
    const frame = this.#frame;
    const { function: fn, described } = frame.place;
    for (const { kind, die } of fn.variables) {
      if (kind !== "parameter" || !die.has(DW_AT_location) || fn.entry === undefined) continue;
      const first = die.unit.locationAt(die, DW_AT_location, fn.entry);
      const register = first === undefined ? undefined : registerOf(first);
      const now = die.unit.locationAt(die, DW_AT_location, described.link);
      if (register === undefined || now === undefined) continue;
      const passed = this.#attempt(() => this.#passed(chain.calls, register));
      if (typeof passed === "string" || passed < TELLING) continue;
      if (this.#currentValue(now) === passed) return chain;
    }
    return "the call was indirect, and nothing proves that it called this function";
  }

  /** What a parameter holds now, by this frame alone. */
  #currentValue(expression: Uint8Array): bigint | undefined {
    const { entryValue: _, parameterValue: __, ...context } = this.#frame.context();
    try {
      const location = evaluateLocation(expression, context);
      if (location.kind === "memory") return this.#frame.memory.u64(virtual(location.address));
      return location.kind === "register" || location.kind === "value" ? evaluateScalar(expression, context) : undefined;
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  }

  /**
   * What the last of the calls passed in a register, or for a parameter that is not passed. Through tail calls it is computed over what the
   * calls before passed: of the functions that made them neither registers nor stack are left.
   */
  #passed(calls: CallChain["calls"], what: number | Die): bigint {
    const [first, ...jumps] = calls;
    const last = calls.at(-1) as DescribedCall;
    const before: CallChain["calls"] | undefined = jumps.length === 0 ? undefined : [first, ...jumps.slice(0, -1)];
    const caller = this.#frame.caller as FrameEvaluation;
    const asked = this.#frame.kernel.memo(EntryRegisters, () => ({ callers: 0 }));
    if (asked.callers >= MAX_CALLERS) throw new UnsupportedError(`needs more than ${MAX_CALLERS} callers`);
    asked.callers++;
    try {
      const parameter = last.site.parameters.find((each) =>
        typeof what === "number" ? registerOf(each.location) === what : isFor(each.die, what),
      );
      if (parameter !== undefined) {
        return evaluateScalar(parameter.value, before === undefined ? caller.context() : this.#jumped(before, last));
      }
      const name = functionOf(last)?.name ?? "the caller";
      if (typeof what === "number") {
        const value = this.#computed(last, before, what);
        if (value !== undefined) return value;
        throw new UnsupportedError(`${name} does not tell what it passed in ${this.#frame.registerName(what)}`);
      }
      throw new UnsupportedError(`${name} does not tell what it passed for it`);
    } finally {
      asked.callers--;
    }
  }

  /** What is not described (untouched arguments, for one, are left out by GCC) may follow from the code of the function that makes the call. */
  #computed(call: DescribedCall, before: CallChain["calls"] | undefined, register: number): bigint | undefined {
    const found = this.#codeOf(call, before);
    return found === undefined ? undefined : registerAt(found.code, found.world, register, found.at);
  }

  /** Where a call or jump led, by the code: a guess that must prove itself. */
  #target(call: DescribedCall, before: CallChain["calls"] | undefined): bigint | undefined {
    const found = this.#codeOf(call, before);
    return found === undefined ? undefined : recomputedTarget(this.#frame.kernel, found.code, found.world, found.at);
  }

  /** The code of the function that makes a call, the call's address, and what is known of registers there. */
  #codeOf(call: DescribedCall, before: CallChain["calls"] | undefined) {
    const fn = functionOf(call);
    const { kernel, place, stack, caller } = this.#frame;
    const code = fn === undefined ? undefined : FunctionCode.of(kernel, call.owner, fn);
    const at = code?.before(kernel.debugInfo.runtime(call.owner, call.site.returnAddress));
    if (code === undefined || at === undefined || caller === undefined) return undefined;
    const world: CodeWorld = {
      file: place.frame.registers.file,
      entryRegister: (each) => {
        const value = this.#attempt(() => (before === undefined ? caller.entry.value(each) : this.#passed(before, each)));
        return typeof value === "string" ? undefined : value;
      },
      word: (address) => kernel.memory.tryU32(virtual(address)),
      stableMemory: (address, size) => stableWord(kernel, stack, address, size),
      now: before === undefined ? caller.now : undefined,
    };
    return { code, world, at };
  }

  /** The context of a function that left by a jump: registers that calls preserve, and what it was passed itself. */
  #jumped(before: CallChain["calls"], { site: { die, returnAddress }, owner }: DescribedCall): ExpressionContext {
    const frame = this.#frame;
    const { calleeSaved } = frame.place.frame.registers.file;
    return {
      unit: expressionUnit(die.unit, returnAddress),
      memory: frame.memory,
      register: (register) => (calleeSaved.includes(register) ? frame.callerRegister(register) : undefined),
      registerName: (register) => frame.registerName(register),
      runtime: (link) => (link >> 63n === 1n ? frame.kernel.debugInfo.runtime(owner, link) : link),
      entryValue: (expression) => {
        const register = registerOf(expression);
        if (register === undefined) return undefined;
        if (calleeSaved.includes(register)) return frame.callerRegister(register);
        return this.#passed(before, register);
      },
    };
  }

  #attempt(compute: () => bigint): bigint | string {
    try {
      return compute();
    } catch (error) {
      if (error instanceof InquestError) return error.message;
      throw error;
    }
  }

  #unwrap(result: bigint | string): bigint {
    if (typeof result === "string") throw new UnsupportedError(result);
    return result;
  }
}

/** The function that makes a call. */
function functionOf({ site, owner }: DescribedCall): Scope | undefined {
  return owner.info.scopesAt(site.returnAddress - 1n).at(-1);
}

/** Does a call's parameter stand for one of the callee's that is not passed (DW_AT_call_parameter; the abstract origin in version 4)? */
function isFor(passed: Die, parameter: Die): boolean {
  const named = passed.reference(DW_AT_call_parameter) ?? passed.reference(DW_AT_abstract_origin);
  return named !== undefined && (named.key === parameter.key || named.key === parameter.reference(DW_AT_abstract_origin)?.key);
}
