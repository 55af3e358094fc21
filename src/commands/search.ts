/** `search`: values, symbols and texts in memory, all in one pass. */
import { virtual } from "../bytes/address.ts";
import { type FaultReason, InquestError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { SearchPattern } from "../bytes/search-pattern.ts";
import { memorySearch, type Unread } from "../linux/memory-search.ts";
import { clipped, kernelRanges, physicalRanges, type SearchRange, userRanges } from "../linux/search-ranges.ts";
import { activeTasks, taskAt, taskTable } from "../linux/task.ts";
import { taskStack } from "../stack/task-stack.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { dressed, hitLines, type SearchHit, type Wanted } from "./search/hit.ts";
import { lazy } from "./support/lazy.ts";
import { parseAddress, parseCount, parseHex } from "./support/numbers.ts";
import { contextUserSpace, physicalSpace } from "./support/spaces.ts";
import { type TaskHeader, taskHeader } from "./support/task-header.ts";

/** What `search` answers; hits are found while they are walked. */
export interface SearchResult {
  readonly space: "kernel" | "user" | "physical" | "stacks";
  readonly bits: 16 | 32 | 64;
  /** Found while they are walked. */
  readonly hits?: Iterable<SearchHit>;
  /** -t, -T: by task; tasks without hits are left out. */
  readonly stacks?: Iterable<{ readonly task: TaskHeader; readonly hits: readonly SearchHit[] }>;
  /** What was not searched, known when the hits are through. */
  readonly notes: Iterable<string>;
  /** Notes before the search. */
  readonly remarks: readonly string[];
}

const MAX_CONTEXT = 512;
const MAX_VALUES = 1000;
const PAGE = 4096n;

const SYNOPSIS =
  "[-s start] [-k | -K | -V | -u | -p | -t | -T] [-e end | -l length] [-m mask] [-x count] [-c | -w | -h] value | (expression) | symbol | string …";

export const search = defineCommand<SearchResult>({
  spec: {
    name: "search",
    summary: "search memory for values or text",
    synopsis: [SYNOPSIS],
    description: [
      "Finds every place in memory that holds one of the values: hexadecimal numbers, symbols (their addresses), expressions in parentheses; with -c texts. All of them are looked for in one pass, and what is found is shown while the search goes on.",
      "The kernel's memory is searched unless another space is chosen: the linear map, vmalloc areas and modules, the page structures, and the kernel image. Words lie at multiples of their size; texts anywhere, also across the border of two pages.",
      "Pages that are not in the dump are skipped; a last line says how many.",
    ],
    options: [
      { flag: "-s", argument: "start", help: "from this address on: a number, a symbol or an expression" },
      { flag: "-e", argument: "end", help: "up to this address" },
      { flag: "-l", argument: "length", help: "this many bytes (decimal, or hexadecimal with 0x)" },
      { flag: "-k", help: "kernel memory (the default)" },
      { flag: "-K", help: "kernel memory without vmalloc areas, modules and page structures" },
      { flag: "-V", help: "kernel memory without the linear map and the kernel image" },
      { flag: "-u", help: "user memory of the context task" },
      { flag: "-p", help: "physical memory" },
      { flag: "-t", help: "the kernel stacks of all tasks" },
      { flag: "-T", help: "the kernel stacks of the running tasks" },
      { flag: "-m", argument: "mask", help: "bits that are set in the mask may differ" },
      { flag: "-x", argument: "count", help: "show this many words before and behind" },
      { flag: "-c", help: "search for texts" },
      { flag: "-w", help: "words of 32 bits" },
      { flag: "-h", help: "words of 16 bits" },
    ],
    operands: ["symbol", "number", "text"],
    examples: [
      ["search -t ffff888003a4c000", "whose stacks hold this address"],
      ["search -m ff ffff888003a4c000", "pointers into the 256 bytes there"],
      ["search -c BUG: 'Kernel panic'", "two texts"],
      ["search -p (init_task+8)", "in physical memory"],
    ],
    differences: [
      "The kernel image is searched where the page tables map it; crash also shows the memory around it, at addresses that nothing maps, so that each hit below the image appears twice.",
      "A text is found across the border of two pages.",
      "Texts with blanks are put in quotes; all of crash's other words mean the same.",
    ],
  },
  run: runSearch,
  *text({ hits, stacks, notes, remarks, bits }) {
    for (const remark of remarks) yield `search: ${remark}`;
    for (const hit of hits ?? []) yield* hitLines(hit, bits);
    let first = true;
    for (const { task, hits: found } of stacks ?? []) {
      if (!first) yield "";
      first = false;
      yield taskHeader(task);
      for (const hit of found) yield* hitLines(hit, bits);
    }
    for (const note of notes) yield `search: ${note}`;
  },
});

function runSearch(session: Session, args: ParsedArguments): SearchResult {
  const { kernel } = session;
  const bits = args.has("-h") ? 16 : args.has("-w") ? 32 : 64;
  const wanted = args.has("-c") ? wantedTexts(args) : wantedWords(session, args, bits);
  const context = contextCount(args);
  const space = chosenSpace(args);
  const notes: string[] = [];
  const remarks: string[] = [];
  if (args.has("-c") && args.has("-m")) remarks.push("-m is for words: it changes nothing here");
  const size = args.has("-c") ? 1 : bits / 8;
  const start = bound(session, args, "-s", space);
  const rounded = start === undefined ? undefined : start - (start % BigInt(size));
  if (rounded !== start && rounded !== undefined) remarks.push(`rounding down start address to: ${rounded.toString(16)}`);
  const end = endOf(session, args, space, rounded);
  const memory = space === "physical" ? physicalSpace(kernel) : space === "user" ? contextUserSpace(session) : kernel.memory;
  const dress = (address: bigint) => dressed(memory, address, wanted, bits, context);
  const unread: Unread = { physical: new Map(), virtual: new Map() };
  const told = lazy(() => [...notes, ...unreadNotes(session, unread)][Symbol.iterator]());
  if (space === "stacks") {
    if (["-s", "-e", "-l"].some((flag) => args.has(flag))) throw new UsageError("search: -t and -T search whole stacks: no -s, -e or -l");
    return { space, bits, remarks, stacks: lazy(() => stackHits(session, args.has("-T"), wanted.pattern, unread, dress)), notes: told };
  }
  const ranges = clipped(rangesOf(session, args, space, notes), rounded, end);
  if (ranges.length === 0 && (start !== undefined || end !== undefined))
    throw new UsageError(
      `search: no ${space} memory of this dump lies ${start === undefined ? "" : `from ${start.toString(16)} on`}${end === undefined ? "" : ` before ${end.toString(16)}`}`,
    );
  const { progress } = session;
  const options = {
    files: session.files.dump,
    ...(progress === undefined ? {} : { progress: (done: number, total: number) => progress("searching memory", done, total) }),
  };
  function* found(): Generator<SearchHit> {
    unread.physical.clear();
    unread.virtual.clear();
    for (const address of memorySearch(kernel, ranges, wanted.pattern, unread, options)) yield dress(address);
  }
  return { space, bits, remarks, hits: lazy(found), notes: told };
}

function wantedTexts({ operands }: ParsedArguments): Wanted {
  if (operands.length === 0 || operands.some((text) => text === "")) throw new UsageError(`usage: search ${SYNOPSIS}`);
  const texts = operands.map((text) => new TextEncoder().encode(text));
  if (texts.some(({ length }) => length > Number(PAGE))) throw new UsageError("search: a text has at most 4096 bytes");
  return { pattern: { kind: "texts", texts }, names: [] };
}

function wantedWords({ kernel }: Session, args: ParsedArguments, bits: 16 | 32 | 64): Wanted {
  const { operands } = args;
  if (operands.length === 0) throw new UsageError(`usage: search ${SYNOPSIS}`);
  if (operands.length > MAX_VALUES) throw new UsageError(`search: at most ${MAX_VALUES} values at once`);
  const masked = args.value("-m");
  const mask = masked === undefined ? 0n : parseHex(masked);
  const flag = bits === 16 ? "-h" : "-w";
  const values = operands.map((text) => {
    // What is written as a number is one, even where a symbol has that name.
    const value = /^(0x)?[0-9a-f]+$/i.test(text) ? parseHex(text) : parseAddress(kernel, text);
    if (bits < 64 && value >> BigInt(bits) !== 0n)
      throw new UsageError(`search: value too large for ${flag} option: ${value.toString(16)}`);
    return value;
  });
  if (bits < 64 && mask >> BigInt(bits) !== 0n) throw new UsageError(`search: mask too large for ${flag} option: ${mask.toString(16)}`);
  const names = operands.map((text) => (/^(0x)?[0-9a-f]+$/i.test(text) ? undefined : text));
  return { pattern: { kind: "words", bits, values, mask }, names };
}

function contextCount(args: ParsedArguments): number {
  const text = args.value("-x");
  if (text === undefined) return 0;
  if (args.has("-c")) throw new UsageError("search: -x option is not allowed with -c");
  const count = parseCount(text);
  if (count > MAX_CONTEXT) throw new UsageError(`search: context value ${count} is too large: maximum is ${MAX_CONTEXT}`);
  if (count < 0) throw new UsageError(`search: ${count} words of context cannot be shown`);
  return count;
}

function chosenSpace(args: ParsedArguments): SearchResult["space"] {
  const kernels = ["-k", "-K", "-V"].filter((flag) => args.has(flag));
  const others = ["-u", "-p", "-t", "-T"].filter((flag) => args.has(flag));
  const chosen = [...kernels, ...others];
  if (chosen.length > 1) throw new UsageError(`search: ${chosen.join(" and ")} exclude each other`);
  if (args.has("-u")) return "user";
  if (args.has("-p")) return "physical";
  return args.has("-t") || args.has("-T") ? "stacks" : "kernel";
}

function bound({ kernel }: Session, args: ParsedArguments, flag: string, space: SearchResult["space"]): bigint | undefined {
  const text = args.value(flag);
  if (text === undefined) return undefined;
  const address = parseAddress(kernel, text);
  if (space === "kernel" && !kernel.arch.isKernelAddress(address))
    throw new UsageError(`search: ${address.toString(16)} is no kernel address; -u searches user memory, -p physical memory`);
  if (space === "user" && kernel.arch.isKernelAddress(address)) throw new UsageError(`search: ${address.toString(16)} is no user address`);
  return address;
}

function endOf(session: Session, args: ParsedArguments, space: SearchResult["space"], start: bigint | undefined): bigint | undefined {
  const length = args.value("-l");
  const end = bound(session, args, "-e", space);
  if (length === undefined) return end;
  if (end !== undefined) throw new UsageError("search: -e and -l exclude each other");
  if (start === undefined) throw new UsageError("search: -l wants a start: -s");
  const bytes = parseCount(length);
  if (bytes < 1) throw new UsageError(`search: ${length} is no length`);
  return start + BigInt(bytes);
}

function rangesOf(session: Session, args: ParsedArguments, space: SearchResult["space"], notes: string[]): SearchRange[] {
  const { kernel } = session;
  if (space === "physical") return physicalRanges(kernel);
  if (space !== "user") return kernelRanges(kernel, args.has("-K") ? "without mapped" : args.has("-V") ? "without linear" : "all", notes);
  const task = taskAt(kernel, session.context);
  if (task.mm === 0n)
    throw new UnsupportedError(
      `search: the context task ${task.pid} (${task.comm}) is a kernel thread and has no user memory; set PID chooses one`,
    );
  return userRanges(kernel, task, notes);
}

function* stackHits(
  { kernel, progress }: Session,
  active: boolean,
  pattern: SearchPattern,
  unread: Unread,
  dress: (address: bigint) => SearchHit,
): Generator<{ task: TaskHeader; hits: SearchHit[] }> {
  const tasks = active ? activeTasks(kernel).map(({ task }) => task) : taskTable(kernel).tasks;
  for (const [i, task] of tasks.entries()) {
    if (i % 256 === 0) progress?.("searching stacks", i, tasks.length);
    let hits: SearchHit[];
    try {
      const { start, end } = taskStack(kernel, task.address);
      const range: SearchRange = { kind: "virtual", start: virtual(start), end, memory: kernel.memory };
      hits = [...memorySearch(kernel, [range], pattern, unread)].map(dress);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      continue;
    }
    if (hits.length > 0) yield { task: { pid: task.pid, address: task.address, cpu: task.cpu, comm: task.comm }, hits };
  }
}

const REASONS: Partial<Record<FaultReason, string>> = {
  excluded: "were left out of the dump",
  truncated: "lie behind the end of the dump file",
  corrupt: "cannot be decoded",
};

function* unreadNotes({ kernel }: Session, unread: Unread): Iterable<string> {
  const bytes = new Map<FaultReason, number>();
  for (const [pages, size] of [
    [unread.physical, kernel.dump.pageSize],
    [unread.virtual, Number(PAGE)],
  ] as const) {
    for (const [reason, count] of pages) bytes.set(reason, (bytes.get(reason) ?? 0) + count * size);
  }
  for (const [reason, count] of bytes) {
    const what = REASONS[reason];
    if (what !== undefined) yield `${(count / 1024).toLocaleString("en")} KiB ${what} and were not searched`;
  }
}
