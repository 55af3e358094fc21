/**
 * What all symbol tables share: look-ups over addresses sorted in one BigUint64Array. A table adds where names and types come from.
 * Measured: a binary search in 200,000 symbols takes 0.2 µs.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { distance } from "../bytes/address.ts";
import type { KernelSymbol, SymbolAt, SymbolTable } from "./symbols.ts";

/**
 * Farther than this from a symbol an address is not "in" it: the gap between zero-based per-CPU symbols (x86-64 before 6.15) and the
 * kernel image is 2^63, while the image and the module area are 1 GiB each.
 */
const MAX_REACH = 2 ** 30;

/** Symbols at one address that are examined for the best name; more are never meant for people. */
const MAX_ALIASES = 64;

/** Names that mark a place and not an object: shown only when nothing else lies there. Larger is worse. */
function rank(name: string): number {
  if (name === "" || /^\$[adtx](\.|$)/.test(name)) return 3;
  if (/^__(pfx|cfi)_/.test(name)) return 2;
  if (/^(_[se]?text|_s(init|ro|b)[a-z]*|__(start|stop)_.*|.*_text_(start|end)|efi_header_end|__per_cpu_(start|end|load))$/.test(name))
    return 1;
  // struct lock_class_key is empty without CONFIG_LOCKDEP: its variables share the address of what comes next.
  if (/^__key(\.\d+)?$/.test(name)) return 1;
  // What the code of KVM's hypervisor may call of the kernel has a second name (arch/arm64/kernel/image-vars.h, KVM_NVHE_ALIAS).
  // So has what runs before addresses are set up: __pi_ (arch/x86/boot/startup, since 6.16; arch/arm64/kernel/pi and its library).
  if (/^__(kvm_nvhe|pi)_/.test(name)) return 1;
  return 0;
}

/** Base of the symbol tables; `addresses` must be ascending. */
export abstract class SortedSymbols implements SymbolTable {
  readonly count: number;
  /** Ascending. */
  readonly addresses: BigUint64Array;
  readonly #module: string | undefined;
  /** First address past the last symbol, if known. */
  readonly #end: bigint | undefined;

  constructor(addresses: BigUint64Array, module: string | undefined, end: bigint | undefined) {
    this.addresses = addresses;
    this.count = addresses.length;
    this.#module = module;
    this.#end = end;
  }

  protected abstract nameAt(index: number): string;
  protected abstract typeAt(index: number): string;
  /** Size the table itself gives; undefined to take the distance to the next symbol. */
  protected abstract sizeAt(index: number): number | undefined;
  /** Indexes of the symbols with that name, ascending. */
  protected abstract find(name: string): Iterable<number>;
  /** Indexes of the symbols whose name starts so; a table may find them faster than by decoding all names. */
  protected abstract startingWith(prefix: string): Iterable<number>;

  at(index: number): KernelSymbol {
    if (!(index >= 0 && index < this.count)) throw new RangeError(`symbol ${index} of ${this.count}`);
    return {
      name: this.nameAt(index),
      address: this.addresses[index] as VirtualAddress,
      type: this.typeAt(index),
      module: this.#module,
      size: this.sizeAt(index) ?? this.#distanceToNext(index),
    };
  }

  byName(name: string): KernelSymbol | undefined {
    for (const index of this.find(name)) return this.at(index);
    return undefined;
  }

  allByName(name: string): readonly KernelSymbol[] {
    return Array.from(this.find(name), (index) => this.at(index));
  }

  byAddress(address: VirtualAddress): SymbolAt | undefined {
    if (this.#end !== undefined && address >= this.#end) return undefined;
    const last = this.#lastAtOrBelow(address);
    if (last < 0) return undefined;
    const offset = distance(address, this.addresses[last] as bigint);
    // A distance of 2^63 and more wraps to a negative one.
    if (offset < 0 || offset > MAX_REACH) return undefined;
    return { symbol: this.at(this.#preferred(last)), offset };
  }

  neighbours(address: VirtualAddress): { previous: KernelSymbol | undefined; next: KernelSymbol | undefined } {
    const last = this.#lastAtOrBelow(address);
    let below = last;
    while (below >= 0 && this.addresses[below] === address) below--;
    const above = last + 1 < this.count ? this.#lastAtOrBelow(this.addresses[last + 1] as bigint) : -1;
    return {
      previous: below < 0 ? undefined : this.at(this.#preferred(below)),
      next: above < 0 ? undefined : this.at(this.#preferred(above)),
    };
  }

  prefix(prefix: string, limit: number): readonly string[] {
    const names = new Set<string>();
    for (const index of this.startingWith(prefix)) names.add(this.nameAt(index));
    return [...names].sort().slice(0, limit);
  }

  *matching(text: string): Iterable<KernelSymbol> {
    for (let index = 0; index < this.count; index++) {
      if (this.nameAt(index).includes(text)) yield this.at(index);
    }
  }

  /** Index of the last symbol whose address is not above; -1 when all are. */
  #lastAtOrBelow(address: bigint): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.addresses[middle] as bigint) <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Of the symbols at the same address as `last` (the last of them) the one to show. */
  #preferred(last: number): number {
    const address = this.addresses[last];
    let first = last;
    while (first > 0 && last - first < MAX_ALIASES && this.addresses[first - 1] === address) first--;
    if (first === last) return last;
    let best = first;
    let bestRank = rank(this.nameAt(first));
    for (let index = first + 1; index <= last && bestRank > 0; index++) {
      const here = rank(this.nameAt(index));
      if (here < bestRank) {
        best = index;
        bestRank = here;
      }
    }
    return best;
  }

  #distanceToNext(index: number): number | undefined {
    const address = this.addresses[index] as bigint;
    const next = this.#lastAtOrBelow(address) + 1;
    const end = next < this.count ? (this.addresses[next] as bigint) : this.#end;
    if (end === undefined) return undefined;
    const size = distance(end, address);
    return size < 0 || size > MAX_REACH ? undefined : size;
  }
}
