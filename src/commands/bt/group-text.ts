/** How `bt --group` reads: each stack under its tasks. */
import type { BtGroup, BtGroups } from "./groups.ts";
import type { BtTask, BtView } from "./result.ts";
import { named } from "./text.ts";

/** Tasks named one by one; of more, those of one name are folded. */
const MAX_NAMED = 8;
/** Pids listed of one name. */
const MAX_PIDS = 6;
/** Different names listed of one group. */
const MAX_NAMES = 12;

export function* groupsText({ groups, idleCpus, tasks }: BtGroups, view: BtView, radix: 10 | 16): Iterable<string> {
  const base = view.radix ?? radix;
  for (const [index, group] of groups.entries()) {
    if (index > 0) yield "";
    yield `${group.count} ${group.count === 1 ? "task" : "tasks"} ${statesText(group)}`;
    yield `    ${tasksText(group.tasks)}`;
    yield* framesText(group, view, base);
  }
  if (idleCpus.length > 0) {
    if (groups.length > 0) yield "";
    yield `${idleCpus.length} idle ${idleCpus.length === 1 ? "CPU" : "CPUs"}: ${rangesText(idleCpus)}`;
  }
  yield `(${tasks} ${tasks === 1 ? "task" : "tasks"}, ${groups.length} different ${groups.length === 1 ? "stack" : "stacks"})`;
}

function statesText({ states, active, tasks }: BtGroup): string {
  const each = Object.entries(states);
  const text = each.length === 1 ? `[${each[0]?.[0]}]` : `[${each.map(([state, number]) => `${state}: ${number}`).join(", ")}]`;
  if (!active) return text;
  return `${text} on CPU ${rangesText(tasks.map(({ cpu }) => cpu).sort((a, b) => a - b))}`;
}

/** "lab-wait/0 (129), lab-wait/1 (130)", or "5000 lab-many (131 132 133 …)". */
export function tasksText(tasks: readonly BtTask[]): string {
  if (tasks.length <= MAX_NAMED) return tasks.map(({ comm, pid }) => `${comm} (${pid})`).join(", ");
  const byName = new Map<string, number[]>();
  for (const { comm, pid } of tasks) {
    // Threads of one kind differ in the number at their end: kworker/0:1, lab-many/17.
    const name = comm.replace(/([/:-])?\d[\d:uHR/-]*(-.*)?$/, (_whole, mark: string | undefined) => `${mark ?? ""}…`);
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [pid]);
    else known.push(pid);
  }
  const parts = [...byName]
    .sort((a, b) => b[1].length - a[1].length)
    .map(([name, pids]) => {
      const shown = pids.slice(0, MAX_PIDS).join(" ");
      return pids.length === 1 ? `${name} (${shown})` : `${pids.length} ${name} (${shown}${pids.length > MAX_PIDS ? " …" : ""})`;
    });
  const more = parts.length - MAX_NAMES;
  return `${parts.slice(0, MAX_NAMES).join(", ")}${more > 0 ? ` and ${more} other names` : ""}`;
}

function* framesText({ frames, stop, complete }: BtGroup, view: BtView, radix: 10 | 16): Iterable<string> {
  for (const frame of frames) {
    const level = `${frame.level < 10 ? " " : ""}#${frame.level}`;
    const doubt = frame.certainty === "guessed" ? "? " : "";
    const name = frame.function === null ? "(unknown)" : named(frame.function, frame.offset, view.offsets, radix);
    const module = frame.module === null ? "" : ` [${frame.module}]`;
    yield `${level} ${doubt}${name} at ${frame.pc.toString(16)}${module}${frame.kind === "inline" ? " (inlined)" : ""}`;
    if (frame.exception?.user === false) yield "    --- exception or interrupt ---";
  }
  if (!complete) yield `    (${stop})`;
}

/** "0-3,7" */
export function rangesText(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; ) {
    let end = i;
    while (end + 1 < numbers.length && numbers[end + 1] === (numbers[end] as number) + 1) end++;
    parts.push(end === i ? `${numbers[i]}` : `${numbers[i]}-${numbers[end]}`);
    i = end + 1;
  }
  return parts.join(",");
}
