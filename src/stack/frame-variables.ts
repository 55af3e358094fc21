/**
 * Parameters and locals of a frame with their values. In the order of how much they are worth:
 *
 *   1  the location of the debug information at this pc, over the frame's own registers and memory         known
 *   2  the same where it rests on what the function was entered with (DW_OP_entry_value)                   from caller
 *   3  a parameter without a location here, that is without any value the compiler kept:
 *      what it was on entry (its location there over the entry's registers)                                from caller, atEntry
 *   4  a parameter that the function does not take any more (constant propagation): DW_AT_call_parameter   from caller, atEntry
 *
 * What the caller passed is found in its DW_TAG_call_site_parameter (entry-registers.ts).
 */
import { InquestError } from "../bytes/errors.ts";
import { type CType, sizeOf } from "../debug-info/c-type.ts";
import type { Scope, Variable } from "../debug-info/debug-info.ts";
import { DW_AT_const_value, DW_AT_location } from "../debug-info/dwarf/constants.ts";
import type { Die } from "../debug-info/dwarf/die.ts";
import { evaluateLocation } from "../debug-info/dwarf/expression.ts";
import type { ExpressionContext } from "../debug-info/dwarf/expression-context.ts";
import type { Location } from "../debug-info/dwarf/expression-location.ts";
import { holderOf } from "../debug-info/dwarf/scopes-origin.ts";
import { wrap } from "../kernel/expression/values.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { Value } from "../kernel/value.ts";
import type { StackFrame, UnwoundStack } from "./frame.ts";
import { type EvaluationMode, FrameEvaluation } from "./frame-evaluation.ts";
import { ownScopes, physicalIndex } from "./frame-place.ts";
import { constantValue, type Located, valueAt } from "./location-value.ts";
import { isStable } from "./stable-memory.ts";
import { dispatched } from "./system-call-function.ts";

/** How a value was come by. */
export type VariableState =
  /** Location of the debug information over this frame's own registers and memory. */
  | "known"
  /** Rests on what the caller passed. */
  | "from caller"
  | "optimized out"
  /** It has a location, but a register or memory that it needs is missing; `reason` says which. */
  | "unreadable";

export interface FrameVariable {
  readonly name: string;
  readonly kind: "parameter" | "local";
  readonly type: CType;
  readonly state: VariableState;
  /** For "known" and "from caller". Reading memory behind it may still fail. */
  readonly value: Value | undefined;
  /** For "unreadable"; for "optimized out" why the caller could not help either, where it was asked. */
  readonly reason: string | undefined;
  /** Register that holds it whole, by its name; undefined otherwise. */
  readonly register: string | undefined;
  /** The value is the one the function, or inlined call, was entered with: the compiler kept none, and it may have been changed since. */
  readonly atEntry: boolean;
}

/**
 * Variables of a frame of an unwound stack: parameters in their order, then locals, those of the innermost block first. Inlined frames
 * have their own. Empty without debug information.
 * @param stack with inlined frames expanded (withInlinedFrames), or without: then those of calls inlined at the pc are left out
 */
export function frameVariables(kernel: Kernel, stack: UnwoundStack, frame: StackFrame): readonly FrameVariable[] {
  const found = Array.from(readers(kernel, stack, frame), (reader) => reader.read());
  return [...found.filter(({ kind }) => kind === "parameter"), ...found.filter(({ kind }) => kind === "local")];
}

/** What a name means in a frame: the innermost variable of that name. */
export function frameVariable(kernel: Kernel, stack: UnwoundStack, frame: StackFrame, name: string): FrameVariable | undefined {
  for (const reader of readers(kernel, stack, frame)) if (reader.name === name) return reader.read();
  return undefined;
}

/** Variables of the frame's scopes, innermost first. */
function* readers(kernel: Kernel, stack: UnwoundStack, frame: StackFrame): Iterable<VariableReader> {
  const index = stack.frames.indexOf(frame);
  const evaluation = index < 0 ? undefined : FrameEvaluation.of(kernel, stack, physicalIndex(stack, index));
  if (evaluation === undefined) return;
  for (const scope of ownScopes(stack, index, evaluation.place)) {
    for (const variable of scope.variables) yield new VariableReader(evaluation, variable, scope);
  }
}

type Outcome = Pick<FrameVariable, "state" | "value" | "reason" | "register" | "atEntry">;

const OPTIMIZED_OUT: Outcome = { state: "optimized out", value: undefined, reason: undefined, register: undefined, atEntry: false };

class VariableReader {
  readonly #frame: FrameEvaluation;
  readonly #variable: Variable;
  readonly #scope: Scope;

  /** @param scope that the variable belongs to */
  constructor(frame: FrameEvaluation, variable: Variable, scope: Scope) {
    this.#frame = frame;
    this.#variable = variable;
    this.#scope = scope;
  }

  get name(): string {
    return this.#variable.name;
  }

  read(): FrameVariable {
    const { name, kind, type } = this.#variable;
    return { name, kind, type, ...this.#outcome() };
  }

  #outcome(): Outcome {
    const constant = this.#constant();
    if (constant !== undefined) return { ...OPTIMIZED_OUT, state: "known", value: constant };
    const here = this.#at(this.#frame.place.described.link, {});
    if (here.state === "known" || here.state === "from caller" || this.#variable.kind !== "parameter") return here;
    const onEntry = this.#onEntry();
    if (onEntry?.value !== undefined) return onEntry;
    return this.#removed() ?? (here.reason === undefined ? { ...here, reason: onEntry?.reason } : here);
  }

  /** DW_AT_const_value, of the entry or of the one that it is an instance of. */
  #constant(): Value | undefined {
    const { die, type } = this.#variable;
    const holder = die.has(DW_AT_location) ? undefined : holderOf(die, DW_AT_const_value);
    if (holder === undefined) return undefined;
    const constant = constantOf(holder);
    return constant === undefined ? undefined : constantValue(this.#frame.kernel, type, constant);
  }

  /** By the location that holds at an address. */
  #at(link: bigint, mode: EvaluationMode): Outcome {
    const { die } = this.#variable;
    try {
      const expression = die.has(DW_AT_location) ? die.unit.locationAt(die, DW_AT_location, link) : undefined;
      return expression === undefined ? OPTIMIZED_OUT : this.#evaluate(expression, mode);
    } catch (error) {
      if (error instanceof InquestError) return { ...OPTIMIZED_OUT, state: "unreadable", reason: error.message };
      throw error;
    }
  }

  #evaluate(expression: Uint8Array, mode: EvaluationMode): Outcome {
    const frame = this.#frame;
    let asked = false;
    const context = frame.context({
      ...mode,
      onCaller: () => {
        asked = true;
      },
    });
    const world = {
      kernel: frame.kernel,
      register: (register: number) => context.register(register),
      registerName: (register: number) => frame.registerName(register),
      locate: (entry: number) => this.#locate(entry, context),
    };
    return this.#outcomeOf(valueAt(world, this.#variable.type, evaluateLocation(expression, context)), asked);
  }

  #outcomeOf(located: Located, asked: boolean): Outcome {
    switch (located.kind) {
      case "nowhere":
        return OPTIMIZED_OUT;
      case "unknown":
        // The compiler kept the value nowhere, and the caller does not know it either.
        return { ...OPTIMIZED_OUT, state: asked ? "optimized out" : "unreadable", reason: located.reason };
      case "value": {
        const { value, register } = located;
        const name = register === undefined ? undefined : this.#frame.registerName(register);
        return { state: asked ? "from caller" : "known", value, reason: undefined, register: name, atEntry: false };
      }
    }
  }

  /** Where an implicit pointer leads: the location of that variable at the same pc. */
  #locate(entry: number, context: ExpressionContext): Location | undefined {
    const { unit, place } = this.#frame;
    if (entry < unit.offset || entry >= unit.end) return undefined;
    const die = unit.dieAt(entry);
    const expression = die.has(DW_AT_location) ? unit.locationAt(die, DW_AT_location, place.described.link) : undefined;
    if (expression !== undefined) return evaluateLocation(expression, context);
    const constant = constantOf(die);
    if (constant === undefined) return undefined;
    return typeof constant === "bigint"
      ? { kind: "value", bits: BigInt.asUintN(64, constant), type: undefined }
      : { kind: "bytes", bytes: constant };
  }

  /** What it was when its function, or the inlined call, was entered. Memory is left out where it may have been changed since. */
  #onEntry(): Outcome | undefined {
    const { entry } = this.#scope;
    if (entry === undefined) return undefined;
    const outcome = this.#at(entry, { at: entry });
    const { kernel, stack } = this.#frame;
    const address = outcome.value?.address;
    if (address !== undefined && !isStable(kernel, stack, address, sizeOf(this.#variable.type))) return undefined;
    return outcome.value === undefined ? outcome : { ...outcome, register: undefined, atEntry: true };
  }

  /** What the caller passed for it, where constant propagation took it from the function; the number of the system call. */
  #removed(): Outcome | undefined {
    const { die, type, name } = this.#variable;
    const { kind, name: fn } = this.#scope;
    try {
      const passed = (kind === "inlined" ? dispatched(this.#frame, fn, name) : undefined) ?? this.#frame.entry.parameter(die);
      const value = new Value(this.#frame.kernel.memory, type, { immediate: wrap(passed, type) });
      return { ...OPTIMIZED_OUT, state: "from caller", value, atEntry: true };
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  }
}

function constantOf(die: Die): bigint | Uint8Array | undefined {
  const text = die.string(DW_AT_const_value);
  if (text !== undefined) return new TextEncoder().encode(`${text}\0`);
  return die.signed(DW_AT_const_value) ?? die.bytes(DW_AT_const_value);
}
