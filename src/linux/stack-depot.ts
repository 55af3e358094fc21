/**
 * The stack depot: stack traces stored once, named by a handle of 32 bits (lib/stackdepot.c, include/linux/stackdepot.h).
 *
 *   handle │ extra 5 │ (valid 1) │ offset 10 │ pool 16…21 │        record = pools[pool] + offset << 4
 *   record: next or hash_list, hash, size, handle, (count), entries[size]
 *
 * The pools were slabs (stack_slabs[], slabindex) until 6.2, are stack_pools[] since, and a pointer to
 * such an array where their number can be set at boot (stack_max_pools, 6.18). pool_index counts from 1 since 6.9 (pool_index_plus_1,
 * dc24559472a6).
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** A place in code as stack traces hold it: a return address. */
export type StackAddresses = readonly VirtualAddress[];

/** DEPOT_STACK_ALIGN. */
const RECORD_ALIGN = 4;
/** CONFIG_STACKDEPOT_MAX_FRAMES is at most 256. */
const MAX_FRAMES = 256;
const MAX_POOLS = 1 << 21;

interface Bits {
  readonly shift: number;
  readonly mask: number;
}

class StackDepot {
  readonly #kernel: Kernel;
  readonly #pools: VirtualAddress;
  readonly #pool: Bits;
  readonly #first: number;
  readonly #offset: Bits;
  readonly #size: number;
  readonly #entries: number;
  readonly #handle: number;
  readonly #known = new Map<number, StackAddresses | string>();

  private constructor(
    kernel: Kernel,
    parts: { pools: VirtualAddress; pool: Bits; first: number; offset: Bits; size: number; entries: number; handle: number },
  ) {
    this.#kernel = kernel;
    this.#pools = parts.pools;
    this.#pool = parts.pool;
    this.#first = parts.first;
    this.#offset = parts.offset;
    this.#size = parts.size;
    this.#entries = parts.entries;
    this.#handle = parts.handle;
  }

  /** Of this kernel, or one line saying why there is none. */
  static of(kernel: Kernel): StackDepot | string {
    return kernel.memo(StackDepot, () => {
      const record = kernel.types.tryStruct("stack_record");
      const parts = kernel.types.tryStruct("handle_parts");
      const pool = parts?.firstField("pool_index_plus_1", "pool_index", "slabindex");
      const offset = parts?.tryField("offset");
      const [size, entries, handle] = [record?.tryField("size"), record?.tryField("entries"), record?.tryField("handle")];
      if (pool === undefined || offset === undefined || size === undefined || entries === undefined || handle === undefined)
        return "stack traces cannot be read: the types of this dump have no stack depot (struct stack_record, union handle_parts)";
      const symbol = kernel.tryAddress("stack_pools") ?? kernel.tryAddress("stack_slabs");
      if (symbol === undefined) return "stack traces cannot be read: no symbol stack_pools (stack_slabs before 6.3) in this dump";
      const isPointer = kernel.tryAddress("stack_max_pools") !== undefined;
      const pools = isPointer ? virtual(kernel.memory.tryU64(symbol) ?? 0n) : symbol;
      const bits = ({ offset: byte, bitShift, bitSize }: typeof pool): Bits => ({
        shift: byte * 8 + bitShift,
        mask: 2 ** Math.min(bitSize ?? 0, 31) - 1,
      });
      return new StackDepot(kernel, {
        pools,
        pool: bits(pool),
        first: pool.path === "pool_index_plus_1" ? 1 : 0,
        offset: bits(offset),
        size: size.offset,
        entries: entries.offset,
        handle: handle.offset,
      });
    });
  }

  fetch(handle: number): StackAddresses | string {
    let stack = this.#known.get(handle);
    if (stack === undefined) {
      stack = this.#read(handle >>> 0);
      this.#known.set(handle, stack);
    }
    return stack;
  }

  #read(handle: number): StackAddresses | string {
    const { memory } = this.#kernel;
    const index = ((handle >>> this.#pool.shift) & this.#pool.mask) - this.#first;
    const offset = ((handle >>> this.#offset.shift) & this.#offset.mask) << RECORD_ALIGN;
    const name = `stack trace ${handle.toString(16).padStart(8, "0")}`;
    if (index < 0 || index > MAX_POOLS) return `${name} names no pool`;
    const pool = memory.tryU64(add(this.#pools, index * 8));
    if (pool === undefined || pool === 0n) return `${name}: pool ${index} ${pool === 0n ? "does not exist" : "cannot be read"}`;
    const record = add(virtual(pool), offset);
    const [size, own] = [memory.tryU32(add(record, this.#size)), memory.tryU32(add(record, this.#handle))];
    if (size === undefined || own === undefined) return `${name} cannot be read`;
    // The record holds its own handle, without the bits that users may add.
    const named = (this.#pool.mask << this.#pool.shift) | (this.#offset.mask << this.#offset.shift);
    if (((own ^ handle) & named) !== 0)
      return `${name} was given back or overwritten: its record is of ${own.toString(16).padStart(8, "0")}`;
    if (size > MAX_FRAMES) return `${name} says to have ${size} entries`;
    const bytes = memory.tryBytes(add(record, this.#entries), size * 8);
    if (bytes === undefined) return `${name} cannot be read`;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return Array.from({ length: size }, (_, i) => virtual(view.getBigUint64(i * 8, true)));
  }
}

/** The stack trace behind a handle, innermost return address first; or one line saying why it cannot be had. */
export function depotStack(kernel: Kernel, handle: number): StackAddresses | string {
  if (handle === 0) return "no stack trace was stored";
  const depot = StackDepot.of(kernel);
  return typeof depot === "string" ? depot : depot.fetch(handle);
}
