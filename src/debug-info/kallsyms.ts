/**
 * The kernel's own symbol table as it lies in memory. Sources: scripts/kallsyms.c (what is written), kernel/kallsyms.c (how it is read).
 *
 *   to 6.3:  offsets relative_base num_syms names markers [seqs_of_names] token_table token_index
 *   6.4 on:  num_syms names markers token_table token_index offsets [relative_base] seqs_of_names
 *
 * The order does not matter here: the tables are given by address (VMCOREINFO has them since 6.0; kallsyms-scan.ts finds them without).
 * Opening decodes the address column and walks the lengths of the names: 5 ms for 160,000 symbols. The index by name is built at the
 * first look-up.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { FormatError } from "../bytes/errors.ts";
import { type AddressEncoding, decodeAddresses, readableEntries } from "./kallsyms-addresses.ts";
import { hashName, KallsymsNames, readTokens } from "./kallsyms-names.ts";
import { type MemoryReader, readSparse } from "./memory-reader.ts";
import { SortedSymbols } from "./sorted-symbols.ts";

/** Where the tables lie. */
export interface KallsymsLocation {
  /** kallsyms_num_syms, a u32 in memory. */
  readonly numSyms: VirtualAddress;
  readonly names: VirtualAddress;
  readonly tokenTable: VirtualAddress;
  readonly tokenIndex: VirtualAddress;
  /** kallsyms_offsets (4.6 on); either this or `addresses` is needed. */
  readonly offsets?: VirtualAddress | undefined;
  /** kallsyms_relative_base; its absence together with `offsets` means place-relative. */
  readonly relativeBase?: VirtualAddress | undefined;
  /** kallsyms_addresses (to 4.5, or without CONFIG_KALLSYMS_BASE_RELATIVE). */
  readonly addresses?: VirtualAddress | undefined;
  /** Lets the names go on after an unreadable page. */
  readonly markers?: VirtualAddress | undefined;
}

/** A symbol whose address is known from elsewhere, e.g. SYMBOL(_stext) of VMCOREINFO. */
export interface KnownSymbol {
  readonly name: string;
  readonly address: VirtualAddress;
}

/** More symbols than any kernel has; CONFIG_KALLSYMS_ALL with everything built in gives 400,000. */
const MAX_SYMBOLS = 1 << 22;

/** The kernel's symbol table. */
export class Kallsyms extends SortedSymbols {
  readonly encoding: AddressEncoding;
  /** Symbols left out because their address could not be read. */
  readonly unreadable: number;
  readonly #names: KallsymsNames;
  /** Position in the table of each symbol in address order; undefined when they are the same. */
  readonly #order: Uint32Array | undefined;
  #heads: Int32Array | undefined;
  #chain: Int32Array | undefined;
  #hashes: Uint32Array | undefined;

  private constructor(
    addresses: BigUint64Array,
    end: bigint | undefined,
    encoding: AddressEncoding,
    names: KallsymsNames,
    order: Uint32Array | undefined,
    unreadable: number,
  ) {
    super(addresses, undefined, end);
    this.encoding = encoding;
    this.unreadable = unreadable;
    this.#names = names;
    this.#order = order;
  }

  /** Reads the tables; throws FormatError when they contradict each other, FaultError when the small ones cannot be read. */
  static open(memory: MemoryReader, at: KallsymsLocation, known?: KnownSymbol): Kallsyms {
    const count = memory.u32(at.numSyms);
    if (count === 0 || count > MAX_SYMBOLS) throw new FormatError("kallsyms_num_syms", `${count} symbols`);
    const tokens = readTokens(memory, at.tokenTable, at.tokenIndex);
    const markers = at.markers === undefined ? undefined : readMarkers(memory, at.markers, count);
    const names = new KallsymsNames(memory, at.names, count, tokens, markers);

    const place = at.offsets ?? at.addresses;
    if (place === undefined) throw new FormatError("kallsyms", "neither kallsyms_offsets nor kallsyms_addresses is known");
    const entrySize = at.offsets === undefined ? 8 : 4;
    const raw = readSparse(memory, place, count * entrySize);
    const base = at.relativeBase === undefined ? undefined : memory.u64(at.relativeBase);
    const anchor = known === undefined ? undefined : findAnchor(names, count, known);
    const decoded = decodeAddresses(raw, count, entrySize, place, base, anchor);
    // One or two descents may come from a linker; a wrong reading gives a third of all.
    if (decoded.descents * 16 > count) {
      throw new FormatError("kallsyms", `the addresses do not ascend (${decoded.descents} of ${count} as ${decoded.encoding})`);
    }
    const sorted = sortAddresses(decoded.addresses, decoded.descents, raw.holes.length === 0 ? undefined : readableEntries(raw, entrySize));
    const end = endOfImage(names, sorted.addresses, sorted.order);
    return new Kallsyms(sorted.addresses, end, decoded.encoding, names, sorted.order, count - sorted.addresses.length);
  }

  /** Symbols whose address or name cannot be read. */
  get lost(): number {
    return this.unreadable + this.#names.missing;
  }

  protected override nameAt(index: number): string {
    return this.#names.name(this.#position(index));
  }

  protected override typeAt(index: number): string {
    return this.#names.type(this.#position(index));
  }

  protected override sizeAt(): undefined {
    return undefined;
  }

  protected override *find(name: string): Iterable<number> {
    if (name === "") return;
    this.#buildIndex();
    const heads = this.#heads as Int32Array;
    const chain = this.#chain as Int32Array;
    const hashes = this.#hashes as Uint32Array;
    const hash = hashName(name);
    for (let i = heads[slotOf(hash, heads.length)] as number; i >= 0; i = chain[i] as number) {
      if (hashes[this.#position(i)] === hash && this.nameAt(i) === name) yield i;
    }
  }

  protected override *startingWith(prefix: string): Iterable<number> {
    const possible = this.#names.possibleFirstTokens(prefix);
    for (let i = 0; i < this.count; i++) {
      if (possible[this.#names.firstToken(this.#position(i))] === 1 && this.nameAt(i).startsWith(prefix)) yield i;
    }
  }

  #position(index: number): number {
    return this.#order === undefined ? index : (this.#order[index] as number);
  }

  /** Hash chains over all names, ascending within a chain; 4 ms for 160,000 symbols. */
  #buildIndex(): void {
    if (this.#heads !== undefined) return;
    const hashes = this.#names.hashes();
    const heads = new Int32Array(1 << Math.ceil(Math.log2(this.count + 1))).fill(-1);
    const chain = new Int32Array(this.count);
    for (let i = this.count - 1; i >= 0; i--) {
      const slot = slotOf(hashes[this.#position(i)] as number, heads.length);
      chain[i] = heads[slot] as number;
      heads[slot] = i;
    }
    this.#hashes = hashes;
    this.#chain = chain;
    this.#heads = heads;
  }
}

/** The low bits of a polynomial hash depend on the last characters mostly: mix the high ones in. */
function slotOf(hash: number, slots: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((mixed ^ (mixed >>> 13)) >>> 0) & (slots - 1);
}

function readMarkers(memory: MemoryReader, address: VirtualAddress, count: number): Uint32Array {
  const length = (count + 255) >>> 8;
  const { bytes } = readSparse(memory, address, length * 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length }, (_, i) => view.getUint32(i * 4, true));
}

function findAnchor(names: KallsymsNames, count: number, known: KnownSymbol): { index: number; address: bigint } | undefined {
  for (let index = 0; index < count; index++) {
    if (names.name(index) === known.name) return { index, address: known.address };
  }
  return undefined;
}

/** The address of `_end`, which is among the last symbols; undefined without CONFIG_KALLSYMS_ALL. */
function endOfImage(names: KallsymsNames, addresses: BigUint64Array, order: Uint32Array | undefined): bigint | undefined {
  for (let i = addresses.length - 1; i >= 0 && i > addresses.length - 4096; i--) {
    if (names.name(order === undefined ? i : (order[i] as number)) === "_end") return addresses[i];
  }
  return undefined;
}

/** Leaves out unreadable entries and sorts; both are rare, so the common case copies nothing. */
function sortAddresses(
  addresses: BigUint64Array,
  descents: number,
  readable: ((index: number) => boolean) | undefined,
): { addresses: BigUint64Array; order: Uint32Array | undefined } {
  if (descents === 0 && readable === undefined) return { addresses, order: undefined };
  const kept: number[] = [];
  for (let i = 0; i < addresses.length; i++) if (readable === undefined || readable(i)) kept.push(i);
  kept.sort((a, b) => {
    const x = addresses[a] as bigint;
    const y = addresses[b] as bigint;
    return x < y ? -1 : x > y ? 1 : a - b;
  });
  return { addresses: BigUint64Array.from(kept, (i) => addresses[i] as bigint), order: Uint32Array.from(kept) };
}
