/**
 * `x`: gdb's memory dump. A format holds from line to line, and without an address the dump goes on where the last one ended.
 *
 *   x/8xg &init_task     x/s linux_banner     x/3i schedule     x
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, UsageError } from "../bytes/errors.ts";
import { declare } from "../debug-info/c-format-type.ts";
import { type CType, type IntType, strip } from "../debug-info/c-type.ts";
import { Value } from "../kernel/value.ts";
import { xApi } from "./api/memory.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import type { DisLine } from "./dis/lines.ts";
import type { DisResult } from "./dis.ts";
import { quoteString } from "./support/escape-byte.ts";
import { currentFrame } from "./support/frame-context.ts";
import { lazy } from "./support/lazy.ts";
import { convenienceVariables, evaluateIn } from "./support/session-scope.ts";
import { explainFault } from "./support/spaces.ts";
import { symbolLabeller } from "./support/symbol-label.ts";
import { type FormatLetter, formatScalar, parseFormat, splitFormat, UNIT_BYTES, type UnitLetter } from "./support/value-format.ts";
import type { SymbolLabel } from "./support/value-node.ts";

export interface ExaminedLine {
  readonly address: bigint;
  readonly symbol?: SymbolLabel;
  /** The words, or one string or instruction; as text. */
  readonly values: readonly string[];
  /** Instructions: the current frame is about to run it. */
  readonly current?: boolean;
}

export interface ExamineResult {
  readonly letter: FormatLetter;
  /** Bytes of a word. */
  readonly size: number;
  /** Read as they are walked; a fault ends them. */
  readonly lines: Iterable<ExaminedLine>;
}

/** What x remembers in a session: gdb's defaults, and where the next dump starts. */
interface Memory {
  letter: FormatLetter;
  unit: UnitLetter;
  next: VirtualAddress | undefined;
}

const memories = new WeakMap<Session, Memory>();
/** More than anyone reads; each line is read only when it is printed. */
const MAX_COUNT = 1 << 24;
const MAX_STRING = 1 << 16;

export const x = defineCommand<ExamineResult>({
  spec: {
    name: "x",
    summary: "memory in gdb's formats",
    synopsis: ["[/[count][format][unit]] [expression]"],
    description: [
      "Shows memory from the address that the C expression gives (an array or a function stands for its address). Formats: x hexadecimal, d signed, u unsigned, o octal, t binary, z hexadecimal, a address with its symbol, c character, f floating point, s string, i instruction. Units: b 1, h 2, w 4, g 8 bytes.",
      "Format and unit are those of the last x where they are not given. Without an expression it goes on where the last one ended; a negative count shows what lies before. Afterwards $_ is the last address and $__ what lies there.",
    ],
    options: [],
    operands: ["symbol"],
    examples: [
      ["x/8xg &init_task", "eight giant words"],
      ["x/s saved_command_line", "a string"],
      ["x/3i schedule", "three instructions"],
      ["x/4a $sp", "the top of the current frame's stack, words with their symbols"],
      ["x", "the next"],
    ],
    differences: ["A structure stands for its address, where gdb refuses it; an address may be pasted without 0x."],
    rawLine: true,
    formats: true,
    needsDisassembler: (line) => /^\/-?\d*\w*i/.test(line),
  },
  run: examine,
  api({ kernel }, { line }) {
    const { format = "", rest } = splitFormat(line);
    const { letter = "x", unit, count = 1 } = parseFormat(format);
    return xApi(kernel, { text: rest, letter, size: UNIT_BYTES[unit ?? defaultUnit(letter, "w")], count });
  },
  *text({ lines }) {
    for (const { address, symbol, values, current } of lines) {
      const label = symbol === undefined ? "" : ` <${symbol.name}${symbol.offset === 0 ? "" : `+${symbol.offset}`}>`;
      const mark = current === undefined ? "" : current ? "=> " : "   ";
      yield `${mark}0x${address.toString(16)}${label}:\t${values.join("\t")}`;
    }
  },
});

function examine(session: Session, { line }: ParsedArguments): ExamineResult {
  const memory = memories.get(session) ?? { letter: "x", unit: "w", next: undefined };
  memories.set(session, memory);
  const { format = "", rest } = splitFormat(line);
  const wanted = parseFormat(format);
  const letter = wanted.letter ?? memory.letter;
  const unit = wanted.unit ?? defaultUnit(wanted.letter, memory.unit);
  const count = wanted.count ?? 1;
  if (Math.abs(count) > MAX_COUNT) throw new UsageError(`${count} is no number of units`);
  const start = rest === "" ? memory.next : addressOf(session, rest);
  if (start === undefined) throw new UsageError("an address is missing; there is no earlier x to go on from");
  if (count < 0 && (letter === "s" || letter === "i"))
    throw new UsageError(`"/${format}": strings and instructions have no length to count back by`);
  memory.letter = letter;
  memory.unit = letter === "s" ? "b" : unit;
  const size = UNIT_BYTES[unit];
  const from = count < 0 ? add(start, count * size) : start;
  const report = (type: CType, last: VirtualAddress, next: VirtualAddress) => remember(session, memory, type, last, next);
  const total = Math.abs(count);
  const lines =
    letter === "s"
      ? () => strings(session, from, total, report)
      : letter === "i"
        ? () => instructions(session, from, total, report)
        : () => words(session, from, total, letter, size, report);
  return { letter, size, lines: lazy(lines) };
}

/** gdb: an address is a giant word, a character a byte, a floating-point number a word or a giant. */
function defaultUnit(letter: FormatLetter | undefined, last: UnitLetter): UnitLetter {
  if (letter === "a") return "g";
  if (letter === "c") return "b";
  if (letter === "f") return last === "w" ? "w" : "g";
  return last;
}

function addressOf(session: Session, text: string): VirtualAddress {
  const value = evaluateIn(session, text);
  const { kind } = strip(value.type);
  if (kind === "int" || kind === "enum" || kind === "pointer") return virtual(value.bigint());
  if (value.address !== undefined) return value.address;
  throw new UsageError(`"${text}" is no address: it is ${declare(value.type)}`);
}

type Report = (type: CType, last: VirtualAddress, next: VirtualAddress) => void;

/** `$_` is the last address examined, `$__` what lies there. */
function remember(session: Session, memory: Memory, type: CType, last: VirtualAddress, next: VirtualAddress): void {
  memory.next = next;
  const variables = convenienceVariables(session);
  const { kernel } = session;
  variables.set("$_", new Value(kernel.memory, { kind: "pointer", size: 8, target: type }, { immediate: last }));
  variables.set("$__", new Value(kernel.memory, type, last));
}

/** gdb's types of what x shows: signed in any format. */
function wordType(size: number): IntType {
  return { kind: "int", name: `int${size * 8}_t`, size, signed: true, encoding: "int" };
}

function* words(
  session: Session,
  start: VirtualAddress,
  count: number,
  letter: FormatLetter,
  size: number,
  report: Report,
): Generator<ExaminedLine> {
  const { kernel } = session;
  const label = symbolLabeller(kernel);
  const perLine = size === 8 ? 2 : size === 4 ? 4 : 8;
  const type = wordType(size);
  let address = start;
  for (let left = count; left > 0; ) {
    const values: string[] = [];
    const first = address;
    let fault: FaultError | undefined;
    while (values.length < Math.min(perLine, left)) {
      try {
        const value = new Value(kernel.memory, type, address).bigint();
        const scalar = { value, size, signed: true, isFloat: false, padded: true, label: (at: bigint) => label(at, false) };
        values.push(formatScalar(letter, scalar) ?? String(value));
      } catch (error) {
        if (!(error instanceof FaultError)) throw error;
        fault = error;
        break;
      }
      report(type, address, add(address, size));
      address = add(address, size);
    }
    if (values.length > 0) yield labelled(session, first, values);
    if (fault !== undefined) throw explainFault(kernel, fault);
    left -= values.length;
  }
}

function labelled(session: Session, address: VirtualAddress, values: readonly string[]): ExaminedLine {
  const symbol = symbolLabeller(session.kernel)(address, false);
  return { address, ...(symbol === undefined ? {} : { symbol }), values };
}

function* strings(session: Session, start: VirtualAddress, count: number, report: Report): Generator<ExaminedLine> {
  const { kernel, settings } = session;
  const limit = Math.min(settings.printMax, MAX_STRING);
  let address = start;
  for (let i = 0; i < count; i++) {
    const bytes: number[] = [];
    let ended = false;
    try {
      while (!ended && bytes.length < limit) {
        const byte = kernel.memory.u8(add(address, bytes.length));
        if (byte === 0) ended = true;
        else bytes.push(byte);
      }
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      if (bytes.length === 0) throw explainFault(kernel, error);
    }
    const next = add(address, bytes.length + (ended ? 1 : 0));
    report(wordType(1), address, next);
    const text = String.fromCharCode(...bytes);
    yield labelled(session, address, [`${quoteString(text)}${ended ? "" : "..."}`]);
    address = next;
  }
}

/** `dis` decodes and names; x puts the lines into gdb's columns. */
function* instructions(session: Session, start: VirtualAddress, count: number, report: Report): Generator<ExaminedLine> {
  const outcome = session.execute(`dis ${start.toString(16)} ${count}`);
  const pc = currentPc(session);
  const { lines } = outcome.result as DisResult;
  const command = outcome.command;
  for (const line of lines) {
    const [text = ""] = command.text({ lines: [withoutNote(line)], notes: [] }, { radix: 10 });
    const size = line.bytes.length / 2;
    report(wordType(1), virtual(line.address), virtual(line.address + BigInt(size)));
    const symbol = line.symbol === undefined ? {} : { symbol: line.symbol };
    yield { address: line.address, ...symbol, values: [text.slice(text.indexOf("\t") + 1)], current: line.address === pc };
  }
}

/** crash's remark on ftrace is none of gdb's. */
function withoutNote({ note: _note, ...line }: DisLine): DisLine {
  return line;
}

function currentPc(session: Session): bigint | undefined {
  if (session.minimal === true) return undefined;
  try {
    return currentFrame(session).frame.pc;
  } catch {
    return undefined;
  }
}
