/**
 * From an address to the function around it, the calls inlined there and the blocks: DWARF 5, sections 3.3 and 3.5.
 *
 *   unit ── subprogram ─┬─ formal_parameter …
 *                       ├─ inlined_subroutine ── lexical_block ── inlined_subroutine      scopesAt: innermost first
 *                       └─ lexical_block
 *
 * Only the entries at a unit's top level are walked, once, into a table of functions by address; inside a function only what covers the
 * address. Parts split off as cold (`foo.cold`) are ranges of the same subprogram.
 */
import type { FunctionType } from "../c-type.ts";
import type { CallSite, Scope, SourcePlace, Variable } from "../debug-info.ts";
import { callSitesOf } from "./call-sites.ts";
import {
  DW_AT_declaration,
  DW_AT_entry_pc,
  DW_AT_high_pc,
  DW_AT_low_pc,
  DW_AT_name,
  DW_AT_ranges,
  DW_TAG_inlined_subroutine,
  DW_TAG_lexical_block,
  DW_TAG_namespace,
  DW_TAG_subprogram,
} from "./constants.ts";
import type { AddressRange, Die, Unit } from "./die.ts";
import { holderOf, originChain } from "./scopes-origin.ts";
import { type DescribedBy, variablesOf } from "./variables.ts";

/** Scopes within each other; real ones go to some thirty. */
const MAX_DEPTH = 512;
/** Namespaces of Rust within each other. */
const MAX_NAMESPACES = 16;
/** Units whose table is kept. */
const MAX_TABLES = 512;

class DwarfScope implements Scope {
  readonly kind: Scope["kind"];
  readonly die: Die;
  readonly #by: DescribedBy;
  readonly #blocks: readonly Die[];
  #variables: readonly Variable[] | undefined;
  #callSites: readonly CallSite[] | undefined;
  /** @param blocks within it, down to the address or to the next inlined call */
  constructor(by: DescribedBy, die: Die, blocks: readonly Die[]) {
    this.kind = die.tag === DW_TAG_subprogram ? "function" : die.tag === DW_TAG_inlined_subroutine ? "inlined" : "block";
    this.die = die;
    this.#by = by;
    this.#blocks = blocks;
  }
  get name(): string | undefined {
    return this.kind === "block" ? undefined : holderOf(this.die, DW_AT_name)?.name;
  }
  get ranges(): readonly AddressRange[] {
    return this.die.ranges;
  }
  get entry(): bigint | undefined {
    if (this.kind === "block") return undefined;
    // The first range of a function is where it is entered (table of ranges: hot part, then cold).
    return entryPc(this.die) ?? this.die.ranges[0]?.low;
  }
  get call(): SourcePlace | undefined {
    return this.kind === "inlined" ? this.#by.places.called(this.die) : undefined;
  }
  get declared(): SourcePlace | undefined {
    return this.kind === "block" ? undefined : this.#by.places.declared(this.die);
  }
  get type(): FunctionType | undefined {
    if (this.kind === "block") return undefined;
    const prototype = originChain(this.die).at(-1);
    const type = prototype?.tag === DW_TAG_subprogram ? this.#by.types.of(prototype) : undefined;
    return type?.kind === "function" ? type : undefined;
  }
  get variables(): readonly Variable[] {
    this.#variables ??= variablesOf(this.#by, this.die, this.#blocks);
    return this.#variables;
  }
  get callSites(): readonly CallSite[] {
    if (this.kind !== "function") return [];
    this.#callSites ??= callSitesOf(this.die);
    return this.#callSites;
  }
}

/** DW_AT_entry_pc: an address, or in DWARF 5 an offset from the entry's first address. */
function entryPc(die: Die): bigint | undefined {
  const direct = die.address(DW_AT_entry_pc);
  if (direct !== undefined) return direct;
  const offset = die.bigint(DW_AT_entry_pc);
  const base = die.address(DW_AT_low_pc) ?? die.ranges[0]?.low;
  return offset === undefined || base === undefined ? undefined : base + offset;
}

/** Functions of one unit by address: entries of three columns, sorted by `lows`. */
interface FunctionTable {
  readonly lows: BigUint64Array;
  readonly highs: BigUint64Array;
  readonly offsets: Float64Array;
}

/**
 * GCC before 13 on arm64 lets a function begin, for DWARF, behind the instructions that ftrace patches (-fpatchable-function-entry=2, and bti),
 * where a traced call returns to. This many bytes in front of a function are its own there.
 */
const ARM64_ENTRY = 16n;
const EM_AARCH64 = 183;

export class DwarfScopes {
  readonly #by: DescribedBy;
  /** How many bytes in front of a function, as DWARF has it, may be its own; 0 on most machines. */
  readonly entryBytes: bigint;
  /** Oldest use first. */
  readonly #tables = new Map<Unit, FunctionTable>();

  /** @param machine of the file: EM_X86_64, EM_AARCH64 */
  constructor(by: DescribedBy, machine: number) {
    this.#by = by;
    this.entryBytes = machine === EM_AARCH64 ? ARM64_ENTRY : 0n;
  }

  /** Scopes around a link-time address that a unit covers, innermost first; the last is the function. Empty outside of functions. */
  at(unit: Unit, address: bigint): readonly Scope[] {
    const found = functionIn(this.#table(unit), address, this.entryBytes);
    return found === undefined ? [] : this.within(unit.dieAt(found), address);
  }

  /** Scopes of one function around an address. */
  within(subprogram: Die, address: bigint): readonly Scope[] {
    const chain: Die[] = [subprogram];
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      const inner = innerAt(chain.at(-1) as Die, address);
      if (inner === undefined) break;
      chain.push(inner);
    }
    const scopes: Scope[] = [];
    let blocks: Die[] = [];
    for (const die of chain.reverse()) {
      scopes.push(new DwarfScope(this.#by, die, blocks));
      blocks = die.tag === DW_TAG_lexical_block ? [die, ...blocks] : [];
    }
    return scopes;
  }

  /** The scope of a concrete function's entry, without an address in it. */
  function(subprogram: Die): Scope {
    return new DwarfScope(this.#by, subprogram, []);
  }

  /** Concrete functions of a unit that are instances of an abstract one: its out-of-line copy and clones. */
  instancesOf(abstract: Die): readonly Die[] {
    const { unit, key } = abstract;
    const functions = Array.from(new Set(this.#table(unit).offsets), (each) => unit.dieAt(each));
    return functions.filter((die) => die.key !== key && originChain(die).some((origin) => origin.key === key));
  }

  #table(unit: Unit): FunctionTable {
    const table = this.#tables.get(unit) ?? functionTable(unit);
    this.#tables.delete(unit);
    this.#tables.set(unit, table);
    for (const [oldest] of this.#tables) {
      if (this.#tables.size <= MAX_TABLES) break;
      this.#tables.delete(oldest);
    }
    return table;
  }
}

/** The direct inner scope that covers an address. */
function innerAt(scope: Die, address: bigint): Die | undefined {
  for (const child of scope.children()) {
    if (child.tag !== DW_TAG_inlined_subroutine && child.tag !== DW_TAG_lexical_block) continue;
    if (child.ranges.some(({ low, high }) => address >= low && address < high)) return child;
  }
  return undefined;
}

function functionTable(unit: Unit): FunctionTable {
  const rows: { low: bigint; high: bigint; offset: number }[] = [];
  collectFunctions(unit.root, rows, 0);
  rows.sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0));
  return {
    lows: BigUint64Array.from(rows, ({ low }) => low),
    highs: BigUint64Array.from(rows, ({ high }) => high),
    offsets: Float64Array.from(rows, ({ offset }) => offset),
  };
}

function collectFunctions(parent: Die, rows: { low: bigint; high: bigint; offset: number }[], depth: number): void {
  for (const die of parent.children()) {
    if (die.tag === DW_TAG_namespace && depth < MAX_NAMESPACES) collectFunctions(die, rows, depth + 1);
    if (die.tag !== DW_TAG_subprogram || die.flag(DW_AT_declaration)) continue;
    if (!die.has(DW_AT_high_pc) && !die.has(DW_AT_ranges)) continue;
    // Ranges that are empty or wrap cover nothing.
    for (const { low, high } of die.ranges) if (low < high) rows.push({ low, high, offset: die.offset });
  }
}

/** Offset of the function that covers an address, or begins at most `entry` bytes behind it. */
function functionIn({ lows, highs, offsets }: FunctionTable, address: bigint, entry: bigint): number | undefined {
  let low = 0;
  let high = lows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((lows[middle] as bigint) <= address) low = middle + 1;
    else high = middle;
  }
  // Functions do not overlap, but assembler's entry points may: the nearest that begins before and reaches over it.
  for (let i = low - 1; i >= 0 && i >= low - 8; i--) {
    if (address < (highs[i] as bigint)) return offsets[i];
  }
  const next = lows[low];
  return next !== undefined && next - address <= entry ? offsets[low] : undefined;
}
