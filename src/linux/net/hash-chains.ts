/**
 * Chains of the kernel's hash tables of sockets: hlist (ends with NULL) and hlist_nulls (ends with an odd number), both linked at the
 * first word of the node. They are walked alike, without the way back: sockets move between chains under RCU.
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { CorruptionError, InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { tell } from "./guarded.ts";

/** Sockets in one chain: a table of one bucket with all sockets of a busy host. */
const MAX_CHAIN = 1 << 22;
/** thash_entries and uhash_entries go up to 2^19 by themselves and higher on request. */
const MAX_BUCKETS = 1 << 25;
/** Buckets read at once. */
const CHUNK = 512;

/** Nodes of a chain from the pointer to its first. @throws CorruptionError, FaultError */
export function* chainNodes(kernel: Kernel, first: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const seen = new Set<bigint>();
  for (let node = first; node !== 0n && (node & 1n) === 0n; node = kernel.memory.u64(node) as VirtualAddress) {
    if (seen.has(node)) throw new CorruptionError("hlist_node", "the chain runs in a circle", node);
    if (seen.size >= MAX_CHAIN) throw new CorruptionError("hlist_node", `more than ${MAX_CHAIN} nodes in a chain`, node);
    seen.add(node);
    yield node;
  }
}

export interface HashTable {
  /** First bucket. */
  readonly buckets: VirtualAddress;
  readonly count: number;
  /** Bytes of a bucket, and where in it the pointer to the first node lies. */
  readonly size: number;
  readonly head: number;
}

/**
 * Nodes of all chains. Buckets that cannot be read and chains that break are told in `notes`.
 * @param progress told how many buckets are done
 */
export function* tableNodes(
  kernel: Kernel,
  { buckets, count, size, head }: HashTable,
  what: string,
  notes: string[],
  progress?: (done: number, total: number) => void,
): Generator<VirtualAddress, void, undefined> {
  if (count > MAX_BUCKETS || size < 8) {
    tell(notes, `${what}: ${count} buckets of ${size} bytes: the table is damaged`);
    return;
  }
  for (let from = 0; from < count; from += CHUNK) {
    const here = Math.min(CHUNK, count - from);
    progress?.(from, count);
    const bytes = kernel.memory.tryBytes(add(buckets, from * size), here * size);
    if (bytes === undefined) {
      tell(notes, `${what}: buckets ${from} to ${from + here - 1} cannot be read`);
      continue;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < here; i++) {
      const at = i * size + head;
      // Empty: NULL, or an odd number of nulls; bit 0 lies in the first byte.
      if ((view.getUint8(at) & 1) !== 0) continue;
      const first = view.getBigUint64(at, true);
      if (first === 0n) continue;
      try {
        yield* chainNodes(kernel, first as VirtualAddress);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        tell(notes, `${what}: bucket ${from + i}: ${error.message}`);
      }
    }
  }
}
