/**
 * The stack that the kernel died on: each frame with its source line, its variables where a vmlinux tells them, else the registers that
 * are known in it.
 *
 *   inquest script examples/panic-stack.ts vmcore                functions and registers
 *   inquest script examples/panic-stack.ts vmcore vmlinux        lines, inlined calls, parameters and locals
 */
import type { Frame, FrameVariable, Kernel } from "inquest";

function variable({ name, value, state, reason }: FrameVariable): string {
  if (value === undefined) return `     ${name} = <${reason ?? state}>`;
  const text = value.toString().replaceAll(/\s+/g, " ");
  return `     ${name} = ${text.length > 100 ? `${text.slice(0, 100)} …` : text}${state === "known" ? "" : ` (${state})`}`;
}

/** Registers four a line. */
function registers(frame: Frame): string[] {
  const words = Object.entries(frame.registers).map(([name, value]) => `${name}=${value.toString(16)}`);
  return Array.from({ length: Math.ceil(words.length / 4) }, (_, i) => `     ${words.slice(i * 4, i * 4 + 4).join(" ")}`);
}

function lines(frame: Frame): string[] {
  const { level, function: name, offset, kind, module, source, variables } = frame;
  const place = kind === "inline" ? " (inlined)" : offset === undefined ? "" : `+${offset}`;
  const where = source === undefined ? "" : ` at ${source.file}:${source.line}`;
  const head = `#${level}  ${name ?? "?"}${place}${module === undefined ? "" : ` [${module}]`}${where}`;
  if (variables.length > 0) return [head, ...variables.map(variable)];
  // Registers tell most where the exception struck; further out only those that calls preserve are known.
  return kind === "interrupted" ? [head, ...registers(frame)] : [head];
}

export default function (kernel: Kernel): string {
  const task = kernel.panicTask;
  if (task === undefined) return "no task is known to have been running";
  const { frames, stop } = task.stack();
  return [kernel.system.panic ?? "no panic in the log", `${task} on CPU ${task.cpu}`, ...frames.flatMap(lines), `(${stop})`].join("\n");
}
