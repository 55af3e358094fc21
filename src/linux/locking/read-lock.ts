/**
 * One lock decoded by its type: is it held, by whom, who waits.
 *
 *   mutex.owner        task | 1 waiters | 2 handoff | 4 pickup              kernel/locking/mutex.h (4.11+: e274795ea7b7; 3 before)
 *   rw_semaphore.owner task | 1 reader-owned | 2, 4 nonspinnable            kernel/locking/rwsem.c
 *   rw_semaphore.count 1 writer | 2 waiters | 4 handoff | readers from bit 8 (5.3+)
 *
 * Those of rt_mutexes are rt-lock.ts's.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../cpu.ts";
import { lockLayouts } from "./layout.ts";
import type { LockKind, LockState, LockWaiter } from "./lock.ts";
import { lockTaskAt } from "./lock-tasks.ts";
import { blank, FLAG_BITS, flagNames, lacking, ownerOf, withList } from "./lock-words.ts";
import { readRtMutex, readRtRwsem } from "./rt-lock.ts";
import { readSpinLock } from "./spin-lock.ts";
import { listWaiters } from "./wait-list.ts";

/** Reads a lock. @throws FaultError when it cannot be read, UnsupportedError when this kernel's types do not tell what such a lock is */
export function readLock(kernel: Kernel, kind: LockKind, address: VirtualAddress): LockState {
  switch (kind) {
    case "mutex":
      return readMutex(kernel, address);
    case "rwsem":
      return readRwsem(kernel, address);
    case "rt_mutex":
      return readRtMutex(kernel, address, "rt_mutex");
    case "semaphore":
      return readSemaphore(kernel, address);
    case "completion":
      return readCompletion(kernel, address);
    case "percpu_rwsem":
      return readPercpuRwsem(kernel, address);
    case "spinlock":
    case "rwlock":
      return readSpinLock(kernel, kind, address);
    case "folio":
    case "bit":
      return { ...blank(kernel, kind, address), held: "unknown", waiters: [], waitersComplete: false };
  }
}

function readMutex(kernel: Kernel, address: VirtualAddress): LockState {
  const layouts = lockLayouts(kernel);
  const inner = layouts.rtMutexIn.mutex;
  if (inner !== undefined) return { ...readRtMutex(kernel, inner.address(address), "mutex"), address };
  const layout = layouts.mutex;
  if (layout === undefined) throw lacking("mutex");
  const problems: string[] = [];
  const word = layout.owner?.pointer(address);
  const owner = word === undefined ? undefined : ownerOf(kernel, word, "owner", problems);
  const flags =
    word === undefined || !layout.tagged
      ? []
      : flagNames(word, [
          [1n, "waiters"],
          [2n, "handoff"],
          [4n, "pickup"],
        ]);
  return {
    ...blank(kernel, "mutex", address),
    held: word === undefined ? "unknown" : (word & ~FLAG_BITS) === 0n ? "free" : "held",
    owner,
    flags,
    ...withList(listWaiters(kernel, layout, address), problems),
    problems,
  };
}

function readRwsem(kernel: Kernel, address: VirtualAddress): LockState {
  const layouts = lockLayouts(kernel);
  const inner = layouts.rtMutexIn.rwsem;
  if (inner !== undefined) return readRtRwsem(kernel, address);
  const layout = layouts.rwsem;
  if (layout === undefined) throw lacking("rw_semaphore");
  const problems: string[] = [];
  const count = BigInt.asUintN(64, layout.count.bigint(address));
  const word = layout.owner?.pointer(address) ?? 0n;
  const { writer, readers, flags } = layout.counted === "bits" ? countBits(count) : countHalves(count, word);
  // Readers leave their task in the owner field and nobody clears it: after the last reader has left it means nothing.
  const mode = writer ? "writer" : "reader";
  const named = !writer && readers === 0 ? undefined : ownerOf(kernel, word, mode, problems);
  const owner =
    named === undefined || writer
      ? named
      : { ...named, certainty: "likely" as const, evidence: "the reader that took it last, by the owner field" };
  return {
    ...blank(kernel, "rwsem", address),
    held: writer ? "write" : readers === 0 ? "free" : "read",
    owner,
    readers: writer ? undefined : readers,
    flags: [...flags, ...flagNames(word, [[1n, "reader-owned"]])],
    ...withList(listWaiters(kernel, layout, address), problems),
    problems,
  };
}

interface RwsemCount {
  readonly writer: boolean;
  readonly readers: number | undefined;
  readonly flags: readonly string[];
}

function countBits(count: bigint): RwsemCount {
  const flags = flagNames(count, [
    [2n, "waiters"],
    [4n, "handoff"],
  ]);
  // Bit 63 guards against too many readers; a slow path of a reader adds itself for a moment.
  return { writer: (count & 1n) !== 0n, readers: Number((count & ~(1n << 63n)) >> 8n), flags };
}

/** Before 5.3: the low half counts the active, waiters bias the high half by -1; a writer is active and biases by -1 too. */
function countHalves(count: bigint, owner: bigint): RwsemCount {
  const active = Number(count & 0xffff_ffffn);
  const negative = BigInt.asIntN(64, count) < 0n;
  const writer = active === 1 && negative && owner !== 0n && (owner & 1n) === 0n;
  // With one active and waiters the count is the same for a reader and a writer: the owner tells, where there is one.
  return { writer, readers: writer ? undefined : active, flags: negative ? ["waiters"] : [] };
}

function readSemaphore(kernel: Kernel, address: VirtualAddress): LockState {
  const layout = lockLayouts(kernel).semaphore;
  if (layout === undefined) throw lacking("semaphore");
  const problems: string[] = [];
  const count = layout.count.number(address);
  const last = layout.lastHolder === undefined ? undefined : ownerOf(kernel, layout.lastHolder.pointer(address), "last holder", problems);
  return {
    ...blank(kernel, "semaphore", address),
    held: count === 0 ? "held" : "free",
    count,
    ...(last === undefined
      ? {}
      : { owner: { ...last, certainty: "likely" as const, evidence: "last_holder, which the kernel keeps for hung tasks" } }),
    ...withList(listWaiters(kernel, layout, address), problems),
    problems,
  };
}

function readCompletion(kernel: Kernel, address: VirtualAddress): LockState {
  const layout = lockLayouts(kernel).completion;
  if (layout === undefined) throw lacking("completion");
  const problems: string[] = [];
  const done = layout.done.number(address);
  return {
    ...blank(kernel, "completion", address),
    held: done === 0 ? "held" : "free",
    count: done,
    ...withList(listWaiters(kernel, layout, address), problems),
    problems,
  };
}

/** Highest count of readers that is believed: each is a task, or one CPU's share of a sum. */
const MAX_READERS = 1 << 22;

function readPercpuRwsem(kernel: Kernel, address: VirtualAddress): LockState {
  const layout = lockLayouts(kernel).percpuRwsem;
  if (layout === undefined) throw lacking("percpu_rw_semaphore");
  const problems: string[] = [];
  const blocked = layout.block === undefined ? undefined : layout.block.number(address) !== 0;
  const readers = layout.readCount === undefined ? undefined : percpuSum(kernel, virtual(layout.readCount.pointer(address)));
  const waiting = layout.writer?.pointer(address) ?? 0n;
  const writer = waiting === 0n ? undefined : lockTaskAt(kernel, waiting);
  const waiters: LockWaiter[] =
    writer === undefined || layout.writer === undefined ? [] : [{ address: layout.writer.address(address), task: writer, mode: "write" }];
  const list = listWaiters(kernel, layout, address);
  const held = blocked === undefined ? "unknown" : readers !== undefined && readers > 0 ? "read" : blocked ? "write" : "free";
  return {
    ...blank(kernel, "percpu_rwsem", address),
    held,
    readers: readers !== undefined && readers >= 0 && readers <= MAX_READERS ? readers : undefined,
    flags: blocked === true ? ["blocked by a writer"] : [],
    ...withList({ ...list, waiters: [...waiters, ...list.waiters] }, problems),
    problems,
  };
}

function percpuSum(kernel: Kernel, pointer: VirtualAddress): number | undefined {
  if (pointer === 0n) return undefined;
  let sum = 0;
  try {
    for (const cpu of cpuMasks(kernel).possible) sum += kernel.memory.u32(kernel.perCpuAddress(pointer, cpu)) | 0;
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
  return sum | 0;
}
