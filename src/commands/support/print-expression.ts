/** What `p`, `print` and `output` answer: values of an expression, per-CPU copies, the words of a symbol without a type. */
import { hex16, virtual } from "../../bytes/address.ts";
import { FaultError, LookupError, UsageError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import { type CType, strip } from "../../debug-info/c-type.ts";
import type { KernelSymbol } from "../../debug-info/symbols.ts";
import { isPerCpu, isText, symbolType } from "../../kernel/expression/scope.ts";
import { Value } from "../../kernel/value.ts";
import type { Session } from "../command.ts";
import { chosenCpus } from "./address-operand.ts";
import { splitCpuSuffix } from "./cpu-list.ts";
import { frameNames } from "./frame-context.ts";
import { layOutRow, type MemoryGap, type MemoryRow, memoryRows, type WordBits } from "./memory-rows.ts";
import { evaluateIn } from "./session-scope.ts";
import { contextUserSpace, explainFault } from "./spaces.ts";
import { symbolLabeller } from "./symbol-label.ts";
import type { FormatLetter } from "./value-format.ts";
import { valueHistory } from "./value-history.ts";
import type { SymbolLabel, ValueNode } from "./value-node.ts";
import { valueReader } from "./value-reader.ts";

/** One value, numbered as in crash: `jiffies = $3 = 4294893576`. */
export interface PrintedValue {
  /** What stands before the number: the symbol, `per_cpu(runqueues, 1)`; absent for expressions. */
  readonly label?: string;
  /** The N of `$N`; absent for `output`. */
  readonly number?: number;
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
  /** The name that the expression begins with is that of several symbols; this one was taken. */
  readonly ambiguous?: { readonly name: string; readonly address: bigint; readonly count: number; readonly described: boolean };
  /** Radix given with -x or -d. */
  readonly radix?: 10 | 16;
}

export interface PrintWishes {
  /** Addresses are those of the context task's user memory. */
  readonly user: boolean;
  readonly format: FormatLetter | undefined;
  /** Name a symbol before its value, as crash's `p` does and gdb's `print` does not. */
  readonly labels: boolean;
  /** Keep the value for `$N`. */
  readonly record: boolean;
}

/** Bytes of an untyped symbol that are shown. */
const MAX_UNTYPED = 128;

export function printExpression(session: Session, text: string, wishes: PrintWishes): PrintResult {
  const { kernel } = session;
  const { name, cpus } = splitCpuSuffix(text);
  const plainName = /^[A-Za-z_$][\w$.]*$/.test(name);
  const symbol = plainName && !isShadowed(session, name) ? kernel.symbols.byName(name) : undefined;
  if (symbol !== undefined && isPerCpu(kernel, symbol))
    return cpus === undefined ? { values: [], perCpu: perCpuSymbol(session, symbol) } : perCpuValues(session, symbol, cpus, wishes);
  if (symbol !== undefined && cpus !== undefined) throw new UsageError(`${name} is not per-CPU: it takes no CPUs`);
  if (cpus !== undefined) {
    const parts = perCpuPart(session, name, cpus, wishes);
    if (parts !== undefined) return parts;
    if (plainName) throw kernel.unknownSymbol(name);
  }
  if (symbol !== undefined && !isText(kernel, symbol) && symbolType(kernel, symbol) === undefined)
    return { values: [], untyped: untypedSymbol(session, symbol) };

  const value = evaluateIn(session, text, wishes.user ? contextUserSpace(session) : kernel.memory);
  if (strip(value.type).kind === "void" && value.address !== undefined)
    throw new LookupError(`the type of "${text}" is not known without a vmlinux; say it with a cast: *(TYPE *)&NAME`);
  // An earlier result ($3) may lie in another memory than this line's.
  const node = valueReader(session, value.memory, wishes.format).value(value);
  refuseUnreadable(session, value, node);
  return { values: [printed(session, value, node, wishes, symbol === undefined ? undefined : name)], ...ambiguity(session, name) };
}

/** Static variables and functions of several files may share a name; the answer is then about the first, which must be said. */
function ambiguity(session: Session, text: string): Pick<PrintResult, "ambiguous"> {
  const { kernel } = session;
  const [, name = ""] = /^[&*!~()\s-]*([A-Za-z_]\w*)(?!\w|\s*::)/.exec(text) ?? [];
  const count = name === "" || isShadowed(session, name) ? 0 : kernel.symbols.allByName(name).length;
  const address = kernel.symbols.byName(name)?.address;
  return count < 2 || address === undefined ? {} : { ambiguous: { name, address, count, described: kernel.debugInfo.present } };
}

/** A local of a chosen frame hides the symbol of its name. */
function isShadowed(session: Session, name: string): boolean {
  const frame = frameNames(session);
  return frame.chosen && frame.local(name) !== undefined;
}

function printed(session: Session, value: Value, node: ValueNode, wishes: PrintWishes, label?: string): PrintedValue {
  return {
    ...(label === undefined || !wishes.labels ? {} : { label }),
    ...(wishes.record ? { number: valueHistory(session).add(value) } : {}),
    value: node,
    ...(value.address === undefined ? {} : { address: value.address }),
  };
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
  const type = symbolType(session.kernel, symbol);
  const addresses = chosenCpus(session, "a").map((cpu) => ({ cpu, address: session.kernel.perCpuAddress(symbol.address, cpu) }));
  return { name: symbol.name, ...(type === undefined ? {} : { declaration: declare(type, symbol.name) }), addresses };
}

function perCpuValues(session: Session, symbol: KernelSymbol, cpus: string, wishes: PrintWishes): PrintResult {
  const { kernel } = session;
  const type = symbolType(kernel, symbol) ?? wordType(symbol);
  const reader = valueReader(session, kernel.memory, wishes.format);
  const values = chosenCpus(session, cpus).map((cpu): PrintedValue => {
    const value = new Value(kernel.memory, type, kernel.perCpuAddress(symbol.address, cpu));
    return { ...printed(session, value, reader.value(value), wishes, `per_cpu(${symbol.name}, ${cpu})`), cpu };
  });
  return { values };
}

/** `runqueues.cfs.nr_running:0-1`: a part of a per-CPU variable; undefined when the text names none. */
function perCpuPart(session: Session, text: string, cpus: string, wishes: PrintWishes): PrintResult | undefined {
  const [, name = "", rest = ""] = /^([A-Za-z_$][\w$]*)((?:\.|->|\[).*)$/s.exec(text) ?? [];
  const symbol = session.kernel.symbols.byName(name);
  if (symbol === undefined || !isPerCpu(session.kernel, symbol)) return undefined;
  const values = chosenCpus(session, cpus).map((cpu): PrintedValue => {
    const copy = `per_cpu(${name}, ${cpu})${rest}`;
    const value = evaluateIn(session, copy);
    const node = valueReader(session, value.memory, wishes.format).value(value);
    return { ...printed(session, value, node, wishes, copy), cpu };
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

export function ambiguousLine({ name, address, count, described }: NonNullable<PrintResult["ambiguous"]>): string {
  const choose = described ? `p 'FILE'::${name}` : "p *(TYPE *)ADDRESS";
  return `  (${count} symbols are named ${name}; this is the one at ${hex16(address)}: sym ${name} lists them, ${choose} chooses)`;
}

export function* perCpuLines({ name, declaration, addresses }: PerCpuSymbol): Iterable<string> {
  yield "PER-CPU DATA TYPE:";
  yield declaration === undefined ? `  (the type of ${name} is not known without a vmlinux)` : `  ${declaration};`;
  yield "PER-CPU ADDRESSES:";
  for (const { cpu, address } of addresses) yield `  [${cpu}]: ${address.toString(16)}`;
}

export function* untypedLines({ name, address, size, word, symbol, bits, rows }: UntypedSymbol): Iterable<string> {
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
