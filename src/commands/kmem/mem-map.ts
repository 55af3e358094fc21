/**
 * `kmem -p`: a line for every struct page, or for those of the addresses given; `kmem -m member,…`: chosen members of them.
 */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { UsageError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PageMap, pageFlagBits } from "../../linux/page.ts";
import { type PageRun, pageRuns } from "../../linux/page-scan.ts";
import type { ParsedArguments } from "../arguments.ts";
import type { Session } from "../command.ts";
import { lazy } from "../support/lazy.ts";
import { centre, noteLines } from "./columns.ts";
import { type MemberColumn, memberColumns, memberText, memberValue } from "./page-members.ts";
import { operandFrame } from "./page-operand.ts";
import { defineView } from "./view.ts";

/** A row of -p, or one that could not be had. */
export interface PageRow {
  readonly page: bigint;
  readonly physical: bigint;
  readonly mapping: bigint;
  readonly index: bigint;
  readonly count: number;
  readonly flags: bigint;
  readonly flagNames: readonly string[];
}

export interface MemberRow {
  readonly page: bigint;
  /** By the column's name: numbers, and words of pointers and of other structures. */
  readonly members: Readonly<Record<string, unknown>>;
}

export interface MemMapView {
  readonly pages?: Iterable<PageRow>;
  readonly columns?: readonly string[];
  readonly members?: Iterable<MemberRow>;
  /** Filled while the pages are listed. */
  readonly notes: readonly string[];
  /** What the text is made of. */
  lines(radix: 10 | 16): Iterable<string>;
  toJSON(): unknown;
}

export const memMap = defineView<MemMapView>({
  options: [
    { flag: "-p", help: "every struct page: address, physical address, mapping, index, reference count, flags" },
    { flag: "-m", argument: "member,…", help: "chosen members of every struct page" },
  ],
  synopsis: ["-p [-P] [address]…", "-m member[,member]… [-P] [address]…"],
  description: [
    "-p and -m list all page structures, or those of the addresses given: a page pointer, a kernel virtual address or a physical one. A member of a member is named with dots (lru.next); a structure shows its members joined by commas.",
  ],
  examples: [
    ["kmem -p ffff888000120000", "the page behind an address"],
    ["kmem -m flags,lru.next,_refcount 120000", "members of the page of a physical address"],
  ],
  differences: [
    "-m: columns are aligned, counters (_refcount, _mapcount) are decimal numbers and pointers hexadecimal; crash pads or cuts some of them.",
    "-p, -m: an address that names no page says why.",
  ],
  run(session, args) {
    if (args.has("-p") && args.has("-m")) throw new UsageError("kmem: -p and -m are different views: one at a time");
    return args.has("-p") ? pagesView(session, args) : membersView(session, args);
  },
  text: (view, { radix }) => view.lines(radix),
});

function pagesView(session: Session, args: ParsedArguments): MemMapView {
  const { kernel } = session;
  const reader = pageReader(kernel);
  const { runs, notes } = runsOf(session, args);
  return {
    pages: lazy(function* () {
      for (const run of runs()) for (let i = 0; i < run.count; i++) yield reader.row(run, i);
    }),
    notes,
    toJSON() {
      return { pages: this.pages, notes };
    },
    *lines() {
      const wide = 8;
      let headed = false;
      for (const run of runs()) {
        if (!headed) yield `${centre("PAGE", 16)} ${centre("PHYSICAL", wide)}      MAPPING       INDEX CNT FLAGS`;
        headed = true;
        for (let i = 0; i < run.count; i++) yield reader.line(run, i, wide);
      }
      yield* noteLines(notes);
    },
  };
}

function membersView(session: Session, args: ParsedArguments): MemMapView {
  const columns = memberColumns(session.kernel, (args.value("-m") ?? "").split(",").filter(Boolean));
  const { runs, notes } = runsOf(session, args);
  return {
    columns: columns.map(({ name }) => name),
    members: lazy(function* () {
      for (const run of runs()) for (let i = 0; i < run.count; i++) yield memberRow(columns, run, i);
    }),
    notes,
    toJSON() {
      return { members: this.members, notes };
    },
    *lines(radix) {
      yield `${centre("PAGE", 16)}  ${columns.map(({ name, width }) => name.padEnd(width)).join("  ")}`.trimEnd();
      for (const run of runs())
        for (let i = 0; i < run.count; i++) {
          const cells = columns.map((column) => memberText(column, run.view, i * run.size, radix).padEnd(column.width));
          yield `${hex16(run.address + BigInt(i * run.size))}  ${cells.join("  ")}`.trimEnd();
        }
      yield* noteLines(notes);
    },
  };
}

function memberRow(columns: readonly MemberColumn[], run: PageRun, i: number): MemberRow {
  const members = Object.fromEntries(columns.map((column) => [column.name, memberValue(column, run.view, i * run.size)]));
  return { page: run.address + BigInt(i * run.size), members };
}

/** All runs, or one a page that was asked for. */
function runsOf(session: Session, args: ParsedArguments): { readonly runs: () => Iterable<PageRun>; readonly notes: string[] } {
  const { kernel } = session;
  const map = PageMap.of(kernel);
  if (map === undefined) throw kernel.types.lack ?? new UsageError("kmem: the page structures of this kernel cannot be found");
  const notes: string[] = [];
  const note = (text: string) => {
    if (!notes.includes(text)) notes.push(text);
  };
  if (args.operands.length === 0) {
    return {
      notes,
      *runs() {
        for (const run of pageRuns(kernel, ({ message }) => note(message))) {
          session.progress?.("reading page structures", run.firstPfn, map.maxPfn);
          yield run;
        }
      },
    };
  }
  // Words that are no address are an error at once.
  const operands = args.operands.map((text) => [text, operandFrame(kernel, text, args.has("-P"))] as const);
  return {
    notes,
    *runs() {
      for (const [text, { pfn, reason }] of operands) {
        const address = pfn === undefined ? undefined : map.pageOf(pfn);
        const bytes = address === undefined ? undefined : kernel.memory.tryBytes(address, map.size);
        if (pfn === undefined || address === undefined || bytes === undefined)
          note(`${text}: ${reason ?? (address === undefined ? "no page structure describes it" : "its page structure cannot be read")}`);
        else yield { firstPfn: pfn, count: 1, address, size: map.size, view: new DataView(bytes.buffer) };
      }
    },
  };
}

/** Reads a page structure out of a run: as a row, or quickly as crash's line. */
function pageReader(kernel: Kernel): { row(run: PageRun, i: number): PageRow; line(run: PageRun, i: number, wide: number): string } {
  const page = kernel.types.struct("page");
  const mapping = page.tryField("mapping")?.offset;
  // __folio_index since 6.16 (acc53a0b4c15).
  const index = page.firstField("__folio_index", "index")?.offset;
  const count = page.firstField("_refcount", "_count")?.offset;
  const flags = page.firstField("flags")?.offset ?? 0;
  const pageSize = BigInt(kernel.arch.pageSize);
  const bits = pageFlagBits(kernel);
  const names = new Map<number, string>();
  const named = (low: number): string => {
    let text = names.get(low);
    if (text === undefined) {
      text = bits.flatMap(({ bit, name }) => (bit < 32 && (low >>> bit) & 1 ? name.slice(3) : [])).join(",");
      // So many flag combinations are damage: no more are kept.
      if (names.size < 1 << 16) names.set(low, text);
    }
    return text;
  };
  const u64 = (view: DataView, at: number | undefined, base: number) => (at === undefined ? 0n : view.getBigUint64(base + at, true));
  const hex = (view: DataView, at: number): string => {
    const high = view.getUint32(at + 4, true);
    const low = view.getUint32(at, true).toString(16);
    return high === 0 ? low : high.toString(16) + low.padStart(8, "0");
  };
  return {
    row(run, i) {
      const base = i * run.size;
      const word = run.view.getBigUint64(base + flags, true);
      return {
        page: run.address + BigInt(base),
        physical: BigInt(run.firstPfn + i) * pageSize,
        mapping: u64(run.view, mapping, base),
        index: u64(run.view, index, base),
        count: count === undefined ? 0 : run.view.getInt32(base + count, true),
        flags: word,
        flagNames: bits.filter(({ bit }) => ((word >> BigInt(bit)) & 1n) === 1n).map(({ name }) => name.slice(3)),
      };
    },
    line(run, i, wide) {
      const base = i * run.size;
      const { view } = run;
      const text = (at: number | undefined) => (at === undefined ? "0" : hex(view, base + at));
      const physical = ((run.firstPfn + i) * kernel.arch.pageSize).toString(16).padStart(wide);
      const references = String(count === undefined ? 0 : view.getInt32(base + count, true)).padStart(2);
      return `${pageHex(run.address, base)} ${physical} ${text(mapping).padStart(16)} ${text(index).padStart(8)} ${references} ${text(flags)} ${named(view.getUint32(base + flags, true))}`;
    },
  };
}

function pageHex(address: VirtualAddress, offset: number): string {
  return hex16(address + BigInt(offset));
}
