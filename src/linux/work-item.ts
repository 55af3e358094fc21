/**
 * struct work_struct (include/linux/workqueue.h): what will run, and where it is queued.
 *
 *   work_struct { atomic_long_t data; list_head entry; work_func_t func }
 *   data: bit 0 pending, bit 1 inactive (delayed until 5.15), bit 2 data holds a pool_workqueue (its address, low 8 or 9 bits cut),
 *         else the number of the pool that ran it last
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** WORK_STRUCT_PWQ; unchanged since 3.9 (112202d9098a). */
const HOLDS_QUEUE = 4n;

/** Name of the function that a work item runs; undefined when it points at no symbol. @throws FaultError */
export function workFunction(kernel: Kernel, work: VirtualAddress): string | undefined {
  const called = kernel.types.struct("work_struct").field("func").pointer(work);
  return called === 0n ? undefined : kernel.symbolize(called);
}

/** The pool_workqueue that a pending item waits in; undefined when it waits in none. @throws FaultError */
export function workQueueOf(kernel: Kernel, work: VirtualAddress): VirtualAddress | undefined {
  const data = kernel.memory.u64(kernel.types.struct("work_struct").field("data").address(work));
  return (data & HOLDS_QUEUE) === 0n ? undefined : virtual(data & queueMask(kernel));
}

/**
 * pool_workqueue is aligned to 1 << WORK_STRUCT_FLAG_BITS. The enum tells how many bits: 8 until 6.9 (9 with debug objects), named
 * WORK_STRUCT_PWQ_SHIFT then (afe928c1dc61).
 */
function queueMask(kernel: Kernel): bigint {
  const bits = kernel.types.constant("WORK_STRUCT_PWQ_SHIFT") ?? kernel.types.constant("WORK_STRUCT_FLAG_BITS") ?? 8n;
  return ~((1n << (bits > 12n ? 8n : bits)) - 1n) & 0xffff_ffff_ffff_ffffn;
}
