/**
 * The symbol that an address lies in, where it truly does: kallsyms has no sizes, so a number that merely happens to be behind a symbol
 * must not get its name. Only kernel addresses are asked, and only within the image and the loaded modules.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import type { KernelSymbol, SymbolAt } from "../debug-info/symbols.ts";
import { isPerCpu } from "../kernel/expression/scope.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** Symbols at the end of the image or of a section: what lies behind them is no part of them. */
const ENDS = new Set(["_end", "__bss_stop", "__brk_limit", "_einittext", "__init_end", "_etext", "_edata", "__end_rodata"]);

/** Read-only tables are smaller, but for a few that nothing points into. */
const MAX_READ_ONLY = 4096;

/** Finder of symbols. `text`: the caller holds the address for text (a char *), which no read-only table's name may stand for. */
export function symbolPlaces(kernel: Kernel): (address: bigint, text: boolean) => SymbolAt | undefined {
  const readOnly = { start: kernel.tryAddress("__start_rodata") ?? 0n, end: kernel.tryAddress("__end_rodata") ?? 0n };
  return (address, text) => {
    if (!kernel.arch.isKernelAddress(address)) return undefined;
    const found = kernel.symbols.byAddress(address as VirtualAddress);
    if (found === undefined) return undefined;
    const { symbol, offset } = found;
    if (symbol.size !== undefined && offset >= symbol.size) return undefined;
    if (offset > 0 && (ENDS.has(symbol.name) || (isReadOnly(symbol, readOnly) && (text || offset >= MAX_READ_ONLY)))) return undefined;
    return "aA".includes(symbol.type) || isPerCpu(kernel, symbol) ? undefined : found;
  };
}

/**
 * String literals lie behind the last named object of the read-only data, which must not lend them its name. (kallsyms calls most of
 * vmlinux's read-only data "d".)
 */
function isReadOnly(symbol: KernelSymbol, image: { readonly start: bigint; readonly end: bigint }): boolean {
  return "rR".includes(symbol.type) || (symbol.address >= image.start && symbol.address < image.end);
}
