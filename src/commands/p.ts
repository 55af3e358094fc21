/** `p`: the value of a C expression, or of a per-CPU variable on chosen CPUs. */
import { hex16, virtual } from "../bytes/address.ts";
import { FaultError, LookupError, UsageError } from "../bytes/errors.ts";
import { declare } from "../debug-info/c-format-type.ts";
import { type CType, strip } from "../debug-info/c-type.ts";
import type { KernelSymbol } from "../debug-info/symbols.ts";
import { evaluateExpression } from "../kernel/expression/evaluate.ts";
import { isPerCpu, isText, kernelScope, symbolType } from "../kernel/expression/scope.ts";
import { Value } from "../kernel/value.ts";
import { defineCommand, type Session } from "./command.ts";
import { chosenCpus } from "./support/address-operand.ts";
import { splitCpuSuffix } from "./support/cpu-list.ts";
import { leadingSwitches } from "./support/leading-switches.ts";
import { layOutRow, type MemoryGap, type MemoryRow, memoryRows, type WordBits } from "./support/memory-rows.ts";
import { printTopLevel } from "./support/print-value.ts";
import { contextUserSpace, explainFault } from "./support/spaces.ts";
import { symbolLabeller } from "./support/symbol-label.ts";
import { valueHistory } from "./support/value-history.ts";
import type { SymbolLabel, ValueNode } from "./support/value-node.ts";
import { valueReader } from "./support/value-reader.ts";

/** One value, numbered as in crash: `jiffies = $3 = 4294893576`. */
export interface PrintedValue {
  /** What stands before the number: the symbol, `per_cpu(runqueues, 1)`; absent for expressions. */
  readonly label?: string;
  /** The N of `$N`. */
  readonly number: number;
  readonly value: ValueNode;
  readonly cpu?: number;
  readonly address?: bigint;
}

/** A symbol whose type nobody knows: its bytes. */
export interface UntypedSymbol {
  readonly name: string;
  readonly address: bigint;
  /** Bytes up to the next symbol; undefined for the last one. */
  readonly size?: number;
  /** Width of the words in `rows`. */
  readonly bits: WordBits;
  /** The whole symbol, when it is one word, and the symbol it points into. */
  readonly word?: bigint;
  readonly symbol?: SymbolLabel;
  readonly rows: readonly (MemoryRow | MemoryGap)[];
}

/** A per-CPU symbol without CPUs: its type and where the copies lie. */
export interface PerCpuSymbol {
  readonly name: string;
  /** Its declaration; absent when the type is not known. */
  readonly declaration?: string;
  readonly addresses: readonly { readonly cpu: number; readonly address: bigint }[];
}

export interface PrintResult {
  readonly values: readonly PrintedValue[];
  readonly untyped?: UntypedSymbol;
  readonly perCpu?: PerCpuSymbol;
  /** Radix given with -x or -d. */
  readonly radix?: 10 | 16;
}

/** Bytes of an untyped symbol that are shown. */
const MAX_UNTYPED = 128;

export const p = defineCommand<PrintResult>({
  spec: {
    name: "p",
    aliases: ["print"],
    summary: "print the value of an expression",
    synopsis: ["[-x | -d] [-u] expression | symbol[:cpus]"],
    description: [
      "Evaluates a C expression over the dead kernel: variables, functions, enum constants, numbers, casts, ->, ., [], &, *, sizeof, arithmetic and comparisons, `a@n` for n elements from a on, and earlier results as $, $3, $$2. Nothing can be assigned or called.",
      "A per-CPU variable shows its type and the address of each CPU's copy; with a CPU suffix its values: runqueues:0, runqueues:0-2, runqueues:a, runqueues: (CPU of the context task).",
      "Types of variables come from the type information, and BTF has few of them. A symbol without a known type is shown as words; say its type with a cast: p *(int *)&panic_timeout.",
    ],
    options: [
      { flag: "-x", help: "numbers in hexadecimal" },
      { flag: "-d", help: "numbers in decimal" },
      { flag: "-u", help: "the expression's addresses are user addresses of the context task" },
    ],
    operands: ["symbol"],
    examples: [
      ["p jiffies", "a variable"],
      ["p init_task.tasks.next", "a member"],
      ["px ((struct task_struct *)0xffff888003a4c000)->flags", "through a cast, in hexadecimal"],
      ["p runqueues:0", "CPU 0's copy of a per-CPU variable"],
      ["p sizeof(struct page)", "the size of a type"],
      ["p *((struct list_head *)0xffff888003a4c890)@3", "three structures from an address on"],
    ],
    differences: [
      "A negative number may come first (crash takes it for an option), and an address pasted without 0x is understood when it has nine digits or more.",
      "A symbol of unknown type is shown as words, where gdb refuses it.",
    ],
    rawLine: true,
  },
  run(session, { line }) {
    const { switches, rest } = leadingSwitches(line, "xdu");
    if (rest === "") throw new UsageError("usage: p [-x | -d] [-u] expression | symbol[:cpus]");
    if (switches.has("x") && switches.has("d")) throw new UsageError("-x and -d exclude each other");
    const radix = switches.has("x") ? 16 : switches.has("d") ? 10 : undefined;
    return { ...evaluateLine(session, rest, switches.has("u")), ...(radix === undefined ? {} : { radix }) };
  },
  *text({ values, untyped, perCpu, radix }, layout) {
    if (perCpu !== undefined) yield* perCpuLines(perCpu);
    if (untyped !== undefined) yield* untypedLines(untyped);
    for (const { label, number, value } of values) {
      const text = printTopLevel(value, radix ?? layout.radix);
      // crash begins an array or a function on a line of its own, when a symbol was asked for by its name.
      const below = label !== undefined && (value.kind === "function" || value.kind === "array");
      yield* `${label === undefined ? "" : `${label} = `}$${number} = ${below ? "\n " : ""}${text}`.split("\n");
    }
  },
});

function evaluateLine(session: Session, text: string, user: boolean): PrintResult {
  const { kernel } = session;
  const { name, cpus } = splitCpuSuffix(text);
  const symbol = /^[A-Za-z_$][\w$.]*$/.test(name) ? kernel.symbols.byName(name) : undefined;
  if (symbol !== undefined && isPerCpu(kernel, symbol))
    return cpus === undefined ? { values: [], perCpu: perCpuSymbol(session, symbol) } : perCpuValues(session, symbol, cpus);
  if (symbol !== undefined && cpus !== undefined) throw new UsageError(`${name} is not per-CPU: it takes no CPUs`);
  if (symbol !== undefined && !isText(kernel, symbol) && symbolType(kernel, symbol) === undefined)
    return { values: [], untyped: untypedSymbol(session, symbol) };

  const history = valueHistory(session);
  const memory = user ? contextUserSpace(session) : kernel.memory;
  const value = evaluateExpression(text, kernelScope(kernel, { memory, history: history.values }));
  if (strip(value.type).kind === "void" && value.address !== undefined)
    throw new LookupError(`the type of "${text}" is not known without a vmlinux; say it with a cast: *(TYPE *)&NAME`);
  // An earlier result ($3) may lie in another memory than this line's.
  const node = valueReader(session, value.memory).value(value);
  refuseUnreadable(session, value, node);
  return { values: [{ ...(symbol === undefined ? {} : { label: name }), number: history.add(value), value: node, ...placeOf(value) }] };
}

function placeOf(value: Value): { readonly address?: bigint } {
  return value.address === undefined ? {} : { address: value.address };
}

function refuseUnreadable(session: Session, value: Value, node: ValueNode): void {
  if (node.kind !== "unreadable" || value.address === undefined) return;
  try {
    value.memory.u8(virtual(node.address));
  } catch (error) {
    if (error instanceof FaultError) throw explainFault(session.kernel, error);
    throw error;
  }
  throw new LookupError(`${declare(value.type)}: ${node.message}`);
}

function perCpuSymbol(session: Session, symbol: KernelSymbol): PerCpuSymbol {
  const type = session.kernel.variableType(symbol.name);
  const addresses = chosenCpus(session, "a").map((cpu) => ({ cpu, address: session.kernel.perCpuAddress(symbol.address, cpu) }));
  return { name: symbol.name, ...(type === undefined ? {} : { declaration: declare(type, symbol.name) }), addresses };
}

function perCpuValues(session: Session, symbol: KernelSymbol, cpus: string): PrintResult {
  const { kernel } = session;
  const type = kernel.variableType(symbol.name) ?? wordType(symbol);
  const history = valueHistory(session);
  const reader = valueReader(session);
  const values = chosenCpus(session, cpus).map((cpu): PrintedValue => {
    const value = new Value(kernel.memory, type, kernel.perCpuAddress(symbol.address, cpu));
    return { label: `per_cpu(${symbol.name}, ${cpu})`, number: history.add(value), value: reader.value(value), cpu, ...placeOf(value) };
  });
  return { values };
}

/** What an untyped per-CPU symbol is read as: words up to the next symbol. */
function wordType(symbol: KernelSymbol): CType {
  const word: CType = { kind: "int", name: "unsigned long", size: 8, signed: false, encoding: "int" };
  const words = Math.min(MAX_UNTYPED / 8, Math.floor((symbol.size ?? 8) / 8));
  return words <= 1 ? word : { kind: "array", element: word, length: words };
}

function untypedSymbol({ kernel }: Session, symbol: KernelSymbol): UntypedSymbol {
  const { name, address, size } = symbol;
  const head = { name, address, ...(size === undefined ? {} : { size }) };
  const bytes = Math.min(size ?? 8, MAX_UNTYPED);
  const bits = bytes % 8 === 0 ? 64 : bytes % 4 === 0 ? 32 : bytes % 2 === 0 ? 16 : 8;
  const rows = [...memoryRows(kernel.memory, address, bits, Math.max(1, bytes / (bits / 8)))];
  const only = rows[0];
  if (rows.length !== 1 || only === undefined || !("words" in only) || only.words.length !== 1) return { ...head, bits, rows };
  const word = only.words[0] as bigint;
  const pointee = bits === 64 ? symbolLabeller(kernel)(word, false) : undefined;
  return { ...head, bits, word, ...(pointee === undefined ? {} : { symbol: pointee }), rows };
}

function* perCpuLines({ name, declaration, addresses }: PerCpuSymbol): Iterable<string> {
  yield "PER-CPU DATA TYPE:";
  yield declaration === undefined ? `  (the type of ${name} is not known without a vmlinux)` : `  ${declaration};`;
  yield "PER-CPU ADDRESSES:";
  for (const { cpu, address } of addresses) yield `  [${cpu}]: ${address.toString(16)}`;
}

function* untypedLines({ name, address, size, word, symbol, bits, rows }: UntypedSymbol): Iterable<string> {
  const where = `${size === undefined ? "" : `${size} byte${size === 1 ? "" : "s"} `}at ${hex16(address)}`;
  const why = "its type is not known without a vmlinux";
  const help = `p *(TYPE *)&${name}`;
  if (word !== undefined) {
    const label = symbol === undefined ? "" : ` <${symbol.name}${symbol.offset === 0 ? "" : `+${symbol.offset}`}>`;
    const decimal = label === "" && word > 9n ? ` (${word})` : "";
    yield `${name} = 0x${word.toString(16)}${label}${decimal}`;
    yield `  (${where} as one word: ${why}; cast it: ${help})`;
    return;
  }
  yield `${name}: ${where}; ${why}; cast it: ${help}`;
  for (const row of rows) yield layOutRow(row, { bits, format: "hexadecimal", ascii: true });
}
