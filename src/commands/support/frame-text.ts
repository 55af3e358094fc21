/**
 * A frame as gdb shows it, and its variables:
 *
 *   #2  0xffffffffba7cd21a in panic (fmt=0xffffffffbb0d00c8 "Fatal exception") at kernel/panic.c:459
 */
import { add, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import type { FrameVariable } from "../../stack/frame-variables.ts";
import type { Session } from "../command.ts";
import { type CurrentFrame, variablesOf } from "./frame-context.ts";
import { printValue } from "./print-value.ts";
import { compilersPath } from "./source-path.ts";
import type { ValueNode } from "./value-node.ts";
import { valueReader } from "./value-reader.ts";

export interface ShownVariable {
  readonly name: string;
  readonly kind: FrameVariable["kind"];
  readonly state: FrameVariable["state"];
  /** The value is what the function was entered with: it may have been changed since. */
  readonly atEntry?: true;
  readonly value?: ValueNode;
  /** What a pointer points to that has no address. */
  readonly pointee?: ValueNode;
  readonly reason?: string;
}

export interface ShownFrame {
  readonly level: number;
  readonly kind: StackFrame["kind"];
  readonly pc: bigint;
  readonly function?: string;
  readonly offset?: number;
  readonly module?: string;
  readonly source?: { readonly file: string; readonly line: number };
  readonly arguments: readonly ShownVariable[];
}

/** The place in the source of a frame: that of the call, for a frame that waits for one to return. */
export function sourceOf(kernel: Kernel, { source, kind, pc }: StackFrame): ShownFrame["source"] {
  if (source === undefined) return undefined;
  return { file: compilersPath(kernel, source.file, kind === "interrupted" ? pc : add(pc, -1)), line: source.line };
}

export function shownFrame(session: Session, current: CurrentFrame): ShownFrame {
  const { frame } = current;
  const source = sourceOf(session.kernel, frame);
  return {
    level: frame.level,
    kind: frame.kind,
    pc: frame.pc,
    ...(frame.function === undefined ? {} : { function: frame.function }),
    ...(frame.offset === undefined ? {} : { offset: frame.offset }),
    ...(frame.module === undefined ? {} : { module: frame.module }),
    ...(source === undefined ? {} : { source }),
    arguments: shownVariables(session, current, "parameter"),
  };
}

/** Parameters or locals with their values read. */
export function shownVariables(session: Session, current: CurrentFrame, kind: FrameVariable["kind"]): ShownVariable[] {
  const reader = valueReader(session);
  return variablesOf(session, current)
    .filter((variable) => variable.kind === kind)
    .map(({ name, state, value, reason, atEntry }): ShownVariable => {
      const head = { name, kind, state, ...(atEntry ? { atEntry } : {}), ...(reason === undefined ? {} : { reason }) };
      if (value === undefined) return head;
      try {
        if (value.pointee !== undefined) return { ...head, pointee: reader.value(value.pointee) };
        return { ...head, value: reader.value(value) };
      } catch (error) {
        if (error instanceof InquestError) return { ...head, state: "unreadable", reason: error.message };
        throw error;
      }
    });
}

/** `name = value`, or why there is none. */
export function variableText({ value, pointee, state, atEntry, reason }: ShownVariable, radix: 10 | 16): string {
  const origin = state !== "from caller" ? "" : atEntry === true ? " (from caller, at entry)" : " (from caller)";
  if (value !== undefined) return `${printValue(value, radix)}${origin}`;
  if (pointee !== undefined) return `&${printValue(pointee, radix)}${origin}`;
  return state === "optimized out" ? "<optimized out>" : `<unreadable: ${reason ?? state}>`;
}

export function frameLine(frame: ShownFrame, radix: 10 | 16): string {
  const level = `#${frame.level}`.padEnd(3);
  // An inlined call has no address of its own.
  const where = frame.kind === "inline" ? "" : `0x${virtual(frame.pc).toString(16)} in `;
  const name = frame.function ?? "??";
  const given = frame.arguments.map((each) => `${each.name}=${variableText(each, radix).replace(/\s*\n\s*/g, " ")}`);
  const module = frame.module === undefined ? "" : ` [${frame.module}]`;
  const source = frame.source === undefined ? "" : ` at ${frame.source.file}:${frame.source.line}`;
  return `${level} ${where}${name} (${given.join(", ")})${source}${module}`;
}
