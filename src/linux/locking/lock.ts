/**
 * Locks and who waits for them, as data. Everything that is said of a lock carries how it is known:
 *
 *   task ──waits──► lock ──owner──► task ──waits──► …
 *     LockWait        LockState       LockOwner
 *
 * A wait is `verified` when the task's waiter is linked in the lock's own list of waiters; an owner is `exact` when the lock's owner field
 * names a live task. Chains and cycles say whether they are made of such only.
 */
import type { VirtualAddress } from "../../bytes/address.ts";

/** Kind of lock. */
export type LockKind =
  | "mutex"
  | "rwsem"
  | "rt_mutex"
  | "semaphore"
  | "percpu_rwsem"
  | "completion"
  /** A page or folio whose flag somebody waits for (PG_locked, PG_writeback). */
  | "folio"
  /** A bit of any word: wait_on_bit(). */
  | "bit"
  | "spinlock"
  | "rwlock";

/** Kinds that `lock ADDRESS --type` decodes. */
export const DECODABLE_KINDS = ["mutex", "rwsem", "rt_mutex", "semaphore", "percpu_rwsem", "completion", "spinlock"] as const;

/** The task behind an address. */
export interface LockTask {
  readonly pid: number;
  readonly comm: string;
  readonly address: VirtualAddress;
  readonly cpu: number;
  /** crash's two letters. */
  readonly state: string;
}

/** exact: a field of the kernel's says so. likely, possible: found on a stack or in registers. */
export type LockCertainty = "exact" | "likely" | "possible";

/** Who holds a lock, or may. */
export interface LockOwner {
  readonly task: LockTask;
  /** How it holds it. "reader": one of several, the last one that the kernel noted. */
  readonly mode: "owner" | "writer" | "reader" | "last holder";
  readonly certainty: LockCertainty;
  /** In words: "owner field", "its stack names the lock in lab_hang_reader+0x12". */
  readonly evidence: string;
}

/** A member of a lock's list of waiters, in the list's order. */
export interface LockWaiter {
  /** The waiter structure, usually on the waiting task's stack. */
  readonly address: VirtualAddress;
  /** undefined when the structure names no task that exists. */
  readonly task: LockTask | undefined;
  readonly mode: "read" | "write" | undefined;
}

/** One lock decoded by its type. */
export interface LockState {
  readonly kind: LockKind;
  readonly address: VirtualAddress;
  /** "lab_hang_a [lab_hang]", "init_task+0x…"; undefined when no symbol is near. */
  readonly symbol: string | undefined;
  readonly held: "free" | "held" | "read" | "write" | "unknown";
  /** What the lock's own fields say; those who merely may hold it are in ContendedLock.holders. */
  readonly owner: LockOwner | undefined;
  /** Readers inside; undefined for locks that know none, and where the count does not tell. */
  readonly readers: number | undefined;
  /** Flags of the owner and count words: "waiters", "handoff", "pickup" … */
  readonly flags: readonly string[];
  /** Free units of a semaphore, completions left over. */
  readonly count: number | undefined;
  readonly waiters: readonly LockWaiter[];
  /** The list could be followed to its end. */
  readonly waitersComplete: boolean;
  /** What of the lock cannot be, one line each: an owner that is no task, a broken list. */
  readonly problems: readonly string[];
}

/** What a task waits for. */
export interface LockWait {
  readonly task: LockTask;
  readonly kind: LockKind;
  /** undefined when the lock's address was not found. */
  readonly lock: VirtualAddress | undefined;
  readonly mode: "read" | "write" | undefined;
  /** Bit number of a bit or folio wait. */
  readonly bit?: number;
  /** Its name: "PG_locked". */
  readonly flag?: string;
  /** The waiter structure on its stack. */
  readonly waiter: VirtualAddress | undefined;
  /** Function of the kernel that waits: "__mutex_lock". */
  readonly through: string;
  /** Function that called it: "lab_hang_take_both". */
  readonly caller: string | undefined;
  readonly module: string | undefined;
  /** Seconds since the task last had a CPU; undefined when the kernel does not record it. */
  readonly seconds: number | undefined;
  /** The waiter is linked in the lock's list of waiters (spinlocks: the lock's tail names the CPU, or the lock is its only one). */
  readonly verified: boolean;
  /** How the lock was found, in words; with `verified` false what is missing. */
  readonly evidence: string;
}

/** A lock that somebody waits for. */
export interface ContendedLock {
  /** As its fields have it; `problems` where they cannot be read. */
  readonly state: LockState;
  readonly waits: readonly LockWait[];
  /** Tasks that hold it or may: the owner field's first, then those whose stack or registers name the lock. */
  readonly holders: readonly LockOwner[];
}

/** A walk from a waiting task along exact owners. */
export interface LockChain {
  /** Waits from the first task on; the owner of the last lock is the root. */
  readonly waits: readonly LockWait[];
  /** The task at the end that waits for no lock; undefined when the last lock's owner is not known. */
  readonly root: LockTask | undefined;
  /** exact: made of verified waits and exact owners only. */
  readonly certainty: "exact" | "likely";
}

/** Tasks that wait for each other in a circle: wait i is for a lock whose owner is the task of wait i+1, the last one's that of wait 0. */
export interface LockCycle {
  readonly waits: readonly LockWait[];
  /** exact: made of verified waits and exact owners only. */
  readonly certainty: "exact" | "likely";
  /** Everyone who waits, directly or not, for a lock of the circle. */
  readonly behind: readonly LockTask[];
}

/** A lock that lockdep says a task holds. */
export interface HeldLock {
  /** The lock, or its lockdep_map where the lock around it is not known (`kind` is undefined then). */
  readonly lock: VirtualAddress;
  readonly kind: LockKind | undefined;
  /** Name of its class: "&mm->mmap_lock". */
  readonly name: string;
  readonly mode: "read" | "write";
  readonly trylock: boolean;
  /** It is being acquired: the last one of a task that waits. */
  readonly acquiring: boolean;
  /** Where it was taken: "vm_mmap_pgoff+0x72". */
  readonly where: string | undefined;
}

/** Everything that tasks wait for: locks, who may hold them, chains and circles. */
export interface LockReport {
  /** Locks of circles first, then by how many wait. */
  readonly locks: readonly ContendedLock[];
  /** Waits whose lock was not found. */
  readonly unknown: readonly LockWait[];
  readonly cycles: readonly LockCycle[];
  /** The longest chain to each root that is no member of a circle, longest first. */
  readonly chains: readonly LockChain[];
  readonly notes: readonly string[];
}
