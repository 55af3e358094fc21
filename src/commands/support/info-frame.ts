/** What `info frame`, `info registers`, `info args` and `info locals` say of the current frame. */
import { add, hex16 } from "../../bytes/address.ts";
import { LookupError, UnsupportedError } from "../../bytes/errors.ts";
import type { Session } from "../command.ts";
import type { InfoAnswer } from "../info.ts";
import { currentFrame } from "./frame-context.ts";
import { shownVariables, sourceOf, variableText } from "./frame-text.ts";
import { nearestNames } from "./nearest.ts";
import { symbolLabeller } from "./symbol-label.ts";

/** gdb's order and names; what the machine's file calls otherwise is in brackets there. */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  x86_64: "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags cs ss".split(" "),
  aarch64: [...Array.from({ length: 31 }, (_, i) => `x${i}`), "sp", "pc", "cpsr"],
};
const FILE_NAMES: Readonly<Record<string, string>> = { eflags: "rflags", cpsr: "pstate" };
const POINTERS = new Set(["rip", "rsp", "rbp", "sp", "pc"]);

export function registerInfo(session: Session, operands: string): InfoAnswer {
  const { kernel } = session;
  const { frame } = currentFrame(session);
  const { file } = frame.registers;
  const order = ORDER[kernel.arch.name] ?? file.names;
  const words = operands.split(/[\s,]+/).filter((word) => word !== "");
  const names = words.length === 0 ? order : words.map((word) => registerName(word, order, file));
  const label = symbolLabeller(kernel);
  const data = names.map((name) => ({ name, value: frame.registers.get(file.names.indexOf(FILE_NAMES[name] ?? name)) }));
  // All of them: those without a value share a line.
  const lost = words.length > 0 ? [] : data.filter(({ value }) => value === undefined).map(({ name }) => name);
  const listed = data.filter(({ name }) => !lost.includes(name));
  const text = listed.map(({ name, value }) => {
    if (value === undefined) return `${name.padEnd(14)} <not known in this frame>`;
    const hex = `0x${value.toString(16)}`;
    const symbol = name === "rip" || name === "pc" ? label(value, false) : undefined;
    const offset = symbol === undefined || symbol.offset === 0 ? "" : `+${symbol.offset}`;
    const natural = !POINTERS.has(name) ? BigInt.asIntN(64, value) : `${hex}${symbol === undefined ? "" : ` <${symbol.name}${offset}>`}`;
    return `${name.padEnd(14)} ${hex.padEnd(19)} ${natural}`;
  });
  if (lost.length > 0) text.push(`not known in this frame: ${lost.join(" ")}`);
  return { text, data: { level: frame.level, registers: data.map(({ name, value }) => ({ name, value: value ?? null })) } };
}

function registerName(
  word: string,
  order: readonly string[],
  file: { names: readonly string[]; pc: number; sp: number; fp: number },
): string {
  const name = word.replace(/^\$/, "");
  const roles: Readonly<Record<string, number>> = { pc: file.pc, sp: file.sp, fp: file.fp };
  const role = roles[name];
  const found = role === undefined ? name : (file.names[role] as string);
  if (!order.includes(found)) throw new LookupError(`no register named "${word}"`, nearestNames(name, order));
  return found;
}

/** Parameters or locals with their values. */
export function variableInfo(session: Session, kind: "parameter" | "local"): InfoAnswer {
  const { kernel } = session;
  const current = currentFrame(session);
  const what = kind === "parameter" ? "arguments" : "locals";
  const { function: name, module, kind: frameKind, pc } = current.frame;
  if (kernel.debugInfo.scopes(frameKind === "interrupted" ? pc : add(pc, -1)).length === 0) {
    const file = module === undefined ? "inquest DUMP VMLINUX" : `mod -s ${module} FILE`;
    throw new UnsupportedError(`${what} need debug information, and none describes ${name ?? hex16(pc)}: ${file}`);
  }
  const variables = shownVariables(session, current, kind);
  const text = variables.map((each) => `${each.name} = ${variableText(each, session.settings.radix)}`).flatMap((each) => each.split("\n"));
  return { text: text.length === 0 ? [`No ${what}.`] : text, data: { level: current.frame.level, variables } };
}

export function frameInfo(session: Session): InfoAnswer {
  const { kernel } = session;
  const { stack, frame } = currentFrame(session);
  const { names, pc: pcNumber } = frame.registers.file;
  const caller = stack.frames[frame.level + 1];
  const source = sourceOf(kernel, frame);
  const place =
    frame.function === undefined ? "no known function" : `${frame.function}${frame.module === undefined ? "" : ` [${frame.module}]`}`;
  const known = frame.registers.file.calleeSaved
    .map((number) => ({ name: names[number] as string, value: frame.registers.get(number) }))
    .filter(({ value }) => value !== undefined);
  const text = [
    `Stack level ${frame.level}, frame at 0x${hex16(frame.sp)}:`,
    ` ${names[pcNumber]} = 0x${frame.pc.toString(16)} in ${place}${source === undefined ? "" : ` (${source.file}:${source.line})`}` +
      `${caller === undefined ? "" : `; saved ${names[pcNumber]} = 0x${caller.pc.toString(16)}`}`,
    ` found by ${frame.foundBy}, ${frame.certainty}; on the ${frame.stack.kind} stack${frame.stack.cpu === undefined ? "" : ` of CPU ${frame.stack.cpu}`}`,
    caller === undefined
      ? ` outermost: ${stack.stop.text}`
      : ` called by frame ${caller.level}: ${caller.function ?? `0x${caller.pc.toString(16)}`}`,
    ...(known.length === 0
      ? []
      : [" Registers kept over calls:", `  ${known.map(({ name, value }) => `${name}=0x${value?.toString(16)}`).join(" ")}`]),
  ];
  return {
    text,
    data: {
      level: frame.level,
      pc: frame.pc,
      sp: frame.sp,
      function: frame.function ?? null,
      foundBy: frame.foundBy,
      certainty: frame.certainty,
    },
  };
}
