/**
 * Objects of KFENCE: slab objects that lie alone in a page between guard pages, at either end of it (mm/kfence/core.c).
 *
 *   __kfence_pool │ 2 pages │ object page 0 │ guard │ object page 1 │ guard │ …       kfence_metadata[n]: addr, size of object n
 *
 * kfence_metadata is a pointer since 6.6 (cabdf74e6b31), before an array.
 */
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** CONFIG_KFENCE_NUM_OBJECTS is at most 65535. */
const MAX_OBJECTS = 65535;

export interface KfenceObject {
  readonly start: VirtualAddress;
  readonly size: number;
  /** Whether it is in use; undefined where its record does not tell. */
  readonly allocated: boolean | undefined;
}

/** The object in the pool page that holds the address; undefined when the address is in no such page or the record does not agree. */
export function kfenceObject(kernel: Kernel, address: VirtualAddress): KfenceObject | undefined {
  const pool = kernel.memo(kfenceObject, () => readPool(kernel));
  if (pool === undefined) return undefined;
  const page = kernel.arch.pageSize;
  const offset = distance(address, pool.start);
  const index = Math.floor(offset / (page * 2)) - 1;
  if (index < 0 || index >= MAX_OBJECTS || Math.floor(offset / page) % 2 !== 0) return undefined;
  const record = add(pool.records, index * pool.recordSize);
  const start = kernel.memory.tryU64(add(record, pool.address));
  const size = kernel.memory.tryU64(add(record, pool.size));
  if (start === undefined || size === undefined || size > BigInt(page)) return undefined;
  // The record must name an object of this very page.
  const distanceToStart = distance(start, pool.start);
  return Math.floor(distanceToStart / page) === Math.floor(offset / page)
    ? { start: virtual(start), size: Number(size), allocated: isAllocated(kernel, record) }
    : undefined;
}

/** KFENCE_OBJECT_ALLOCATED; an object whose kfree_rcu() waits (RCU_FREEING, 6.12) is no longer in use. */
function isAllocated(kernel: Kernel, record: VirtualAddress): boolean | undefined {
  const state = kernel.types.tryStruct("kfence_metadata")?.tryField("state");
  const allocated = kernel.types.constant("KFENCE_OBJECT_ALLOCATED");
  const value = state === undefined ? undefined : kernel.memory.tryU32(state.address(record));
  return value === undefined || allocated === undefined ? undefined : value === Number(allocated);
}

/** True when the address is in the pool at all, as far as its size can be known. */
export function inKfencePool(kernel: Kernel, address: VirtualAddress): boolean {
  const pool = kernel.memo(kfenceObject, () => readPool(kernel));
  const offset = pool === undefined ? -1 : distance(address, pool.start);
  return pool !== undefined && offset >= 0 && offset < pool.bytes;
}

interface Pool {
  readonly start: VirtualAddress;
  readonly bytes: number;
  readonly records: VirtualAddress;
  readonly recordSize: number;
  /** Offsets of the record's fields. */
  readonly address: number;
  readonly size: number;
}

function readPool(kernel: Kernel): Pool | undefined {
  const type = kernel.types.tryStruct("kfence_metadata");
  const address = type?.tryField("addr");
  const size = type?.tryField("size");
  const pool = kernel.tryAddress("__kfence_pool");
  const symbol = kernel.tryAddress("kfence_metadata");
  if (type === undefined || address === undefined || size === undefined || pool === undefined || symbol === undefined) return undefined;
  const start = kernel.memory.tryU64(pool);
  if (start === undefined || start === 0n) return undefined;
  const room = kernel.symbols.byName("kfence_metadata")?.size ?? 0;
  const isArray = room >= type.size;
  const records = isArray ? symbol : kernel.memory.tryU64(symbol);
  if (records === undefined || records === 0n) return undefined;
  // The pool is one allocation; behind a pointer its number of objects is not recorded: the default is 255.
  const objects = isArray ? Math.min(MAX_OBJECTS, Math.floor(room / type.size)) : 255;
  const bytes = (objects + 1) * 2 * kernel.arch.pageSize;
  return { start: virtual(start), bytes, records: virtual(records), recordSize: type.size, address: address.offset, size: size.offset };
}
