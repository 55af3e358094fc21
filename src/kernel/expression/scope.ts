/**
 * What the names of an expression mean in a dead kernel: variables whose type is known, functions by their prototype, enum constants,
 * symbols without a type.
 */
import { UsageError } from "../../bytes/errors.ts";
import { type CType, sizeOf, strip } from "../../debug-info/c-type.ts";
import type { KernelSymbol } from "../../debug-info/symbols.ts";
import type { Memory } from "../address-space.ts";
import type { Kernel } from "../kernel.ts";
import { Value } from "../value.ts";
import type { Scope } from "./evaluate.ts";

export interface ScopeOptions {
  /** Memory that pointers lead into: the kernel's unless told (`p -u`). */
  readonly memory?: Memory;
  /** Earlier results, oldest first; `$1` is the first. */
  readonly history?: readonly Value[];
}

/** Bytes of a string variable that are searched for its NUL. */
const MAX_STRING = 1 << 16;
const VOID: CType = { kind: "void" };
const UNKNOWN_FUNCTION: CType = { kind: "function", returns: VOID, parameters: [], variadic: false };

/** Scope of a kernel. */
export function kernelScope(kernel: Kernel, options: ScopeOptions = {}): Scope {
  const memory = options.memory ?? kernel.memory;
  const history = options.history ?? [];
  return {
    memory,
    variable(name) {
      const symbol = kernel.symbols.byName(name);
      if (symbol === undefined) {
        const constant = kernel.types.enumerator(name);
        return constant === undefined ? undefined : new Value(memory, constant.type, { immediate: constant.value });
      }
      if (isPerCpu(kernel, symbol)) throw new UsageError(`"${name}" is per-CPU: say which CPU's: p ${name}:0`);
      return new Value(kernel.memory, symbolType(kernel, symbol) ?? (isText(kernel, symbol) ? UNKNOWN_FUNCTION : VOID), symbol.address);
    },
    unknown(name) {
      // What headers call cpu_online_mask is a macro over __cpu_online_mask.
      const underscored = [`__${name}`, `_${name}`].filter((each) => kernel.symbols.byName(each) !== undefined);
      const nearest = [...new Set([...underscored, ...kernel.nearestSymbols(name)])].slice(0, 5);
      return kernel.unknownSymbol(name, nearest);
    },
    isTypeName: (name) => kernel.types.find("typedef", name) !== undefined && kernel.symbols.byName(name) === undefined,
    type: (spelling) => kernel.types.type(spelling),
    history(text) {
      const back = /^\$\$(\d*)$/.exec(text);
      if (back !== null) return history[history.length - 1 - (back[1] === "" ? 1 : Number(back[1]))];
      return text === "$" ? history.at(-1) : history[Number(text.slice(1)) - 1];
    },
  };
}

/** Declared type of a symbol: a variable's, or a function's prototype; undefined when the dump does not say. */
export function symbolType(kernel: Kernel, symbol: KernelSymbol): CType | undefined {
  const { name } = symbol;
  if (isText(kernel, symbol)) return kernel.types.find("function", name);
  const type = kernel.variableType(name);
  return type === undefined ? undefined : completed(kernel, symbol, type);
}

/** An array declared without a length ends where the next symbol starts; a string at its NUL. */
function completed(kernel: Kernel, symbol: KernelSymbol, type: CType): CType {
  const plain = strip(type);
  if (plain.kind !== "array" || plain.length !== 0 || symbol.size === undefined) return type;
  const element = strip(plain.element);
  const size = sizeOf(plain.element);
  if (size === 0) return type;
  let length = Math.floor(symbol.size / size);
  if (element.kind === "int" && element.encoding !== "bool" && size === 1) {
    const bytes = kernel.memory.tryBytes(symbol.address, Math.min(length, MAX_STRING));
    const end = bytes?.indexOf(0) ?? -1;
    if (end >= 0) length = end + 1;
  }
  return length === 0 ? type : { ...plain, length };
}

/**
 * True for symbols in text sections. The letter alone does not tell: the 7.2 kernel of x86-64 lists data as "T" (seen in Debian's); the
 * kernel's own bounds decide where they are known.
 */
export function isText(kernel: Kernel, symbol: KernelSymbol): boolean {
  if (!"tTwW".includes(symbol.type)) return false;
  if (symbol.module !== undefined) return true;
  const bounds = kernel.memo(isText, () =>
    [
      ["_stext", "_etext"],
      ["_sinittext", "_einittext"],
      ["__entry_text_start", "__entry_text_end"],
    ].map(([from = "", to = ""]) => [kernel.tryAddress(from), kernel.tryAddress(to)] as const),
  );
  const [text] = bounds;
  if (text?.[0] === undefined || text[1] === undefined) return kernel.variableType(symbol.name) === undefined;
  return bounds.some(([from, to]) => from !== undefined && to !== undefined && symbol.address >= from && symbol.address < to);
}

/**
 * True for a per-CPU symbol of the kernel itself: it lies between __per_cpu_start and __per_cpu_end. A kernel that lists no data
 * symbols (5.10 arm64 without KALLSYMS_ALL) has neither; there a symbol whose own page is gone (the template is freed after boot) and
 * whose CPU 0 copy is mapped is taken for one.
 */
export function isPerCpu(kernel: Kernel, symbol: KernelSymbol): boolean {
  if (symbol.module !== undefined) return false;
  const start = kernel.tryAddress("__per_cpu_start");
  const end = kernel.tryAddress("__per_cpu_end");
  if (start !== undefined && end !== undefined) return symbol.address >= start && symbol.address < end;
  if (kernel.memory.tryBytes(symbol.address, 1) !== undefined || isText(kernel, symbol)) return false;
  const cpu = kernel.perCpuOffsets.findIndex((offset) => offset !== undefined && offset !== 0n);
  return cpu >= 0 && kernel.memory.tryBytes(kernel.perCpuAddress(symbol.address, cpu), 1) !== undefined;
}
