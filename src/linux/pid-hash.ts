/**
 * The hash of pids that kernels before 4.15 (95846ecf9dac) kept in place of an IDR (kernel/pid.c).
 *
 *   pid_hash ─► hlist_head[1 << pidhash_shift] ─► upid.pid_chain ─► upid.pid_chain ─► …
 *               upid { nr, ns, pid_chain }  is  struct pid.numbers[level]; in init_pid_ns, where every pid has a number, level 0
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** pidhash_init() makes at most 4096 heads. */
const MAX_SHIFT = 16;

/**
 * Every struct pid with a number in the first namespace, in the order of the hash; undefined when this kernel has no such hash.
 * @throws CorruptionError after `limit` entries: a chain runs in a circle
 */
export function hashedPids(kernel: Kernel, limit: number): Iterable<VirtualAddress> | undefined {
  const { memory, types } = kernel;
  const table = kernel.tryAddress("pid_hash");
  const shiftAt = kernel.tryAddress("pidhash_shift");
  const numbers = types.tryStruct("pid")?.tryField("numbers");
  const upid = types.tryStruct("upid");
  const chain = upid?.tryField("pid_chain");
  const owner = upid?.tryField("ns");
  const first = kernel.tryAddress("init_pid_ns");
  const heads = table === undefined ? undefined : memory.tryU64(table);
  const shift = shiftAt === undefined ? undefined : memory.tryU32(shiftAt);
  if (heads === undefined || shift === undefined || shift > MAX_SHIFT || numbers === undefined) return undefined;
  if (chain === undefined || owner === undefined || first === undefined) return undefined;
  return (function* () {
    let count = 0;
    for (let bucket = 0; bucket < 1 << shift; bucket++) {
      let node = memory.tryU64(add(virtual(heads), bucket * 8));
      for (; node !== undefined && node !== 0n; node = memory.tryU64(virtual(node))) {
        if (++count > limit) throw new CorruptionError("pid_hash", `more than ${limit} entries: a chain runs in a circle`, virtual(node));
        const number = containerOf(virtual(node), chain);
        // A pid of a container has a number on each level; the one in the first namespace stands for it.
        if (memory.tryU64(owner.address(number)) === first) yield add(number, -numbers.offset);
      }
    }
  })();
}
