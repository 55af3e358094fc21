/**
 * Where a function's code lies. The symbol table gives the start and the next symbol; the compiler may have moved unlikely parts away
 * (`.text.unlikely`), which have a symbol of their own: `name.cold`, `name.cold.12` (GCC 8 and newer).
 *
 *   [ schedule ............ ]  …  [ schedule.cold ]
 */
import { add, distance, type VirtualAddress } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { KernelSymbol } from "../debug-info/symbols.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** No function is longer; the bound matters for the last symbol, which has no end. */
const MAX_FUNCTION = 1 << 22;

const COLD = /\.cold(\.\d+)?$/;

/** A function's extent. */
export interface FunctionRange {
  readonly name: string;
  readonly module: string | undefined;
  readonly start: VirtualAddress;
  /** Exclusive: its size as the table says, else the next symbol at another address. */
  readonly end: VirtualAddress;
}

/** The function that holds an address; throws LookupError when no symbol does. */
export function functionAt(kernel: Kernel, address: VirtualAddress): FunctionRange {
  const found = kernel.arch.isKernelAddress(address) ? kernel.symbols.byAddress(address) : undefined;
  if (found === undefined) throw new LookupError(`no function holds ${address.toString(16)}: it has no beginning or end that is known`);
  return rangeOf(kernel, found.symbol);
}

/**
 * The main part of the function that holds an address, which may lie in the unlikely part. Where several functions have that name, it
 * cannot be told whose part it is, and the part stands for itself.
 */
export function mainPart(kernel: Kernel, address: VirtualAddress): FunctionRange {
  const here = functionAt(kernel, address);
  if (!COLD.test(here.name)) return here;
  const [main, ...more] = kernel.symbols.allByName(here.name.replace(COLD, ""));
  return main === undefined || more.length > 0 ? here : rangeOf(kernel, main);
}

/** The unlikely part of a function, by an address that the function jumps to; undefined when that is something else. */
export function coldPart(kernel: Kernel, main: FunctionRange, target: VirtualAddress): FunctionRange | undefined {
  if (target >= main.start && target < main.end) return undefined;
  const found = kernel.symbols.byAddress(target)?.symbol;
  return found !== undefined && COLD.test(found.name) && found.name.replace(COLD, "") === main.name ? rangeOf(kernel, found) : undefined;
}

function rangeOf(kernel: Kernel, symbol: KernelSymbol): FunctionRange {
  const next = symbol.size ?? MAX_FUNCTION;
  const size = Math.min(next === 0 ? (nextSymbol(kernel, symbol.address) ?? MAX_FUNCTION) : next, MAX_FUNCTION);
  // Behind a function's own size comes padding that belongs to nobody.
  const end = add(symbol.address, Math.max(size, 1));
  return { name: symbol.name, module: symbol.module, start: symbol.address, end };
}

function nextSymbol(kernel: Kernel, address: VirtualAddress): number | undefined {
  const next = kernel.symbols.neighbours(address).next;
  return next === undefined ? undefined : distance(next.address, address);
}
