/**
 * Parameters and locals under a frame (`bt -V`): as data, and as one line each.
 *
 *     file = (struct file *) 0xff26c5f70307b700
 *     count = 2 (from caller)
 *     pos = (loff_t *) 0xff493b7b00013c40 (from caller, at entry)
 *     f = {file = 0xff26c5f70307b700, flags = 0}
 *     ret = <optimized out>
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { type FrameVariable, frameVariables, type VariableState } from "../../stack/frame-variables.ts";
import type { Session } from "../command.ts";
import { printTopLevel } from "../support/print-value.ts";
import { ValueReader } from "../support/read-value.ts";
import { symbolLabeller } from "../support/symbol-label.ts";
import type { ValueNode } from "../support/value-node.ts";

export interface BtVariable {
  readonly name: string;
  readonly kind: "parameter" | "local";
  /** C's spelling. */
  readonly type: string;
  readonly state: VariableState;
  /** The value is what the function was entered with: it may have been changed since. */
  readonly atEntry?: true;
  /** null when there is none, and for a pointer to what has no address: `pointee` is shown then. */
  readonly value: ValueNode | null;
  /** What a pointer points to that has no address. */
  readonly pointee?: ValueNode;
  /** Where it lies in memory. */
  readonly address?: VirtualAddress;
  /** The register that holds it. */
  readonly register?: string;
  /** Why it has no value. */
  readonly reason?: string;
}

/** A longer value is cut: the place for all of it is `p` or `struct`. */
const MAX_LINE = 160;

/** The variables of a frame of this stack; a frame that cannot be described has none. */
export function btVariables(session: Session, stack: UnwoundStack, frame: StackFrame): readonly BtVariable[] {
  const { kernel, settings } = session;
  // Strings end at their first NUL: a line is short.
  const reader = new ValueReader({ memory: kernel.memory, label: symbolLabeller(kernel), printMax: settings.printMax, nullStop: true });
  return frameVariables(kernel, stack, frame).map((variable) => btVariable(session, reader, variable));
}

function btVariable({ kernel }: Session, reader: ValueReader, { name, kind, type, state, atEntry, ...more }: FrameVariable): BtVariable {
  const { value, register, reason } = more;
  const pointee = value?.pointee === undefined ? undefined : reader.value(value.pointee);
  const node =
    value === undefined || pointee !== undefined ? null : withoutUserText(reader.value(value), (at) => kernel.arch.isKernelAddress(at));
  return {
    name,
    kind,
    type: typeName(type),
    state,
    ...(atEntry ? { atEntry } : {}),
    value: node,
    ...(pointee === undefined ? {} : { pointee }),
    ...(value?.address === undefined ? {} : { address: value.address }),
    ...(register === undefined ? {} : { register }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function typeName(type: FrameVariable["type"]): string {
  try {
    return declare(type);
  } catch (error) {
    if (error instanceof InquestError) return "?";
    throw error;
  }
}

/** A string of user mode is not looked for in the kernel's memory. */
export function withoutUserText(node: ValueNode, isKernel: (address: bigint) => boolean): ValueNode {
  if (node.kind !== "pointer" || node.unreadable === undefined || isKernel(node.value)) return node;
  const { unreadable: _, ...rest } = node;
  return rest;
}

/** The lines under a frame. */
export function* variableLines(variables: readonly BtVariable[], radix: 10 | 16): Iterable<string> {
  for (const variable of variables) yield `    ${variable.name} = ${valueText(variable, radix)}${origin(variable)}`;
}

function origin({ state, atEntry }: BtVariable): string {
  if (state !== "from caller") return atEntry === true ? " (at entry)" : "";
  return atEntry === true ? " (from caller, at entry)" : " (from caller)";
}

function valueText({ state, value, pointee, reason, type }: BtVariable, radix: 10 | 16): string {
  if (pointee !== undefined) return `(${type}) &${oneLine(printTopLevel(pointee, radix))}`;
  if (value !== null) return oneLine(printTopLevel(value, radix));
  if (state === "optimized out") return "<optimized out>";
  return reason === undefined ? "<unreadable>" : `<unreadable: ${reason}>`;
}

/** gdb's nested layout on one line: "{a = 1, b = {c = 2}}". */
function oneLine(text: string): string {
  const flat = text
    .replaceAll(/\{\n\s*/g, "{")
    .replaceAll(/\n\s*\}/g, "}")
    .replaceAll(/\n\s*/g, " ");
  return flat.length <= MAX_LINE ? flat : `${flat.slice(0, MAX_LINE - 4)} ...${flat.startsWith("{") ? "}" : ""}`;
}
