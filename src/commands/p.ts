/** `p`, and gdb's `print` and `output`: the value of a C expression, or of a per-CPU variable on chosen CPUs. */
import { UsageError } from "../bytes/errors.ts";
import { localApi } from "./api/tasks.ts";
import { printApi } from "./api/values.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type CommandSpec, defineCommand, type Layout, type Session } from "./command.ts";
import { frameNames } from "./support/frame-context.ts";
import { leadingSwitches } from "./support/leading-switches.ts";
import { ambiguousLine, type PrintResult, perCpuLines, printExpression, untypedLines } from "./support/print-expression.ts";
import { printTopLevel } from "./support/print-value.ts";
import { type FormatLetter, parseFormat, splitFormat } from "./support/value-format.ts";

export type { PrintResult } from "./support/print-expression.ts";

const SYNOPSIS = "[-x | -d] [-u] [/format] expression | symbol[:cpus]";

const OPTIONS: CommandSpec["options"] = [
  { flag: "-x", help: "numbers in hexadecimal" },
  { flag: "-d", help: "numbers in decimal" },
  { flag: "-u", help: "the expression's addresses are user addresses of the context task" },
];

export const p = defineCommand<PrintResult>({
  spec: {
    name: "p",
    summary: "print the value of an expression",
    synopsis: [SYNOPSIS],
    description: [
      "Evaluates a C expression over the dead kernel: variables ('fs/file.c'::name and function::name for static ones), functions, enum constants, numbers, strings, casts, ->, ., [], &, *, sizeof, offsetof(struct x, a.b[2]), container_of(pointer, struct x, member), typeof, arithmetic, comparisons and ?:. `a@n` is n elements from a on, a[2..5] the elements 2 to 5, {type} address the object there; $, $3 and $$2 are earlier results.",
      "$rip, $x19, $sp, $pc are registers of the current frame of the context task, and names that mean nothing else are its parameters and locals (see frame). $name = value keeps a value under a name. Nothing of the kernel can be assigned or called.",
      "A per-CPU variable shows its type and the address of each CPU's copy; with a CPU suffix its values: runqueues:0, runqueues.cfs.nr_running:0-2, runqueues:a, runqueues: (CPU of the context task). Within an expression: per_cpu(runqueues, 1).curr, per_cpu_ptr(pointer, 1).",
      "A format is gdb's: /x hexadecimal, /d signed, /u unsigned, /o octal, /t binary, /z hexadecimal with zeros, /c character, /a address with its symbol, /f floating point, /s string.",
      "Types of variables come from the type information, and BTF has few of them. A symbol without a known type is shown as words; say its type with a cast: p *(int *)&panic_timeout.",
    ],
    options: OPTIONS,
    operands: ["symbol"],
    examples: [
      ["p jiffies", "a variable"],
      ["p init_task.tasks.next", "a member"],
      ["px ((struct task_struct *)0xffff888003a4c000)->flags", "through a cast, in hexadecimal"],
      ["p/t init_task.flags", "in binary"],
      ["p runqueues:0", "CPU 0's copy of a per-CPU variable"],
      ["p sizeof(struct page)", "the size of a type"],
      ["p container_of(init_task.tasks.next, struct task_struct, tasks)->comm", "from a list's node to what holds it"],
      ["p *((struct list_head *)0xffff888003a4c890)@3", "three structures from an address on"],
    ],
    differences: [
      "A negative number may come first (crash takes it for an option), and an address pasted without 0x is understood when it has nine digits or more.",
      "A symbol of unknown type is shown as words, where gdb refuses it.",
      "A frame's locals come before the kernel's variables only after a frame was chosen with frame, up or down.",
    ],
    rawLine: true,
    formats: true,
  },
  run: (session, args) => runPrint(session, args, "p", { labels: true, record: true }),
  api: printCode,
  text: printText,
});

export const print = defineCommand<PrintResult>({
  spec: {
    name: "print",
    aliases: ["inspect", "call"],
    summary: "gdb's print: p without the symbol's name",
    synopsis: [SYNOPSIS],
    description: ["As p, without the name of a symbol before its value."],
    options: OPTIONS,
    operands: ["symbol"],
    examples: [["print/x init_task.flags", "in hexadecimal"]],
    rawLine: true,
    formats: true,
  },
  run: (session, args) => runPrint(session, args, "print", { labels: false, record: true }),
  api: printCode,
  text: printText,
});

export const output = defineCommand<PrintResult>({
  spec: {
    name: "output",
    summary: "gdb's output: a value without number and name",
    synopsis: [SYNOPSIS],
    description: ["As p, with nothing before the value; the value is not kept for $."],
    options: OPTIONS,
    operands: ["symbol"],
    examples: [["output/x init_task.flags", "in hexadecimal"]],
    rawLine: true,
    formats: true,
  },
  run: (session, args) => runPrint(session, args, "output", { labels: false, record: false }),
  api: printCode,
  text: printText,
});

function runPrint(
  session: Session,
  { line }: ParsedArguments,
  name: string,
  how: { readonly labels: boolean; readonly record: boolean },
): PrintResult {
  const before = splitFormat(line);
  const { switches, rest: after } = leadingSwitches(before.rest, "xdu");
  const { format, rest } = before.format === undefined ? splitFormat(after) : { format: before.format, rest: after };
  if (rest === "") throw new UsageError(`usage: ${name} ${SYNOPSIS}`);
  if (switches.has("x") && switches.has("d")) throw new UsageError("-x and -d exclude each other");
  const radix = switches.has("x") ? 16 : switches.has("d") ? 10 : undefined;
  const letter = format === undefined ? undefined : printFormat(format);
  const wishes = { user: switches.has("u"), format: letter, labels: how.labels && letter === undefined, record: how.record };
  return { ...printExpression(session, rest, wishes), ...(radix === undefined ? {} : { radix }) };
}

/** Without a format; `$` names of the session, and locals, are not the library's. */
function printCode(session: Session, args: ParsedArguments): string | undefined {
  const { format, rest: after } = splitFormat(args.line);
  const { switches, rest } = leadingSwitches(after, "xdu");
  if (format !== undefined || switches.has("u") || splitFormat(rest).format !== undefined || rest.includes("$")) return undefined;
  const result = runPrint(session, args, "p", { labels: true, record: false });
  const names = frameNames(session);
  const hidden = names.chosen || session.kernel.symbols.byName(rest) === undefined;
  if (/^[A-Za-z_]\w*$/.test(rest) && hidden && names.local(rest) !== undefined) return localApi(session, rest);
  const [, ...more] = result.values;
  return more.length > 0 && result.values.some(({ cpu }) => cpu === undefined) ? undefined : printApi(rest, result);
}

function printFormat(text: string): FormatLetter | undefined {
  const { count, letter, unit } = parseFormat(text);
  if (count !== undefined) throw new UsageError(`"/${text}": a count is for x; elements of an array are printed with NAME@COUNT`);
  if (unit !== undefined) throw new UsageError(`"/${text}": a unit is for x; a value has the size of its type`);
  if (letter === "i") throw new UsageError(`"/${text}": instructions are shown by x/i or dis`);
  return letter;
}

function* printText({ values, untyped, perCpu, ambiguous, radix }: PrintResult, layout: Layout): Iterable<string> {
  if (perCpu !== undefined) yield* perCpuLines(perCpu);
  if (untyped !== undefined) yield* untypedLines(untyped);
  for (const { label, number, value } of values) {
    const text = printTopLevel(value, radix ?? layout.radix);
    // crash begins an array or a function on a line of its own, when a symbol was asked for by its name.
    const below = label !== undefined && (value.kind === "function" || value.kind === "array");
    const before = number === undefined ? "" : `$${number} = `;
    yield* `${label === undefined ? "" : `${label} = `}${before}${below ? "\n " : ""}${text}`.split("\n");
  }
  if (ambiguous !== undefined) yield ambiguousLine(ambiguous);
}
