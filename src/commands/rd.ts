/** `rd`: memory as words, text, symbols; or its bytes into a file. */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError, UsageError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import { rdApi } from "./api/memory.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type Command, defineCommand, type Session } from "./command.ts";
import { type TextRow, textRows } from "./rd/text-rows.ts";
import { type SavedBytes, savedBytes } from "./saved-bytes.ts";
import { addressTargets } from "./support/address-operand.ts";
import { type AnnotationDepth, wordAnnotator } from "./support/annotate-word.ts";
import { type AnnotatedWord, annotatedLine, annotatedWords } from "./support/annotated-words.ts";
import { lazy } from "./support/lazy.ts";
import { layOutRow, type MemoryGap, type MemoryRow, memoryRows, type WordBits } from "./support/memory-rows.ts";
import { parseAddress, parseCount, parseHex } from "./support/numbers.ts";
import { contextUserSpace, explained, fileSpace, noXen, physicalSpace } from "./support/spaces.ts";

export interface RdResult {
  readonly address: bigint;
  /** Width of a word in bits. */
  readonly bits: WordBits;
  readonly format: "hexadecimal" | "signed" | "unsigned" | "text";
  /** Text columns beside the words. */
  readonly ascii: boolean;
  /** Rows, read as they are walked; memory that cannot be read is a row with the reason. */
  readonly rows?: Iterable<MemoryRow | MemoryGap>;
  /** --annotate: words with what they are. */
  readonly notes?: Iterable<AnnotatedWord | MemoryGap>;
  /** -a: pieces of text. */
  readonly text?: Iterable<TextRow | MemoryGap>;
  /** -r: bytes that the face writes to the file; nothing below a face touches files. JSON shows how many. */
  readonly save?: SavedBytes;
}

/** Words of one command; rows are read only when they are printed. */
const MAX_WORDS = 1 << 30;
/** Bytes that -r takes: what a Uint8Array of every engine holds. */
const MAX_SAVED = 1 << 30;

const SYNOPSIS = "[-adDsSupxmfNR] [-SS | --annotate] [-8 | -16 | -32 | -64] [-o offs] [-e addr] [-r file] [address | symbol] [count]";

export const rd: Command<RdResult> = defineCommand<RdResult>({
  spec: {
    name: "rd",
    summary: "read memory",
    synopsis: [SYNOPSIS],
    description: [
      "Shows memory as words of 64 bits in hexadecimal with the bytes as text beside them, or as the options say. The address is hexadecimal, a symbol, symbol+offset or (expression); a per-CPU symbol takes :cpu. The count is decimal and counts words (bytes with -r); 1 when not given.",
    ],
    options: [
      { flag: "-p", help: "the address is physical" },
      { flag: "-u", help: "the address is a user address of the context task (as any address below the kernel half is)" },
      { flag: "-m", help: "the address is a Xen machine address (not supported)" },
      { flag: "-f", help: "the address is an offset in the dump file (ELF dumps only)" },
      { flag: "-d", help: "signed decimal" },
      { flag: "-D", help: "unsigned decimal" },
      { flag: "-s", help: "symbols instead of words that point into them" },
      { flag: "-S", help: "like -s, and the slab cache of words that point to slab objects; twice: with the word" },
      { flag: "-SS", help: "-S twice" },
      {
        flag: "--annotate",
        help: "one word a line, with what it is: symbol, slab object and its state, task, page; on a stack also return addresses and saved registers",
      },
      { flag: "-x", help: "no text beside the words" },
      { flag: "-8", help: "words of 8 bits" },
      { flag: "-16", help: "words of 16 bits" },
      { flag: "-32", help: "words of 32 bits" },
      { flag: "-64", help: "words of 64 bits" },
      { flag: "-a", help: "text; without a count up to the first byte that is not printable" },
      { flag: "-N", help: "network byte order (16 and 32 bits)" },
      { flag: "-R", help: "count words that end with the one at the address" },
      { flag: "-o", argument: "offs", help: "offset added to the address: decimal, or hexadecimal with 0x" },
      { flag: "-e", argument: "addr", help: "up to this address" },
      { flag: "-r", argument: "file", help: "write the bytes to a file" },
    ],
    operands: ["symbol", "number"],
    examples: [
      ["rd init_task 8", "eight words"],
      ["rd -a linux_banner", "text"],
      ["rd -SS ffff888003a4c000 32", "what a stack or object points to"],
      ["rd --annotate ffff888003a4c000 32", "and everything else that the words can be"],
      ["rd -8 -x jiffies 8", "bytes"],
      ["rd -p 1000 4", "physical memory"],
    ],
    differences: [
      "Memory that cannot be read in the middle is shown with its reason, and the rest follows; crash stops there.",
      "-N shows 32-bit words unless -16 is given; crash then shows 64-bit words and does not swap them.",
      "An expression in parentheses may stand for the address.",
      "With -N the text column keeps the order of memory.",
      "8- and 16-bit words are signed with -d, as in the other widths.",
      "-S given twice and -SS are the same.",
    ],
    minimal: true,
  },
  run: runRd,
  api(session, args) {
    const { address, bits } = runRd(session, args);
    const [typed = "", word] = args.operands;
    const unit = args.has("-r") ? 1 : bits / 8;
    const count = chosenCount(args, word, virtual(address), unit, session.kernel) ?? 1;
    return rdApi(session, args, { typed, address, bits, count, flags: rd.spec.options.map(({ flag }) => flag) });
  },
  *text({ rows, notes, text, save, address, bits, format, ascii }) {
    if (save !== undefined) yield `${save.length} bytes copied from 0x${address.toString(16)} to ${save.file}`;
    for (const row of text ?? [])
      yield "text" in row
        ? `${row.address.toString(16).padStart(16)}:  ${row.text}`
        : layOutRow(row, { bits, format: "hexadecimal", ascii });
    for (const word of notes ?? []) yield "value" in word ? annotatedLine(word) : layOutRow(word, { bits, format: "hexadecimal", ascii });
    if (format === "text") return;
    for (const row of rows ?? []) yield layOutRow(row, { bits, format, ascii });
  },
});

function runRd(session: Session, args: ParsedArguments): RdResult {
  const { kernel } = session;
  const [where, countWord, ...more] = args.operands;
  if (where === undefined || more.length > 0) throw new UsageError(`usage: rd ${SYNOPSIS}`);
  const chosen = chosenMemory(session, args);
  const bits = chosenBits(args);
  const size = bits / 8;
  const offset = args.has("-o") ? parseCount(args.value("-o") as string) : 0;
  let start = add(startAddress(session, where, args), offset);
  const memory = chosen ?? memoryOf(session, start);
  const file = args.value("-r");
  const unit = file === undefined ? size : 1;
  const count = chosenCount(args, countWord, start, unit, kernel);
  if (args.has("-R")) {
    if (count === undefined || count < 2) throw new UsageError("-R wants a count above 1");
    start = add(start, -(count - 1) * size);
  }
  if (start + BigInt((count ?? 1) * unit) > 1n << 64n) throw new UsageError("the range runs past the end of the address space");
  const head = { address: start, bits };
  if (file !== undefined) {
    if (count === undefined) throw new UsageError("-r wants the number of bytes: a count, or an end with -e");
    return {
      ...head,
      format: "hexadecimal",
      ascii: false,
      save: savedBytes(
        file,
        explained(kernel, () => bytesOf(memory, start, count)),
      ),
    };
  }
  if (args.has("-a")) return { ...head, format: "text", ascii: false, text: lazy(() => textRows(memory, start, count)) };

  const format = args.has("-D") ? "unsigned" : args.has("-d") ? "signed" : "hexadecimal";
  const depth = annotationDepth(args);
  if (args.has("--annotate")) {
    if (bits !== 64) throw new UsageError("--annotate wants words of 64 bits");
    return { ...head, format: "hexadecimal", ascii: false, notes: lazy(() => annotatedWords(session, memory, start, count ?? 1)) };
  }
  if (depth !== undefined && bits !== 64) throw new UsageError("-s and -S want words of 64 bits");
  const words = count ?? 1;
  // Nothing at all to show is an error; a range with holes is shown with them.
  const [first] = memoryRows(memory, start, bits, words);
  if (first !== undefined && !("words" in first) && first.bytes >= words * size) explained(kernel, () => memory.bytes(start, size));
  return {
    ...head,
    format,
    ascii: format === "hexadecimal" && depth === undefined && !args.has("-x"),
    rows: lazy(() => dressedRows(session, memoryRows(memory, start, bits, words), bits, args.has("-N"), depth)),
  };
}

function chosenMemory(session: Session, args: ParsedArguments): Memory | undefined {
  if (args.has("-m")) throw noXen();
  const chosen = ["-p", "-u", "-f"].filter((flag) => args.has(flag));
  if (chosen.length > 1) throw new UsageError(`${chosen.join(" and ")} exclude each other`);
  switch (chosen[0]) {
    case "-p":
      return physicalSpace(session.kernel);
    case "-u":
      return contextUserSpace(session);
    case "-f":
      return fileSpace(session.kernel);
    default:
      return undefined;
  }
}

/** Kernel memory; for an address below the kernel half the context process's, if it has any. */
function memoryOf(session: Session, start: VirtualAddress): Memory {
  const { kernel } = session;
  if (kernel.arch.isKernelAddress(start)) return kernel.memory;
  try {
    return contextUserSpace(session);
  } catch (error) {
    if (error instanceof InquestError) return kernel.memory;
    throw error;
  }
}

function startAddress(session: Session, where: string, args: ParsedArguments): VirtualAddress {
  if (args.has("-p") || args.has("-u") || args.has("-f")) return virtual(parseHex(where));
  const targets = addressTargets(session, where);
  const [only, second] = targets;
  if (only === undefined || second !== undefined) throw new UsageError(`${where}: rd reads one place; name one CPU`);
  return only.address;
}

function chosenBits(args: ParsedArguments): WordBits {
  const chosen = ([8, 16, 32, 64] as const).filter((bits) => args.has(`-${bits}`));
  if (chosen.length > 1) throw new UsageError(`-${chosen.join(" and -")} exclude each other`);
  const bits = chosen[0] ?? 64;
  if (args.has("-N") && chosen.length > 0 && bits !== 16 && bits !== 32) throw new UsageError("-N is for words of 16 and 32 bits");
  return args.has("-N") && chosen.length === 0 ? 32 : bits;
}

function chosenCount(
  args: ParsedArguments,
  word: string | undefined,
  start: VirtualAddress,
  unit: number,
  kernel: Session["kernel"],
): number | undefined {
  const limit = args.has("-r") ? MAX_SAVED : MAX_WORDS;
  let count = word === undefined ? undefined : parseCount(word);
  const end = args.value("-e");
  if (end !== undefined) {
    const last = parseAddress(kernel, end);
    if (last <= start) throw new UsageError(`the end ${end} is not behind the start ${start.toString(16)}`);
    const upTo = Math.ceil(Number(last - start) / unit);
    count = count === undefined ? upTo : Math.min(count, upTo);
  }
  if (count !== undefined && (count < 1 || count > limit))
    throw new UsageError(`${count} is no number of ${unit === 1 ? "bytes" : "words"} (1 to ${limit})`);
  return count;
}

function annotationDepth(args: ParsedArguments): AnnotationDepth | undefined {
  if (args.has("-SS") || args.count("-S") > 1) return "slabs with addresses";
  if (args.has("-S")) return "slabs";
  return args.has("-s") ? "symbols" : undefined;
}

function* dressedRows(
  session: Session,
  rows: Iterable<MemoryRow | MemoryGap>,
  bits: WordBits,
  network: boolean,
  depth: AnnotationDepth | undefined,
): Generator<MemoryRow | MemoryGap> {
  const name = depth === undefined ? undefined : wordAnnotator(session.kernel, depth);
  for (const row of rows) {
    if (!("words" in row)) yield row;
    else if (name !== undefined) yield { ...row, names: row.words.map((word) => name(word) ?? null) };
    else yield network ? { ...row, words: row.words.map((word) => swapped(word, bits)) } : row;
  }
}

function swapped(word: bigint, bits: number): bigint {
  let value = 0n;
  for (let shift = 0; shift < bits; shift += 8) value = (value << 8n) | ((word >> BigInt(shift)) & 0xffn);
  return value;
}

function bytesOf(memory: Memory, start: VirtualAddress, count: number): Uint8Array {
  // Asks for the ends before allocating: a mistyped count must not cost a gigabyte.
  memory.u8(start);
  memory.u8(add(start, count - 1));
  return memory.bytes(start, count);
}
