/** How `lock` reads: circles first, then chains, then each lock with its holders and waiters. */
import { hex16 } from "../../bytes/address.ts";
import type { ContendedLock, LockCycle, LockKind, LockOwner, LockReport, LockState, LockTask, LockWait } from "../../linux/locking/lock.ts";
import type { TaskLocks } from "../../linux/locking/task-locks.ts";

/** Waiters of one lock that are listed without -v; the others are counted. */
const MAX_SHOWN = 20;

const KIND_NAMES: Readonly<Record<LockKind, string>> = {
  mutex: "MUTEX",
  rwsem: "RW_SEMAPHORE",
  rt_mutex: "RT_MUTEX",
  semaphore: "SEMAPHORE",
  percpu_rwsem: "PERCPU_RW_SEMAPHORE",
  completion: "COMPLETION",
  folio: "FOLIO",
  bit: "BIT",
  spinlock: "SPINLOCK",
  rwlock: "RWLOCK",
};

/** @param incomplete tasks are missing that may wait as well */
export function* reportText({ locks, unknown, cycles, chains }: LockReport, verbose: boolean, incomplete = false): Iterable<string> {
  if (locks.length === 0 && unknown.length === 0) {
    yield incomplete ? "no task that can be read waits for a lock" : "no task waits for a lock";
    return;
  }
  const names = new Map(locks.map(({ state }) => [state.address as bigint, lockName(state)]));
  for (const cycle of cycles) {
    yield* cycleText(cycle, names);
    if (!verbose && cycle.certainty === "exact")
      yield "  each waiter is linked in its lock's list, each owner is named by its lock and alive   lock -v";
    yield "";
  }
  for (const { waits, root, certainty } of chains) {
    const path = waits.map((wait) => `${who(wait.task)} waits for ${nameOf(wait, names)}`);
    if (waits.length < 2) continue;
    yield `Chain of ${waits.length} waits${root === undefined ? "" : `, at its root ${who(root)} [${root.state}]`}${certainty === "exact" ? "" : " (likely)"}`;
    for (const line of path) yield `  ${line}`;
    if (root !== undefined) yield `  ${who(root)} waits for no lock   bt ${root.pid}`;
    yield "";
  }
  for (const [index, lock] of locks.entries()) {
    if (index > 0) yield "";
    yield* contendedText(lock, verbose);
  }
  if (unknown.length > 0) {
    if (locks.length > 0) yield "";
    yield `${unknown.length} ${unknown.length === 1 ? "wait" : "waits"} for locks that were not found`;
    for (const wait of unknown.slice(0, verbose ? unknown.length : MAX_SHOWN)) yield* waitText(wait, verbose, true);
  }
}

function* cycleText({ waits, behind, certainty }: LockCycle, names: ReadonlyMap<bigint, string>): Iterable<string> {
  const more = behind.length === 0 ? "" : `; ${behind.length} more ${behind.length === 1 ? "waits" : "wait"} behind them`;
  const sure = certainty === "exact" ? "" : " (likely: an owner is taken from a stack)";
  const head =
    waits.length === 1
      ? `Deadlock: ${who((waits[0] as LockWait).task)} waits for a lock that it holds itself`
      : `Deadlock: ${waits.length} tasks wait for each other in a circle`;
  yield `${head}${more}${sure}`;
  for (const [index, wait] of waits.entries()) {
    const held = waits[(index + waits.length - 1) % waits.length] as LockWait;
    const closes = index === waits.length - 1 && waits.length > 1 ? "   closes the circle" : "";
    yield `  ${who(wait.task)} holds ${nameOf(held, names)}, waits for ${nameOf(wait, names)}${blockedFor(wait)}${closes}`;
  }
  if (behind.length > 0) {
    const shown = behind.slice(0, MAX_SHOWN).map(who).join(", ");
    yield `  behind: ${shown}${behind.length > MAX_SHOWN ? ` and ${behind.length - MAX_SHOWN} more` : ""}`;
  }
}

export function* contendedText({ state, waits, holders }: ContendedLock, verbose: boolean): Iterable<string> {
  yield `${headOf(state)}${waits.length === 0 ? "" : `  ${waits.length} ${waits.length === 1 ? "waiter" : "waiters"}`}`;
  yield* holdersText(state, holders, verbose);
  const shown = verbose ? waits : waits.slice(0, MAX_SHOWN);
  for (const wait of shown) yield* waitText(wait, verbose, false);
  if (shown.length < waits.length) yield `  and ${waits.length - shown.length} more (all: lock -v)`;
  const told = new Set(waits.map(({ waiter }) => waiter));
  for (const waiter of state.waiters) {
    if (told.has(waiter.address)) continue;
    yield `  on its list: ${waiter.task === undefined ? "no task that exists" : who(waiter.task)}  waiter ${hex16(waiter.address)}`;
  }
  for (const problem of state.problems) yield `  (${problem})`;
}

/** A lock that nobody waits for, or that was asked for by its address. */
export function* decodedText(state: LockState, verbose: boolean): Iterable<string> {
  yield headOf(state);
  yield* holdersText(state, state.owner === undefined ? [] : [state.owner], verbose);
  for (const { task, mode, address } of state.waiters) {
    yield `  waits: ${task === undefined ? "no task that exists" : `${who(task)} [${task.state}]`}${mode === undefined ? "" : ` to ${mode}`}${verbose ? `  waiter ${hex16(address)}` : ""}`;
  }
  if (state.waitersComplete && state.waiters.length === 0) yield "  no waiters";
  for (const problem of state.problems) yield `  (${problem})`;
}

function headOf(state: LockState): string {
  const symbol = state.symbol === undefined ? "" : `  ${state.symbol}`;
  const text = stateText(state);
  return `${KIND_NAMES[state.kind]}: ${hex16(state.address)}${symbol}${text === "" ? "" : `  ${text}`}`;
}

function stateText({ kind, held, readers, flags: all, count, waiters }: LockState): string {
  const flags = waiters.length === 0 ? all : all.filter((flag) => flag !== "waiters");
  const parts: string[] = [];
  if (kind === "completion") parts.push(held === "free" ? "completed" : "not completed");
  else if (kind === "semaphore") parts.push(held === "free" ? `${count} free` : "none free");
  else if (held === "read")
    parts.push(readers === undefined ? "held by readers" : `held by ${readers} ${readers === 1 ? "reader" : "readers"}`);
  else if (held === "write") parts.push("held by a writer");
  else if (kind !== "folio" && kind !== "bit") parts.push(held === "unknown" ? "state unknown" : held);
  return [...parts, ...flags].join(", ");
}

function* holdersText({ held, kind }: LockState, holders: readonly LockOwner[], verbose: boolean): Iterable<string> {
  for (const { task, mode, certainty, evidence } of holders) {
    const label = mode === "owner" ? "owner" : mode === "last holder" ? "last holder" : mode;
    const why = certainty === "exact" && !verbose ? "" : `  ${certainty === "exact" ? "" : `${certainty}: `}${evidence}`;
    yield `  ${label}: ${who(task)} [${task.state}]${why}`;
  }
  if (holders.length === 0 && (held === "held" || held === "read" || held === "write") && kind !== "completion") yield "  owner: not known";
}

function* waitText(wait: LockWait, verbose: boolean, withKind: boolean): Iterable<string> {
  const mode = wait.mode === undefined ? "" : ` to ${wait.mode}`;
  const bit = wait.bit === undefined ? "" : ` for ${wait.flag ?? `bit ${wait.bit}`}`;
  const where =
    wait.caller === undefined ? `in ${wait.through}` : `in ${wait.caller}${wait.module === undefined ? "" : ` [${wait.module}]`}`;
  const kind = withKind ? ` a ${wait.kind}` : "";
  const doubt = wait.verified || withKind ? "" : "  (not verified)";
  yield `  waits${kind}${bit}${mode}: ${who(wait.task)} [${wait.task.state}]${blockedFor(wait)}  ${where}${doubt}`;
  if (verbose) yield `      ${wait.evidence}${wait.waiter === undefined ? "" : `  waiter ${hex16(wait.waiter)}`}`;
}

export function* taskText({ task, waits, holds, lockdep, notes }: TaskLocks, verbose: boolean): Iterable<string> {
  yield `PID: ${String(task.pid).padEnd(7)}  TASK: ${hex16(task.address)}  CPU: ${String(task.cpu).padEnd(3)}  COMMAND: "${task.comm}"`;
  if (waits === undefined) yield "  waits for no lock";
  else if (waits.lock === undefined) yield* waitText(waits, verbose, true);
  else {
    const mode = waits.mode === undefined ? "" : ` to ${waits.mode}`;
    yield `  waits${mode}: ${KIND_NAMES[waits.kind]} ${hex16(waits.lock)}${blockedFor(waits)}  in ${waits.caller ?? waits.through}${waits.verified ? "" : "  (not verified)"}   lock ${hex16(waits.lock)}`;
    if (verbose) yield `      ${waits.evidence}`;
  }
  if (holds.length === 0) yield "  holds no lock that is known";
  for (const { lock, certainty, evidence, waiting } of holds) {
    const sure = certainty === "exact" && !verbose ? "" : `  ${certainty === "exact" ? "" : `${certainty}: `}${evidence}`;
    yield `  holds: ${KIND_NAMES[lock.kind]} ${hex16(lock.address)}${lock.symbol === undefined ? "" : `  ${lock.symbol}`}  ${waiting === 0 ? "nobody waits" : `${waiting} ${waiting === 1 ? "waiter" : "waiters"}`}${sure}`;
  }
  if (lockdep !== undefined) {
    yield `  lockdep: ${lockdep.length === 0 ? "holds no lock" : `${lockdep.length} ${lockdep.length === 1 ? "lock" : "locks"}`}`;
    for (const [index, held] of lockdep.entries()) {
      const mode = `${held.mode === "read" ? ", read" : ""}${held.trylock ? ", trylock" : ""}${held.acquiring ? ", being acquired" : ""}`;
      yield `   #${index}  ${held.kind === undefined ? "map" : KIND_NAMES[held.kind]} ${hex16(held.lock)}  (${held.name}${mode})${held.where === undefined ? "" : `  at ${held.where}`}`;
    }
  }
  for (const note of notes) yield `  (${note})`;
}

function lockName({ symbol, address, kind }: LockState): string {
  return symbol ?? `${kind} ${hex16(address)}`;
}

function nameOf(wait: LockWait, names: ReadonlyMap<bigint, string>): string {
  return wait.lock === undefined ? `a ${wait.kind}` : (names.get(wait.lock) ?? `${wait.kind} ${hex16(wait.lock)}`);
}

function who({ comm, pid }: LockTask): string {
  return `${comm} (${pid})`;
}

function blockedFor({ seconds }: LockWait): string {
  return seconds === undefined ? "" : `  for ${durationText(seconds)}`;
}

/** "122 s", "0.3 s", "3 h 02 min". */
export function durationText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 600) return `${Math.round(seconds)} s`;
  if (seconds < 3 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(seconds / 86400)} days ${Math.floor((seconds % 86400) / 3600)} h`;
}
