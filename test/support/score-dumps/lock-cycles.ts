/**
 * Circles of locks closed by words of ownership alone, in dumps of the scenario "views", whose module tells who waits for which lock: the
 * waiters, their stacks and the wait lists are real.
 *
 *   chain     136 ─► chain-0 ─ held by 135 ─► chain-1 ─ held by 134 (sleeps)        becomes … held by 136
 *   two       110 ─► mutex ─ held by 109 (sleeps), 115 ─► rwsem ─ held by 113       becomes … held by 115, … held by 110
 *   self      110 ─► mutex ─ held by 109                                            becomes … held by 110
 *
 * The circle of three that the module closes itself is opened first: one of its locks is given to a thread that sleeps.
 */

import { numbersField, type ViewTruth } from "../../../lab/views-truth.ts";
import { add, type VirtualAddress, virtual } from "../../../src/bytes/address.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { taskTable } from "../../../src/linux/task.ts";
import type { Mutation } from "./mutation.ts";
import { type Edit, editsAt, word } from "./overlay.ts";
import type { Chance } from "./random.ts";

/** Word that names the owner, of the kinds that have one; rt_mutex's moved into rtbase in 5.15 (830e6acc8a1c), under PREEMPT_RT all are one. */
const OWNER: Readonly<Record<string, readonly [type: string, ...paths: string[]]>> = {
  mutex: ["mutex", "owner.counter", "rtmutex.owner"],
  rwsem: ["rw_semaphore", "owner.counter", "rwbase.rtmutex.owner"],
  rt_mutex: ["rt_mutex", "rtmutex.owner", "owner"],
};

interface Held {
  readonly name: string;
  readonly kind: string;
  readonly address: VirtualAddress;
  readonly waiters: readonly number[];
  readonly holders: readonly number[];
}

function locksOf(views: readonly ViewTruth[]): readonly Held[] {
  return views.flatMap((view) => {
    const kind = view.fields.get("kind") ?? "";
    if (view.kind !== "lock" || view.address === undefined || OWNER[kind] === undefined || view.fields.get("held") === "read") return [];
    return [
      {
        name: view.name,
        kind,
        address: virtual(view.address),
        waiters: numbersField(view, "waiters"),
        holders: numbersField(view, "holders"),
      },
    ];
  });
}

/** Gives the lock to a task; flags in the low bits (waiters, handoff) stay. */
function give(kernel: Kernel, { kind, address }: Held, pid: number): readonly Edit[] {
  const [type, ...paths] = OWNER[kind] ?? [];
  const field = kernel.types.struct(type ?? "").firstField(...paths);
  const task = taskTable(kernel).byPid.get(pid)?.address;
  if (field === undefined || task === undefined) return [];
  const at = add(address, field.offset);
  return editsAt(kernel, at, word(task | (kernel.memory.u64(at) & 7n)));
}

export function closedCircle(kernel: Kernel, views: readonly ViewTruth[], chance: Chance): Mutation | undefined {
  const locks = locksOf(views);
  const named = (name: string) => locks.find((each) => each.name === name);
  const [mutex, write, rt, first, last, cycle] = ["mutex", "rwsem-write", "rt-mutex", "chain-0", "chain-1", "cycle-0"].map(named);
  if (mutex === undefined || write === undefined || rt === undefined || first === undefined || last === undefined || cycle === undefined)
    return undefined;
  const opened = give(kernel, cycle, mutex.holders[0] as number);
  const waiter = (lock: Held) => chance.oneOf(lock.waiters) as number;
  const choice = chance.below(5);
  if (choice === 0) {
    const pid = waiter(mutex);
    return {
      kind: "lock-cycle",
      what: `mutex of ${pid}, who waits for it, is held by ${pid}`,
      edits: [...opened, ...give(kernel, mutex, pid)],
      label: { class: ["self-deadlock", "deadlock"], module: "lab_views", pids: [pid] },
      at: mutex.address,
    };
  }
  if (choice === 1) {
    const [outer, inner] = [waiter(first), waiter(last)];
    return {
      kind: "lock-cycle",
      what: `chain closed: ${outer} and ${inner}`,
      edits: [...opened, ...give(kernel, last, outer)],
      label: { class: ["deadlock"], module: "lab_views", pids: [outer, inner] },
      at: last.address,
    };
  }
  const [a, b] = chance.shuffled([mutex, write, rt, last]) as [Held, Held];
  const [waitsForA, waitsForB] = [waiter(a), waiter(b)];
  return {
    kind: "lock-cycle",
    what: `${waitsForA} waits for ${a.name}, held by ${waitsForB}, who waits for ${b.name}, held by ${waitsForA}`,
    edits: [...opened, ...give(kernel, a, waitsForB), ...give(kernel, b, waitsForA)],
    label: { class: ["deadlock"], module: "lab_views", pids: [waitsForA, waitsForB] },
    at: a.address,
  };
}
