/** `dis`: instructions with their symbols, as gdb prints them and crash passes them on. */
import type { Instruction } from "../arch/disassembler.ts";
import { add, distance, type VirtualAddress } from "../bytes/address.ts";
import { UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import { isPerCpu } from "../kernel/expression/scope.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isFtraceSite } from "../linux/ftrace.ts";
import { type FunctionRange, functionAt } from "../type-flow/function-extent.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { type Decoded, instructionsFrom } from "./support/code.ts";
import { lazy } from "./support/lazy.ts";
import { parseAddress, parseCount } from "./support/numbers.ts";
import { contextUserSpace, explained } from "./support/spaces.ts";
import { symbolLabeller } from "./support/symbol-label.ts";
import type { SymbolLabel } from "./support/value-node.ts";

/** An address with the symbol it lies in. */
export interface LabelledAddress {
  readonly address: bigint;
  readonly symbol?: SymbolLabel;
}

export interface DisLine extends LabelledAddress {
  /** Bytes of the instruction in hexadecimal. */
  readonly bytes: string;
  /** With its prefixes. */
  readonly mnemonic: string;
  readonly operands: string;
  /** What stands between the two: spaces up to a column on x86-64, a tab on arm64. */
  readonly separator: string;
  /** Where it branches to, or the address it forms; the last of the operands. */
  readonly target?: LabelledAddress;
  /** Address of its memory operand, when that is relative to the instruction. */
  readonly reference?: LabelledAddress;
  /** binutils' remark on arm64: an immediate in decimal, other names of a condition. */
  readonly comment?: string;
  /** "FTRACE NOP": ftrace turned a call into this. */
  readonly note?: string;
}

export interface DisResult {
  /** Lazy. */
  readonly lines: Iterable<DisLine>;
  /** What the user should know, one line each. */
  readonly notes: readonly string[];
  /** Radix of the offsets, when an option chose it. */
  readonly radix?: 10 | 16;
  /** With -b alone: bytes skipped behind ud2. */
  readonly skip?: number;
}

/** Bytes behind ud2 that are data (`dis -b`); none on kernels since 2.6.20. */
const skips = new WeakMap<Session, number>();

export const dis = defineCommand<DisResult>({
  spec: {
    name: "dis",
    summary: "disassemble",
    synopsis: ["[-rfludxs] address | symbol | (expression) [count]", "-b [bytes]"],
    description: [
      "Shows instructions as they lie in the dump's memory: with the kernel's own patches (alternatives, static calls, jump labels) applied. A symbol without a count, or the address a function starts at, shows the whole function; another address shows one instruction.",
      "x86-64 is in AT&T syntax; both machines are written as binutils and gdb write them.",
    ],
    options: [
      { flag: "-r", help: "from the start of the function up to and with the address; with a count, the last ones of these" },
      { flag: "-f", help: "from the address to the end of the function; with a count, the first ones of these" },
      { flag: "-l", help: "source file and line of each instruction: needs a vmlinux with debug information" },
      { flag: "-s", help: "source text: needs a vmlinux with debug information, and the source" },
      { flag: "-u", help: "the address is in the user memory of the context task" },
      { flag: "-x", help: "offsets in hexadecimal" },
      { flag: "-d", help: "offsets in decimal" },
      { flag: "-b", help: "bytes to skip behind each ud2, for kernels that keep the place of a BUG() there; alone, shows the number" },
    ],
    operands: ["symbol", "number"],
    examples: [
      ["dis vfs_read", "a whole function"],
      ["dis -r vfs_read+0x33", "what led to an instruction"],
      ["dis -x schedule 10", "ten instructions, offsets in hexadecimal"],
    ],
    differences: [
      "Function symbols behind an address are those of the dump's own table; per-CPU variables have their names too.",
      "A function ends before the padding behind it; the place that ftrace patches is marked behind an endbr64 too.",
      "-l and -s need a vmlinux.",
      "JSON carries bytes, targets and operands of each instruction.",
    ],
    minimal: true,
    needsDisassembler: true,
  },
  run(session, args) {
    if (args.has("-s")) {
      throw new UnsupportedError(
        "-s: source text needs a vmlinux with debug information and the kernel's source; without them use plain dis",
      );
    }
    if (args.has("-b")) {
      const skip = skipOption(session, args);
      if (skip !== undefined) return { lines: [], notes: [], skip };
    }
    const operands =
      args.has("-b") && args.operands.length > 1 && args.operands[0]?.match(/^\d+$/) ? args.operands.slice(1) : args.operands;
    const [what, countText] = operands;
    if (what === undefined || operands.length > 2) throw new UsageError("usage: dis [-rfludxs] address | symbol | (expression) [count]");
    if (args.has("-r") && args.has("-f")) throw new UsageError("dis: -r ends at the address and -f starts there: choose one");
    const count = countText === undefined ? undefined : parseCount(countText);
    if (count !== undefined && count < 1) throw new UsageError(`dis: the count must be at least 1, not ${count}`);
    const radix = args.has("-x") ? 16 : args.has("-d") ? 10 : undefined;
    const notes = args.has("-l") ? ["source lines need a vmlinux with debug information (dis -l)"] : [];
    const { kernel } = session;
    const address = parseAddress(kernel, what);
    const name = kernel.symbols.byName(what) === undefined ? undefined : what;
    if (name !== undefined) notes.push(...otherFunctions(kernel, name, address));
    const decoded = choose(session, args, { address, isSymbol: name !== undefined, count });
    const labeller = symbolLabeller(kernel);
    const label = (at: bigint) => labeller(at, false);
    const skip = skips.get(session) ?? 0;
    const lines = lazy(() => describe(kernel, label, args.has("-u"), explainedFaults(kernel, decoded), skip));
    return { lines, notes, ...(radix === undefined ? {} : { radix }) };
  },
  *text({ lines, notes, radix, skip }, layout) {
    if (skip !== undefined) {
      yield `encoded bytes being skipped after ud2a: ${skip}`;
      return;
    }
    for (const note of notes) yield `(${note})`;
    for (const line of lines) yield disLine(line, radix ?? layout.radix);
  },
});

interface Place {
  readonly address: VirtualAddress;
  readonly isSymbol: boolean;
  readonly count: number | undefined;
}

/** The instructions that the operands and options select. */
function choose(session: Session, args: ParsedArguments, { address, isSymbol, count }: Place): () => Iterable<Decoded> {
  const { kernel } = session;
  if (args.has("-u")) {
    const memory = contextUserSpace(session);
    return () => take(instructionsFrom(kernel, memory, address), count ?? 1);
  }
  const memory: Memory = kernel.memory;
  const at = kernel.arch.stripPointer(address);
  const whole = count === undefined && (isSymbol || kernel.symbols.byAddress(at)?.offset === 0);
  const range = args.has("-r") || args.has("-f") || whole ? functionAt(kernel, at) : undefined;
  if (range !== undefined && args.has("-r")) return () => upTo(kernel, memory, range, at, count);
  if (range !== undefined) {
    const start = args.has("-f") ? at : range.start;
    return () => take(withoutPadding(instructionsFrom(kernel, memory, start, range.end)), count);
  }
  return () => take(instructionsFrom(kernel, memory, at), count ?? 1);
}

/**
 * The symbol table has no lengths: a function seems to reach to the next one. What follows a function's last jump, return or call of what does
 * not return is padding when it is nothing but no-operations up to the end.
 */
function* withoutPadding(from: Iterable<Decoded>): Generator<Decoded, void, undefined> {
  let ended = false;
  let held: Decoded[] = [];
  for (const item of from) {
    const { flow, mnemonic } = item.instruction;
    if (ended && /nop/.test(mnemonic)) {
      held.push(item);
      continue;
    }
    yield* held;
    held = [];
    yield item;
    ended = flow !== "next" && flow !== "conditional" && flow !== "system";
  }
}

function* take(from: Iterable<Decoded>, count: number | undefined): Generator<Decoded, void, undefined> {
  if (count === 0) return;
  let left = count ?? Number.POSITIVE_INFINITY;
  for (const item of from) {
    yield item;
    if (--left <= 0) return;
  }
}

/** From the function's start to the instruction that holds the address; of those the last `count`. */
function* upTo(
  kernel: Kernel,
  memory: Memory,
  range: FunctionRange,
  address: VirtualAddress,
  count: number | undefined,
): Generator<Decoded, void, undefined> {
  const kept: Decoded[] = [];
  for (const item of instructionsFrom(kernel, memory, range.start)) {
    if (item.instruction.address > address) break;
    if (count === undefined) yield item;
    else {
      kept.push(item);
      if (kept.length > count) kept.shift();
    }
  }
  yield* kept;
}

function* explainedFaults(kernel: Kernel, decoded: () => Iterable<Decoded>): Generator<Decoded, void, undefined> {
  const iterator = decoded()[Symbol.iterator]();
  for (;;) {
    const next = explained(kernel, () => iterator.next());
    if (next.done === true) return;
    yield next.value;
  }
}

function* describe(
  kernel: Kernel,
  label: (address: bigint) => SymbolLabel | undefined,
  user: boolean,
  decoded: Iterable<Decoded>,
  skip: number,
): Generator<DisLine, void, undefined> {
  let skipTo: bigint | undefined;
  for (const { instruction, bytes } of decoded) {
    if (skipTo !== undefined && instruction.address < skipTo) continue;
    if (skip > 0 && instruction.mnemonic === "ud2") skipTo = instruction.address + BigInt(instruction.size + skip);
    const labelled = (address: bigint): LabelledAddress => {
      const symbol = user ? undefined : label(address);
      return symbol === undefined ? { address } : { address, symbol };
    };
    const patched =
      !user && instruction.flow === "next" && /nop|xchg/.test(instruction.mnemonic) && isFtraceSite(kernel, instruction.address);
    yield {
      ...labelled(instruction.address),
      bytes: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      mnemonic: instruction.mnemonic,
      operands: instruction.operands + (instruction.target === undefined ? "" : `0x${instruction.target.toString(16)}`),
      separator: instruction.separator,
      ...(instruction.target === undefined ? {} : { target: labelled(instruction.target) }),
      ...(instruction.reference === undefined
        ? {}
        : { reference: perCpuReference(kernel, instruction) ?? labelled(instruction.reference) }),
      ...(instruction.note === undefined ? {} : { comment: instruction.note }),
      ...(patched ? { note: "FTRACE NOP" } : {}),
    };
  }
}

/** `%gs:offset(%rip)` reaches the CPU's own copy of a per-CPU variable (x86-64): the offset is what the symbol table holds. */
function perCpuReference(kernel: Kernel, { operands, reference }: Instruction): LabelledAddress | undefined {
  if (reference === undefined || !operands.includes("%gs:")) return undefined;
  // byAddress() gives no names to small numbers, which these are on kernels before 6.15.
  const symbol = kernel.symbols.neighbours(add(reference, 1)).previous;
  if (symbol === undefined || !isPerCpu(kernel, symbol)) return undefined;
  return { address: reference, symbol: { name: symbol.name, offset: distance(reference, symbol.address) } };
}

/** One line as crash shows it. */
export function disLine(line: DisLine, radix: 10 | 16): string {
  let text = `${line.symbol === undefined ? "   " : ""}${labelText(line, radix)}:\t${line.mnemonic}`;
  if (line.operands !== "") text += line.separator + line.operands;
  if (line.target?.symbol !== undefined) text += ` ${symbolText(line.target.symbol, radix)}`;
  if (line.reference !== undefined) text += `        # ${labelText(line.reference, radix)}`;
  return `${text}${line.comment ?? ""}${line.note === undefined ? "" : ` [${line.note}]`}`;
}

/** `0xffffffff81000000 <symbol+16>` */
export function labelText({ address, symbol }: LabelledAddress, radix: 10 | 16): string {
  return `0x${address.toString(16)}${symbol === undefined ? "" : ` ${symbolText(symbol, radix)}`}`;
}

function symbolText({ name, offset }: SymbolLabel, radix: 10 | 16): string {
  return `<${name}${offset === 0 ? "" : radix === 16 ? `+0x${offset.toString(16)}` : `+${offset}`}>`;
}

/** Static functions may share a name: says where the others are. */
function otherFunctions(kernel: Kernel, name: string, chosen: VirtualAddress): string[] {
  const others = kernel.symbols.allByName(name).filter(({ address }) => address !== chosen);
  if (others.length === 0) return [];
  const list = others.slice(0, 8).map(({ address, module }) => `${address.toString(16)}${module === undefined ? "" : ` [${module}]`}`);
  return [
    `${others.length + 1} symbols are called ${name}; this is the first, the others are at ${list.join(", ")}${others.length > 8 ? ", …" : ""}`,
  ];
}

/** Handles -b; undefined when there is something to disassemble too. */
function skipOption(session: Session, args: ParsedArguments): number | undefined {
  const [first, second] = args.operands;
  if (first !== undefined && /^\d+$/.test(first)) {
    const bytes = parseCount(first);
    if (bytes > 64) throw new UsageError(`dis: -b ${bytes}: at most 64 bytes can follow a ud2`);
    skips.set(session, bytes);
  }
  return second === undefined && (first === undefined || /^\d+$/.test(first)) ? (skips.get(session) ?? 0) : undefined;
}
