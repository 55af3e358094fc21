/**
 * The symbols of a vmlinux where the kernel ran: KASLR moves the image as a whole. Numbers in the lower half of the address space are no
 * addresses (offsets of zero-based per-CPU variables, x86-64 before 6.15; absolute values) and stay.
 *
 *   link     0 … per-CPU …              ffffffff81000000 _text
 *   runtime  0 … per-CPU …              ffffffff81000000 + bias
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { KernelSymbol, SymbolAt, SymbolTable } from "../debug-info/symbols.ts";

const UPPER_HALF = 1n << 63n;

export class ShiftedSymbols implements SymbolTable {
  readonly #table: SymbolTable;
  readonly #bias: bigint;

  /** @param bias runtime minus link-time address */
  constructor(table: SymbolTable, bias: bigint) {
    this.#table = table;
    this.#bias = bias;
  }

  get count(): number {
    return this.#table.count;
  }

  at(index: number): KernelSymbol {
    return this.#shift(this.#table.at(index));
  }

  byName(name: string): KernelSymbol | undefined {
    const found = this.#table.byName(name);
    return found === undefined ? undefined : this.#shift(found);
  }

  allByName(name: string): readonly KernelSymbol[] {
    return this.#table.allByName(name).map((symbol) => this.#shift(symbol));
  }

  byAddress(address: VirtualAddress): SymbolAt | undefined {
    const found = this.#table.byAddress(this.#link(address));
    return found === undefined ? undefined : { symbol: this.#shift(found.symbol), offset: found.offset };
  }

  neighbours(address: VirtualAddress): { readonly previous: KernelSymbol | undefined; readonly next: KernelSymbol | undefined } {
    const { previous, next } = this.#table.neighbours(this.#link(address));
    return {
      previous: previous === undefined ? undefined : this.#shift(previous),
      next: next === undefined ? undefined : this.#shift(next),
    };
  }

  prefix(prefix: string, limit: number): readonly string[] {
    return this.#table.prefix(prefix, limit);
  }

  *matching(text: string): Iterable<KernelSymbol> {
    for (const symbol of this.#table.matching(text)) yield this.#shift(symbol);
  }

  #shift(symbol: KernelSymbol): KernelSymbol {
    return symbol.address < UPPER_HALF ? symbol : { ...symbol, address: virtual(symbol.address + this.#bias) };
  }

  #link(address: VirtualAddress): VirtualAddress {
    return address < UPPER_HALF ? address : virtual(address - this.#bias);
  }
}
