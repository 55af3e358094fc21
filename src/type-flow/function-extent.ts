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

/** The main part and the unlikely part of the function that holds an address, which may lie in either; the main part is first. */
export function functionParts(kernel: Kernel, address: VirtualAddress): readonly FunctionRange[] {
  const here = functionAt(kernel, address);
  const main = COLD.test(here.name) ? kernel.symbols.allByName(here.name.replace(COLD, "")) : undefined;
  // Several functions of one name: which of them this is the unlikely part of cannot be told.
  const first = main === undefined ? here : main.length === 1 ? rangeOf(kernel, main[0] as KernelSymbol) : undefined;
  if (first === undefined) return [here];
  if (first !== here) return [first, here];
  if (kernel.symbols.allByName(here.name).length !== 1) return [here];
  const cold = kernel.symbols.prefix(`${here.name}.cold`, 4).flatMap((name) => kernel.symbols.allByName(name));
  const parts = cold.filter(({ name }) => name.replace(COLD, "") === here.name);
  return parts.length === 1 ? [here, rangeOf(kernel, parts[0] as KernelSymbol)] : [here];
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
