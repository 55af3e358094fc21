/**
 * Who was at the same object at once: the task of the fault, and those that other CPUs ran in the same module's code with a pointer to it.
 * A link or a pointer that was wrong there is what such a race leaves. What somebody only kept across a sleep takes no part, nor does the
 * kernel's own code, which the whole machine is in all the time.
 */
import type { FaultCase } from "../fault/fault-case.ts";
import { sourceOf } from "../fault/source-of.ts";
import type { Participant, Sharer, VerdictClass } from "../verdict.ts";

/** Classes that two at once may make; not what a constant, an index or a flipped bit did. */
const RACY: ReadonlySet<VerdictClass> = new Set([
  "use-after-free",
  "double-free",
  "list-corruption",
  "null-pointer-dereference",
  "null-function-call",
]);

/** undefined when the fault's task was alone with it. */
export function raceParticipants(fault: FaultCase, of: VerdictClass, sharers: readonly Sharer[]): readonly Participant[] | undefined {
  const { guilty, subject } = fault;
  if (!RACY.has(of) || guilty.module === undefined || subject.task === undefined) return undefined;
  // What was not read from memory nobody else can have changed.
  if (of !== "list-corruption" && sourceOf(fault) === undefined) return undefined;
  const others = sharers.filter(({ running, module }) => running && module === guilty.module);
  if (others.length === 0) return undefined;
  const { pid, comm, address } = subject.task;
  const cpu = subject.cpu === undefined ? {} : { cpu: subject.cpu };
  const own: Participant = { pid, comm, task: address, ...cpu, role: `met it in ${guilty.function}`, central: true };
  return [
    own,
    ...others.map(
      (each): Participant => ({
        pid: each.pid,
        comm: each.comm,
        task: each.task,
        ...(each.cpu === undefined ? {} : { cpu: each.cpu }),
        role: `was in ${each.function} with a pointer to the same ${each.type ?? `object of ${each.cache}`}`,
        central: true,
      }),
    ),
  ];
}
