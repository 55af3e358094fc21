/**
 * What the names of an expression mean in a dead kernel: variables whose type is known, functions by their prototype, enum constants,
 * symbols without a type.
 */
import { LookupError, UsageError } from "../../bytes/errors.ts";
import type { CType } from "../../debug-info/c-type.ts";
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
      return new Value(kernel.memory, symbolType(kernel, symbol) ?? (isText(symbol) ? UNKNOWN_FUNCTION : VOID), symbol.address);
    },
    unknown(name) {
      // What headers call cpu_online_mask is a macro over __cpu_online_mask.
      const underscored = [`__${name}`, `_${name}`].filter((each) => kernel.symbols.byName(each) !== undefined);
      const nearest = [...new Set([...underscored, ...kernel.nearestSymbols(name)])].slice(0, 5);
      return new LookupError(`no symbol named "${name}" in this dump`, nearest);
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
  if (isText(symbol)) return kernel.types.find("function", symbol.name);
  return kernel.variableType(symbol.name);
}

/** True for symbols in text sections. */
export function isText(symbol: KernelSymbol): boolean {
  return "tTwW".includes(symbol.type);
}

/** True for a per-CPU symbol: it lies between __per_cpu_start and __per_cpu_end, or where a module keeps its own. */
export function isPerCpu(kernel: Kernel, symbol: KernelSymbol): boolean {
  const start = kernel.tryAddress("__per_cpu_start");
  const end = kernel.tryAddress("__per_cpu_end");
  return start !== undefined && end !== undefined && symbol.module === undefined && symbol.address >= start && symbol.address < end;
}
