/**
 * SRCU domains (kernel/rcu/srcutree.c). No list holds them all; those that are defined statically have a per-CPU symbol NAME_srcu_data.
 *
 *   srcu_struct.srcu_gp_seq; since 6.4 (03200b5ca3b4) behind srcu_sup
 *   srcu_data per CPU: srcu_lock_count[2] and srcu_unlock_count[2]; since 6.15 srcu_ctrs[2] { srcu_locks, srcu_unlocks }: their difference
 *   over all CPUs are the readers; srcu_cblist.len the callbacks
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { attempt } from "./gather.ts";

const SUFFIX = "_srcu_data";

/** A static SRCU domain. */
export interface SrcuDomain {
  readonly name: string;
  readonly address: VirtualAddress;
  readonly inProgress: boolean | undefined;
  readonly number: number | undefined;
  /** Readers by index; the grace period waits for one of them to reach zero. */
  readonly readers: readonly [number, number];
  readonly callbacks: number;
}

/** The static domains of the kernel and its modules. */
export function srcuDomains(kernel: Kernel, cpus: readonly number[], notes: string[]): readonly SrcuDomain[] {
  const { symbols } = kernel;
  const found: SrcuDomain[] = [];
  for (let i = 0; i < symbols.count; i++) {
    const symbol = symbols.at(i);
    if (!symbol.name.endsWith(SUFFIX)) continue;
    const name = symbol.name.slice(0, -SUFFIX.length);
    const address = kernel.tryAddress(name);
    if (address === undefined) continue;
    const domain = attempt(() => readDomain(kernel, name, address, symbol.address, cpus), notes, `srcu_struct ${name}`);
    if (domain !== undefined) found.push(domain);
  }
  return found;
}

function readDomain(
  kernel: Kernel,
  name: string,
  address: VirtualAddress,
  data: VirtualAddress,
  cpus: readonly number[],
): SrcuDomain | undefined {
  const struct = kernel.types.tryStruct("srcu_struct");
  const perCpu = kernel.types.tryStruct("srcu_data");
  if (struct === undefined || perCpu === undefined) return undefined;
  const behind = struct.tryField("srcu_sup");
  const sequence =
    behind === undefined
      ? struct.tryField("srcu_gp_seq")?.bigint(address)
      : kernel.types.tryStruct("srcu_usage")?.tryField("srcu_gp_seq")?.bigint(behind.pointer(address));
  const word = sequence === undefined ? undefined : BigInt.asUintN(64, sequence);
  const counters = perCpu.tryField("srcu_ctrs");
  const length = perCpu.firstField("srcu_cblist.len.counter", "srcu_cblist.len");
  const readers: [number, number] = [0, 0];
  let callbacks = 0;
  for (const cpu of cpus) {
    const at = kernel.perCpuAddress(data, cpu);
    callbacks += length?.number(at) ?? 0;
    for (const index of [0, 1] as const) {
      const [locks, unlocks] =
        counters !== undefined
          ? [counters.offset + index * (counters.size / 2), counters.offset + index * (counters.size / 2) + 8]
          : [perCpu.field("srcu_lock_count").offset + index * 8, perCpu.field("srcu_unlock_count").offset + index * 8];
      readers[index] += Number(BigInt.asIntN(64, kernel.memory.u64(add(at, locks)) - kernel.memory.u64(add(at, unlocks))));
    }
  }
  return {
    name,
    address: virtual(address),
    inProgress: word === undefined ? undefined : (word & 3n) !== 0n,
    number: word === undefined ? undefined : Number(word >> 2n),
    readers,
    callbacks,
  };
}
