/**
 * Where the members of locks and of their waiters lie in this kernel.
 *
 *   mutex.wait_list ⇄ waiter.list ⇄ waiter.list          a head in the lock (up to 6.x)
 *   mutex.first_waiter ─► waiter.list ⇄ waiter.list      no head: the waiters are a ring of their own (7.x)
 *
 * Sources: include/linux/{mutex,rwsem,semaphore,rtmutex,completion,percpu-rwsem}.h, kernel/locking/{mutex.h,rwsem.c,semaphore.c,
 * rtmutex_common.h}. With CONFIG_PREEMPT_RT a mutex is an rt_mutex (member `rtmutex`) and a rw_semaphore an rwbase_rt around one.
 */
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";

/** A structure on a waiting task's stack, linked into the lock. */
export interface WaiterLayout {
  readonly struct: Struct;
  /** list_head. */
  readonly list: Field;
  readonly task: Field;
  /** rwsem_waiter.type: 0 waits to write, 1 to read. */
  readonly type: Field | undefined;
}

/** A lock whose waiters are on a list. */
export interface ListLockLayout {
  readonly struct: Struct;
  /** Head of the list; undefined where there is only a first waiter. */
  readonly head: Field | undefined;
  readonly first: Field | undefined;
  readonly waiter: WaiterLayout;
}

export interface MutexLayout extends ListLockLayout {
  readonly owner: Field | undefined;
  /** The owner word carries flags in its low bits (4.10+: 3ca0ff571b09); a plain pointer before. */
  readonly tagged: boolean;
  readonly spinLock: Field | undefined;
}

export interface RwsemLayout extends ListLockLayout {
  readonly count: Field;
  readonly owner: Field | undefined;
  /** count: bit 0 writer, 1 waiters, 2 handoff, readers from bit 8 (5.3+: 64489e78004c); before, active in the low half. */
  readonly counted: "bits" | "halves";
}

export interface SemaphoreLayout extends ListLockLayout {
  readonly count: Field;
  /** 6.16+ with CONFIG_DETECT_HUNG_TASK_BLOCKER. */
  readonly lastHolder: Field | undefined;
}

export interface RtMutexLayout {
  readonly struct: Struct;
  /** struct rb_root: 4.14 wrapped it into rb_root_cached. */
  readonly root: Field;
  readonly owner: Field;
  readonly waiter: { readonly struct: Struct; readonly node: Field; readonly task: Field; readonly lock: Field };
}

export interface CompletionLayout extends ListLockLayout {
  readonly done: Field;
}

export interface PercpuRwsemLayout extends ListLockLayout {
  readonly block: Field | undefined;
  readonly readCount: Field | undefined;
  /** rcuwait.task: the writer that waits for the readers to leave. */
  readonly writer: Field | undefined;
}

export interface SpinLockLayout {
  readonly size: number;
  /** CONFIG_DEBUG_SPINLOCK: raw_spinlock.owner and .owner_cpu. */
  readonly owner: Field | undefined;
  readonly ownerCpu: Field | undefined;
}

/** Members of task_struct that name what a task waits for. */
export interface TaskLockLayout {
  readonly piBlockedOn: Field | undefined;
  readonly blockedOn: Field | undefined;
  /** blocked_on names the lock (proxy execution, 6.17+) or the mutex_waiter (CONFIG_DEBUG_MUTEXES before). */
  readonly blockedOnNames: "mutex" | "waiter";
  /** 6.16+ with CONFIG_DETECT_HUNG_TASK_BLOCKER: a lock with its kind in the low two bits (include/linux/hung_task.h). */
  readonly blocker: Field | undefined;
}

export interface LockLayouts {
  readonly mutex: MutexLayout | undefined;
  readonly rwsem: RwsemLayout | undefined;
  readonly semaphore: SemaphoreLayout | undefined;
  readonly rtMutex: RtMutexLayout | undefined;
  readonly completion: CompletionLayout | undefined;
  readonly percpuRwsem: PercpuRwsemLayout | undefined;
  readonly spinLock: SpinLockLayout | undefined;
  /** wait_queue_entry, on the stack of who waits on a wait queue. */
  readonly waitEntry: WaiterLayout | undefined;
  readonly task: TaskLockLayout;
  /** Where the rt_mutex lies in a mutex and in a rw_semaphore of a PREEMPT_RT kernel, and the latter's count of readers. */
  readonly rtMutexIn: { readonly mutex: Field | undefined; readonly rwsem: Field | undefined; readonly readers: Field | undefined };
}

/** What this kernel's types tell; a kind whose types are missing is undefined. */
export function lockLayouts(kernel: Kernel): LockLayouts {
  return kernel.memo(lockLayouts, () => {
    const { types } = kernel;
    const waitEntry = waitEntryLayout(kernel);
    return {
      mutex: mutexLayout(kernel),
      rwsem: rwsemLayout(kernel),
      semaphore: semaphoreLayout(kernel),
      rtMutex: rtMutexLayout(kernel),
      completion: completionLayout(kernel, waitEntry),
      percpuRwsem: percpuRwsemLayout(kernel, waitEntry),
      spinLock: spinLockLayout(kernel),
      waitEntry,
      task: taskLayout(kernel),
      rtMutexIn: {
        mutex: types.tryStruct("mutex")?.tryField("rtmutex"),
        rwsem: types.tryStruct("rw_semaphore")?.tryField("rwbase.rtmutex"),
        readers: types.tryStruct("rw_semaphore")?.tryField("rwbase.readers.counter"),
      },
    };
  });
}

function listWaiter(struct: Struct | undefined): WaiterLayout | undefined {
  const list = struct?.firstField("list", "task_list", "entry");
  const task = struct?.firstField("task", "private");
  return struct === undefined || list === undefined || task === undefined
    ? undefined
    : { struct, list, task, type: struct.tryField("type") };
}

/** wait_queue_t until 4.12 (ac6424b981bc); its list_head was task_list, also until then. */
function waitEntryLayout({ types }: Kernel): WaiterLayout | undefined {
  return listWaiter(types.tryStruct("wait_queue_entry") ?? types.tryStruct("__wait_queue"));
}

function listLock(struct: Struct, waiter: WaiterLayout | undefined, head = "wait_list"): ListLockLayout | undefined {
  const [list, first] = [struct.tryField(head), struct.tryField("first_waiter")];
  return waiter === undefined || (list === undefined && first === undefined) ? undefined : { struct, head: list, first, waiter };
}

function mutexLayout({ types }: Kernel): MutexLayout | undefined {
  const struct = types.tryStruct("mutex");
  const base = struct === undefined ? undefined : listLock(struct, listWaiter(types.tryStruct("mutex_waiter")));
  if (struct === undefined || base === undefined) return undefined;
  const counter = struct.tryField("owner.counter");
  const owner = counter ?? struct.tryField("owner");
  return { ...base, owner, tagged: counter !== undefined, spinLock: struct.tryField("wait_lock") };
}

function rwsemLayout({ types }: Kernel): RwsemLayout | undefined {
  const struct = types.tryStruct("rw_semaphore");
  const base = struct === undefined ? undefined : listLock(struct, listWaiter(types.tryStruct("rwsem_waiter")));
  const count = struct?.firstField("count.counter", "count");
  if (struct === undefined || base === undefined || count === undefined) return undefined;
  const owner = struct.firstField("owner.counter", "owner");
  // The new count came with an owner that is an atomic_long_t (94a9717b3c40, both in 5.3).
  return { ...base, count, owner, counted: struct.has("owner.counter") ? "bits" : "halves" };
}

function semaphoreLayout({ types }: Kernel): SemaphoreLayout | undefined {
  const struct = types.tryStruct("semaphore");
  const base = struct === undefined ? undefined : listLock(struct, listWaiter(types.tryStruct("semaphore_waiter")));
  const count = struct?.tryField("count");
  return struct === undefined || base === undefined || count === undefined
    ? undefined
    : { ...base, count, lastHolder: struct.tryField("last_holder") };
}

/** rt_mutex_base carries the lock since 5.15 (830e6acc8a1c); rt_waiter_node its trees since 6.5 (f7853c342418). */
function rtMutexLayout({ types }: Kernel): RtMutexLayout | undefined {
  const struct = types.tryStruct("rt_mutex_base") ?? types.tryStruct("rt_mutex");
  const waiter = types.tryStruct("rt_mutex_waiter");
  const root = struct?.firstField("waiters.rb_root", "waiters");
  const owner = struct?.tryField("owner");
  const node = waiter?.firstField("tree.entry", "tree_entry");
  const [task, lock] = [waiter?.tryField("task"), waiter?.tryField("lock")];
  if (struct === undefined || waiter === undefined || root === undefined || owner === undefined) return undefined;
  if (node === undefined || task === undefined || lock === undefined) return undefined;
  return { struct, root, owner, waiter: { struct: waiter, node, task, lock } };
}

/** swait since 5.7 (a5c6234e1028), an ordinary wait queue before. */
function completionLayout({ types }: Kernel, waitEntry: WaiterLayout | undefined): CompletionLayout | undefined {
  const struct = types.tryStruct("completion");
  const done = struct?.tryField("done");
  if (struct === undefined || done === undefined) return undefined;
  const simple = types.tryStruct("swait_queue_head")?.tryField("task_list");
  const wait = struct.tryField("wait");
  const swait = wait !== undefined && types.wrap(wait.type)?.name === "swait_queue_head" && simple !== undefined;
  const waiter = swait ? listWaiter(types.tryStruct("swait_queue")) : waitEntry;
  const base = listLock(struct, waiter, struct.has("wait.head") ? "wait.head" : "wait.task_list");
  return base === undefined ? undefined : { ...base, done };
}

/** 5.7 dropped the rw_semaphore inside and made the waiters a queue of its own (7f26482a872c). */
function percpuRwsemLayout({ types }: Kernel, waitEntry: WaiterLayout | undefined): PercpuRwsemLayout | undefined {
  const struct = types.tryStruct("percpu_rw_semaphore");
  const base = struct === undefined ? undefined : listLock(struct, waitEntry, "waiters.head");
  if (struct === undefined || base === undefined) return undefined;
  return {
    ...base,
    block: struct.tryField("block.counter"),
    readCount: struct.tryField("read_count"),
    writer: struct.tryField("writer.task"),
  };
}

/** Both machines use qspinlock (arm64 since 4.19: c11090474d70); a kernel without SMP has an empty structure. */
function spinLockLayout({ types }: Kernel): SpinLockLayout | undefined {
  const struct = types.tryStruct("raw_spinlock");
  if (struct === undefined || types.tryStruct("qspinlock") === undefined || struct.tryField("raw_lock.val") === undefined) return undefined;
  return { size: struct.size, owner: struct.tryField("owner"), ownerCpu: struct.tryField("owner_cpu") };
}

function taskLayout({ types }: Kernel): TaskLockLayout {
  const struct = types.tryStruct("task_struct");
  const blockedOn = struct?.tryField("blocked_on");
  const target = blockedOn?.type;
  const named = target?.kind === "pointer" ? types.wrap(target.target)?.name : undefined;
  return {
    piBlockedOn: struct?.tryField("pi_blocked_on"),
    blockedOn,
    blockedOnNames: named === "mutex" ? "mutex" : "waiter",
    blocker: struct?.tryField("blocker"),
  };
}
