/** `lock`: who waits for which lock, who holds it, and who waits for each other. Our own; see src/linux/locking. */
import type { VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError, UsageError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import { stackReader } from "../identity/stack-reader.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { lockLayouts } from "../linux/locking/layout.ts";
import { type ContendedLock, DECODABLE_KINDS, type LockKind, type LockReport, type LockState } from "../linux/locking/lock.ts";
import { lockingNotes, lockReport } from "../linux/locking/lock-report.ts";
import { readLock } from "../linux/locking/read-lock.ts";
import { type TaskLocks, taskLocks } from "../linux/locking/task-locks.ts";
import { taskTable } from "../linux/task.ts";
import { viewApi } from "./api/views.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { contendedText, decodedText, reportText, taskText } from "./lock/text.ts";
import { addressTargets } from "./support/address-operand.ts";
import { taskOperand } from "./support/task-operand.ts";

export interface LockResult {
  /** Bare: everything that is waited for. */
  readonly report?: LockReport;
  /** `lock ADDRESS`: the lock as its fields have it, and, when it is waited for, who may hold it. */
  readonly locks?: readonly (LockState | ContendedLock)[];
  /** `lock -t`. */
  readonly tasks?: readonly TaskLocks[];
  readonly notes: readonly string[];
  /** Why tasks are missing that may wait as well. */
  readonly incomplete?: string;
}

const KINDS: readonly string[] = DECODABLE_KINDS;

/** Names of the structures, as a user may give them for --type. */
const TYPE_NAMES: Readonly<Record<string, LockKind>> = {
  rw_semaphore: "rwsem",
  rt_mutex_base: "rt_mutex",
  percpu_rw_semaphore: "percpu_rwsem",
  spinlock_t: "spinlock",
  raw_spinlock: "spinlock",
  raw_spinlock_t: "spinlock",
};

/** Sessions' reports: a second `lock` is at once. */
const reportKey = {};

export const lock = defineCommand<LockResult & { readonly verbose: boolean }>({
  spec: {
    name: "lock",
    summary: "locks: who waits, who holds, deadlocks",
    synopsis: ["[-v]", "[-v] -t pid | task …", "[-v] [--type kind] address | symbol …"],
    description: [
      "Without operands: every lock that a task waits for, with its owner, its waiters and for how long they have not run; before that the circles of tasks that wait for each other (deadlocks), and the chains of waits with the task at their root. Mutexes, rw_semaphores, rt_mutexes, semaphores, percpu_rw_semaphores, completions, folio and bit waits are found from the stacks of sleeping tasks, spinlocks from those of running ones.",
      "A wait is verified when the task's waiter is linked in the lock's own list; an owner is certain when the lock's owner field names a live task. What is not is told in words: (not verified), likely, possible. Locks that name no owner (spinlocks, semaphores, rw_semaphores held by readers) show the tasks whose stack or registers hold the lock's address and that do not wait for it.",
      "A completion has no owner, and neither has a folio: whoever is to complete or unlock it is not recorded.",
      "With an address or symbol: one lock, decoded by its type. The type is that of the symbol, or of the wait that names the address; --type says it where neither does.",
      "-t shows what tasks wait for and hold: locks that have waiters, mutexes and rw_semaphores that words of the task's stack point to and whose owner it is, and what lockdep has recorded where the kernel has it.",
    ],
    options: [
      { flag: "-t", help: "what these tasks wait for and hold; without operands the context task" },
      { flag: "--type", argument: "kind", help: `the lock's type: ${KINDS.join(", ")}` },
      { flag: "-v", help: "how each thing is known" },
    ],
    operands: ["symbol", "number", "task"],
    examples: [
      ["lock", "deadlocks, then all locks that are waited for"],
      ["lock -v", "the same with the evidence for each wait and owner"],
      ["lock -t 1234", "what a task waits for and holds"],
      ["lock --type rwsem ffff888003a4c078", "one rw_semaphore"],
      ["lock cgroup_mutex", "a lock by its name"],
    ],
    differences: ["crash has no such command."],
  },
  run(session, args) {
    const { kernel } = session;
    const verbose = args.has("-v");
    const notes = lockingNotes(kernel);
    if (args.has("-t")) {
      if (args.has("--type")) throw new UsageError("lock: --type goes with an address, not with -t");
      const wanted = args.operands.length === 0 ? [session.context.toString(16)] : args.operands;
      const chosen = wanted.map((word) => taskOperand(kernel, word));
      const report = reportOf(session);
      const tasks = chosen.map((task) => taskLocks(kernel, task, stackReader(kernel), report));
      return { tasks, notes, verbose, ...withoutVerbose({ tasks, notes }) };
    }
    if (args.operands.length > 0) {
      const locks = args.operands.flatMap((word) =>
        addressTargets(session, word).map(({ address }) => oneLock(session, args, word, address)),
      );
      return { locks, notes, verbose, ...withoutVerbose({ locks, notes }) };
    }
    if (args.has("--type")) throw new UsageError("lock: --type wants an address");
    const report = reportOf(session);
    const lack = taskTable(kernel).incomplete;
    const rest = lack === undefined ? {} : { incomplete: lack };
    return { report, notes, verbose, ...rest, ...withoutVerbose({ ...report, notes: [...notes, ...report.notes], ...rest }) };
  },
  // The library has no call for locks.
  api: viewApi("return kernel.locks();", ["-v"]),
  *text({ report, locks, tasks, notes, incomplete, verbose }) {
    if (report !== undefined) yield* reportText(report, verbose, incomplete !== undefined);
    if (incomplete !== undefined) yield `(tasks are missing that may wait too: ${incomplete})`;
    for (const [index, each] of (locks ?? []).entries()) {
      if (index > 0) yield "";
      yield* "state" in each ? contendedText(each, verbose) : decodedText(each, verbose);
    }
    for (const [index, each] of (tasks ?? []).entries()) {
      if (index > 0) yield "";
      yield* taskText(each, verbose);
    }
    for (const note of [...notes, ...(report?.notes ?? [])]) yield `(${note})`;
  },
});

/** JSON is the data; how it is laid out is no part of it. */
function withoutVerbose(data: object): { toJSON(): object } {
  return { toJSON: () => data };
}

function reportOf({ kernel, progress }: Session): LockReport {
  return kernel.memo(reportKey, () => lockReport(kernel, stackReader(kernel), progress));
}

function oneLock(session: Session, args: ParsedArguments, word: string, address: VirtualAddress): LockState | ContendedLock {
  const { kernel } = session;
  const typed = args.value("--type");
  const kind = typed === undefined ? declaredKind(session, word) : kindNamed(typed);
  const waited = reportOf(session).locks.find(({ state }) => state.address === address && (kind === undefined || state.kind === kind));
  if (waited !== undefined) return waited;
  if (kind !== undefined) return readLock(kernel, kind, address);
  const guessed = guessedLock(kernel, address, word);
  if (guessed !== undefined) return guessed;
  throw new LookupError(
    `lock: what kind of lock lies at ${address.toString(16)} is not known: nobody waits for it, no type is declared for it, and what lies there does not tell; say --type ${KINDS.join(" | ")}`,
  );
}

/**
 * A lock of undeclared type by what lies there: the only kind whose list of waiters begins and ends in itself and whose owner is nobody or a
 * live task. Locks without a head (7.x) are all zero when free: there the name must say it.
 */
function guessedLock(kernel: Kernel, address: VirtualAddress, word: string): LockState | undefined {
  const { mutex, rwsem, semaphore } = lockLayouts(kernel);
  const tried = [
    ["mutex", mutex, /mutex/],
    ["rwsem", rwsem, /rwsem|mmap_lock$/],
    ["semaphore", semaphore, /semaphore$/],
  ] as const;
  const sane = tried.flatMap(([kind, layout, names]) => {
    if (layout === undefined || (layout.head === undefined && !names.test(word))) return [];
    try {
      const state = readLock(kernel, kind, address);
      return state.waitersComplete && state.problems.length === 0 ? [state] : [];
    } catch (error) {
      if (error instanceof InquestError) return [];
      throw error;
    }
  });
  const [only] = sane;
  return only === undefined || sane.length !== 1
    ? undefined
    : { ...only, problems: ["its type is not declared: it is taken from what lies there"] };
}

function kindNamed(text: string): LockKind {
  const plain = text.replace(/^(struct|union) /, "");
  const kind = TYPE_NAMES[plain] ?? plain;
  if (!KINDS.includes(kind)) throw new UsageError(`lock: no kind of lock is called "${text}"; it is one of ${KINDS.join(", ")}`);
  return kind as LockKind;
}

/** The kind that a variable is declared as; a member path or a plain address declares none. */
function declaredKind({ kernel }: Session, word: string): LockKind | undefined {
  if (!/^[A-Za-z_]\w*$/.test(word)) return undefined;
  const type = kernel.variableType(word);
  const plain = type === undefined ? undefined : strip(type);
  if (plain === undefined || !("name" in plain) || plain.name === undefined) return undefined;
  const kind = TYPE_NAMES[plain.name] ?? plain.name;
  return KINDS.includes(kind) ? (kind as LockKind) : undefined;
}
