/** `dis`: instructions with their symbols, as gdb prints them and crash passes them on. */

import type { VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { disApi } from "./api/memory.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { type Details, type DisLine, describe, disLine, explainedFaults } from "./dis/lines.ts";
import { Annotator, type StandingFrame } from "./support/annotation.ts";
import { selectCode } from "./support/code-selection.ts";
import { currentFrame } from "./support/frame-context.ts";
import { lazy } from "./support/lazy.ts";
import { parseAddress, parseCount } from "./support/numbers.ts";
import { compilersPath } from "./support/source-path.ts";
import { type SourceLine, sourceText } from "./support/source-text.ts";
import { symbolLabeller } from "./support/symbol-label.ts";

/** -s: the place in the source, and the text there if it can be found. */
export interface DisSource {
  readonly address: bigint;
  readonly file: string;
  readonly line: number;
  readonly path?: string;
  readonly lines?: readonly SourceLine[];
  /** Why there is no text. */
  readonly missing?: string;
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
  /** With -s, instead of instructions. */
  readonly source?: DisSource;
}

/** Bytes behind ud2 that are data (`dis -b`); none on kernels since 2.6.20. */
const skips = new WeakMap<Session, number>();

export const dis = defineCommand<DisResult>({
  spec: {
    name: "dis",
    summary: "disassemble",
    synopsis: ["[-rfludxsa] address | symbol | (expression) [count]", "-b [bytes]"],
    description: [
      "Shows instructions as they lie in the dump's memory: with the kernel's own patches (alternatives, static calls, jump labels) applied. A symbol without a count, or the address a function starts at, shows the whole function; another address shows one instruction.",
      "x86-64 is in AT&T syntax; both machines are written as binutils and gdb write them.",
      "-a follows the values through the function, from its parameters' types over loads and calls, and says behind a semicolon what each memory operand touches, which symbol or string a constant is, and what a call's prototype is. The dump's own types are enough; a vmlinux adds names of variables and source lines. Where nothing is said, nothing is known for certain.",
    ],
    options: [
      { flag: "-r", help: "from the start of the function up to and with the address; with a count, the last ones of these" },
      { flag: "-f", help: "from the address to the end of the function; with a count, the first ones of these" },
      { flag: "-a", help: "annotate: members, variables, strings and prototypes beside the instructions" },
      { flag: "-l", help: "source file and line before the instructions that come from it: needs a vmlinux with debug information" },
      { flag: "-s", help: "source text instead of instructions, from set src; the count is of lines behind the place" },
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
      ["dis -a -r vfs_read+0x33", "the same with what the operands mean"],
    ],
    differences: [
      "Function symbols behind an address are those of the dump's own table; per-CPU variables have their names too.",
      "A function ends before the padding behind it; the place that ftrace patches is marked behind an endbr64 too.",
      "-a is not in crash.",
      "JSON carries bytes, targets and operands of each instruction.",
    ],
    minimal: true,
    needsDisassembler: true,
  },
  run(session, args) {
    if (args.has("-b")) {
      const skip = skipOption(session, args);
      if (skip !== undefined) return { lines: [], notes: [], skip };
    }
    const operands =
      args.has("-b") && args.operands.length > 1 && args.operands[0]?.match(/^\d+$/) ? args.operands.slice(1) : args.operands;
    const [what, countText] = operands;
    if (what === undefined || operands.length > 2) throw new UsageError("usage: dis [-rfludxsa] address | symbol | (expression) [count]");
    if (args.has("-r") && args.has("-f")) throw new UsageError("dis: -r ends at the address and -f starts there: choose one");
    const count = countText === undefined ? undefined : parseCount(countText);
    if (count !== undefined && count < 1) throw new UsageError(`dis: the count must be at least 1, not ${count}`);
    const radix = args.has("-x") ? 16 : args.has("-d") ? 10 : undefined;
    const { kernel } = session;
    const address = parseAddress(kernel, what);
    if (args.has("-s")) {
      if (args.has("-r") || args.has("-f") || args.has("-a"))
        throw new UsageError("dis: -s shows source text: it goes with none of -r, -f and -a");
      return { lines: [], notes: [], source: sourceAt(session, kernel.arch.stripPointer(address), count) };
    }
    const lined = args.has("-l") || args.has("-a");
    const notes = args.has("-l") && !kernel.debugInfo.present ? ["source lines need a vmlinux with debug information (dis -l)"] : [];
    const name = kernel.symbols.byName(what) === undefined ? undefined : what;
    if (name !== undefined) notes.push(...otherFunctions(kernel, name, address));
    const decoded = selectCode(session, args, { address, isSymbol: name !== undefined, count });
    const labeller = symbolLabeller(kernel);
    const label = (at: bigint) => labeller(at, false);
    const skip = skips.get(session) ?? 0;
    const annotator = args.has("-a") && !args.has("-u") ? new Annotator(kernel, label, standingFrames(session)) : undefined;
    const details: Details = { user: args.has("-u"), skip, lined: lined && kernel.debugInfo.present && !args.has("-u"), annotator };
    const lines = lazy(() => describe(kernel, label, details, explainedFaults(kernel, decoded)));
    return { lines, notes, ...(radix === undefined ? {} : { radix }) };
  },
  api: (_session, args) => disApi(args),
  *text({ lines, notes, radix, skip, source }, layout) {
    if (skip !== undefined) {
      yield `encoded bytes being skipped after ud2a: ${skip}`;
      return;
    }
    if (source !== undefined) {
      yield* sourceLines(source);
      return;
    }
    for (const note of notes) yield `(${note})`;
    let last: string | undefined;
    for (const line of lines) {
      const place = line.source === undefined ? undefined : `${line.source.file}: ${line.source.line}`;
      if (place !== undefined && place !== last) yield place;
      last = place ?? last;
      yield disLine(line, radix ?? layout.radix);
    }
  },
});

/** Throws LookupError, UnsupportedError where no source place is known. */
function sourceAt(session: Session, address: VirtualAddress, count: number | undefined): DisSource {
  const { kernel, settings } = session;
  if (!kernel.debugInfo.present)
    throw new UnsupportedError("-s: source text needs a vmlinux with debug information; without it use plain dis");
  const row = kernel.debugInfo.statement(address);
  if (row === undefined) throw new LookupError(`no source line is known for ${kernel.symbolize(address) ?? address.toString(16)}`);
  const file = compilersPath(kernel, row.file, address);
  return { address, file, line: row.line, ...sourceText(settings, row.file, file, row.line, count) };
}

/** crash's layout: where it is, then the text with a star at the line. */
function* sourceLines({ file, line, lines, missing }: DisSource): Generator<string, void, undefined> {
  yield `FILE: ${file}`;
  yield `LINE: ${line}`;
  yield "";
  if (lines === undefined) throw new LookupError(`the source is not available: ${missing}`);
  for (const each of lines) yield `${each.here ? "*" : " "} ${each.line}\t${each.text}`;
  yield "";
}

/** Frames of the context task that were interrupted: registers are known at their very instruction. */
function standingFrames(session: Session): readonly StandingFrame[] {
  if (session.minimal === true) return [];
  try {
    return currentFrame(session).stack.frames.filter(({ kind }) => kind === "interrupted");
  } catch (error) {
    // Without a task or its stack there is nothing to add.
    if (error instanceof InquestError) return [];
    throw error;
  }
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
