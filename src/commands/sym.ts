/** `sym`: symbols and addresses, both ways. */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError, UsageError } from "../bytes/errors.ts";
import type { KernelSymbol } from "../debug-info/symbols.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { symApi } from "./api/system.ts";
import { defineCommand } from "./command.ts";
import { lazy } from "./support/lazy.ts";
import { nearestNames } from "./support/nearest.ts";
import { looksLikeAddress, parseAddress } from "./support/numbers.ts";

export interface SymbolEntry {
  readonly name: string;
  readonly address: bigint;
  /** Bytes from the symbol's start to the address that was asked for. */
  readonly offset: number;
  /** null for the kernel itself. */
  readonly module: string | null;
  /** Letter as in /proc/kallsyms. */
  readonly type: string;
  /** Of code, where debug information has it. */
  readonly source?: { readonly file: string; readonly line: number };
}

/** An area of a module's memory: "core" and "init" before 6.4, then "text", "data", "rodata" and so on. */
export interface SymbolRegion {
  readonly kind: string;
  readonly start: bigint;
  readonly end: bigint;
}

export interface SymResult {
  readonly symbols: Iterable<SymbolEntry>;
  /** Set for -m and -M: the modules, and where each of their areas starts and ends (exclusive). */
  readonly modules?: readonly { readonly name: string; readonly regions: readonly SymbolRegion[] }[];
}

export const sym = defineCommand<SymResult>({
  spec: {
    name: "sym",
    summary: "translate symbols to addresses and addresses to symbols",
    synopsis: ["[-l] | [-M] | [-m module] | [-p | -n] | [-q string] | [symbol | vaddr] …"],
    description: [
      "A symbol gives its address, its type letter (T text, D data, …; small letters are local) and its module. An address gives the symbol it lies in, with the offset in the output radix. Several may be given.",
    ],
    options: [
      { flag: "-l", help: "all symbols, in the order of their addresses" },
      { flag: "-M", help: "the symbols of all modules" },
      { flag: "-m", argument: "module", help: "the symbols of one module" },
      { flag: "-p", help: "also the symbol before" },
      { flag: "-n", help: "also the symbol behind" },
      { flag: "-q", argument: "string", help: "all symbols whose name contains the string" },
    ],
    operands: ["symbol", "module"],
    examples: [
      ["sym init_task", "a symbol"],
      ["sym ffffffff810a3c50", "an address"],
      ["sym -q virtqueue", "search by name"],
      ["sym -np jiffies", "with its neighbours"],
    ],
    differences: [
      "symbol+offset is understood too.",
      "Several symbols of one name are all shown.",
      "Source files and lines of code need a vmlinux with debug information.",
      "Symbols, their letters and their order are those of /proc/kallsyms; crash takes the vmlinux's own, and ? for a module's data.",
    ],
    minimal: true,
  },
  run({ kernel }, args) {
    const modes = ["-l", "-M", "-m", "-q"].filter((flag) => args.has(flag));
    if (modes.length > 1) throw new UsageError(`${modes.join(" and ")} exclude each other`);
    if (args.has("-l")) return { symbols: lazy(() => everySymbol(kernel)) };
    if (args.has("-M") || args.has("-m")) return moduleSymbols(kernel, args.value("-m"));
    if (args.has("-q")) return matchingSymbols(kernel, args.value("-q") as string);
    if (args.operands.length === 0) throw new UsageError("usage: sym [-l | -M | -m module | -q string | [-p] [-n] symbol | vaddr …]");
    const around = { previous: args.has("-p"), next: args.has("-n") };
    const [first, ...rest] = args.operands as [string, ...string[]];
    const found = lookUp(kernel, first, around);
    // The others follow one by one: what came before a word that means nothing is already shown.
    return {
      symbols: lazy(function* () {
        yield* found;
        for (const word of rest) yield* lookUp(kernel, word, around);
      }),
    };
  },
  api: ({ kernel }, args) =>
    symApi(
      args,
      args.operands.map((word) => (kernel.symbols.byName(word) === undefined ? parseAddress(kernel, word) : word)),
    ),
  *text({ symbols, modules }, { radix }) {
    // In the order of the symbols; a module may have none.
    const pending = [...(modules ?? [])];
    let bounds: RegionBound[] = [];
    let current: string | null = null;
    for (const symbol of symbols) {
      if (symbol.module !== current && modules !== undefined) {
        for (const bound of bounds) yield bound.text;
        current = symbol.module;
        const before = Math.max(
          0,
          pending.findIndex(({ name }) => name === current),
        );
        for (const { name, regions } of pending.splice(0, before)) for (const bound of regionBounds(name, regions)) yield bound.text;
        const own = pending[0]?.name === current ? pending.shift() : undefined;
        bounds = own === undefined ? [] : regionBounds(own.name, own.regions);
      }
      while (bounds[0] !== undefined && bounds[0].at <= symbol.address) yield (bounds.shift() as RegionBound).text;
      yield symbolLine(symbol, radix, modules === undefined);
    }
    for (const { name, regions } of pending) bounds.push(...regionBounds(name, regions));
    for (const bound of bounds) yield bound.text;
  },
});

interface RegionBound {
  readonly at: bigint;
  readonly text: string;
}

/** crash's lines around a module's symbols. It gives the last byte of an area since modules have several (6.4), before that the next one. */
function regionBounds(name: string, regions: readonly SymbolRegion[]): RegionBound[] {
  return [...regions]
    .sort((a, b) => (a.start < b.start ? -1 : 1))
    .flatMap(({ kind, start, end }) => {
      const label = kind === "core" ? "" : `${kind.toUpperCase()} `;
      const last = kind === "core" || kind === "init" ? end : end - 1n;
      return [
        { at: start, text: `${start.toString(16)} MODULE ${label}START: ${name}` },
        { at: end, text: `${last.toString(16)} MODULE ${label}END: ${name}` },
      ];
    });
}

/** `ffffffff96cce650 (t) nohz_csd_func+16 [module]`. */
function symbolLine({ name, address, offset, module, type, source }: SymbolEntry, radix: 10 | 16, withModule: boolean): string {
  const distance = offset === 0 ? "" : `+${radix === 16 ? "0x" : ""}${offset.toString(radix)}`;
  const place = source === undefined ? "" : ` ${source.file}: ${source.line}`;
  return `${address.toString(16)} (${type}) ${name}${distance}${withModule && module !== null ? ` [${module}]` : ""}${place}`;
}

function entry(symbol: KernelSymbol, offset = 0): SymbolEntry {
  const { name, address, module, type } = symbol;
  return { name, address: address + BigInt(offset), offset, module: module ?? null, type };
}

function* everySymbol(kernel: Kernel): Generator<SymbolEntry> {
  for (let i = 0; i < kernel.symbols.count; i++) yield entry(kernel.symbols.at(i));
}

function moduleSymbols(kernel: Kernel, name: string | undefined): SymResult {
  const modules = kernel.modules.filter((module) => name === undefined || module.name === name);
  if (modules.length === 0 && name !== undefined) {
    throw new LookupError(
      `no module named "${name}" is loaded in this dump`,
      nearestNames(
        name,
        kernel.modules.map((module) => module.name),
      ),
    );
  }
  const sorted = [...modules].sort((a, b) => (a.base < b.base ? -1 : 1));
  return {
    modules: sorted.map(({ name, regions }) => ({
      name,
      regions: regions
        .filter(({ size }) => size > 0)
        .map(({ kind, start, size }) => ({ kind, start, end: BigInt.asUintN(64, start + BigInt(size)) })),
    })),
    symbols: lazy(function* () {
      for (const module of sorted) {
        const table = module.symbols();
        for (let i = 0; i < (table?.count ?? 0); i++) yield entry((table as NonNullable<typeof table>).at(i));
      }
    }),
  };
}

function matchingSymbols(kernel: Kernel, text: string): SymResult {
  const found = [...kernel.symbols.matching(text)];
  if (found.length === 0) throw new LookupError(`no symbol's name contains "${text}"`);
  return { symbols: found.map((symbol) => entry(symbol)) };
}

function lookUp(kernel: Kernel, word: string, around: { readonly previous: boolean; readonly next: boolean }): SymbolEntry[] {
  const named = kernel.symbols.allByName(word);
  const found = named.length > 0 ? named.map((symbol) => entry(symbol)) : [containing(kernel, word)];
  const first = found[0] as SymbolEntry;
  const start = virtual(first.address - BigInt(first.offset));
  const { previous, next } = kernel.symbols.neighbours(start as VirtualAddress);
  const shown = [
    ...(around.previous && previous !== undefined ? [entry(previous)] : []),
    ...found,
    ...(around.next && next !== undefined ? [entry(next)] : []),
  ];
  return shown.map((each) => withSource(kernel, each));
}

/** The source line of code. */
function withSource(kernel: Kernel, symbol: SymbolEntry): SymbolEntry {
  if (!kernel.debugInfo.present || !"tTwW".includes(symbol.type)) return symbol;
  const line = kernel.debugInfo.line(virtual(symbol.address));
  return line === undefined ? symbol : { ...symbol, source: { file: line.file, line: line.line } };
}

function containing(kernel: Kernel, word: string): SymbolEntry {
  const address = parseAddress(kernel, word);
  const found = kernel.symbols.byAddress(address);
  if (found === undefined) {
    const what = looksLikeAddress(word) ? word : `${word} (${address.toString(16)})`;
    throw new LookupError(`${what} lies in no symbol of the kernel or its modules`);
  }
  return entry(found.symbol, found.offset);
}
