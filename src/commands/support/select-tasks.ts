/**
 * The tasks that `foreach` selectors choose. Pids, addresses, names and regular expressions add to each other; states add to each
 * other; the keywords user, kernel, gleader and active each narrow the choice.
 *
 *   foreach bash zsh bt        tasks called bash or zsh
 *   foreach UN kernel bt       kernel threads in uninterruptible sleep
 */
import { LookupError, UsageError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { isGroupLeader, isKernelThread, type Task, taskState, taskTable } from "../../linux/task.ts";
import { STATE_LETTERS } from "../../linux/task-state.ts";
import { parseNumber } from "./evaluate.ts";
import type { Word } from "./words.ts";

/** Commands that `foreach` can run for a task. */
export const FOREACH_COMMANDS: readonly string[] = ["bt", "vm", "task", "files", "net", "set", "ps", "sig", "vtop"];

const NARROWING: Readonly<Record<string, (task: Task) => boolean>> = {
  user: (task) => !isKernelThread(task),
  kernel: isKernelThread,
  gleader: (task) => isGroupLeader(task) && !isKernelThread(task),
  active: (task) => task.active,
};

export const FOREACH_KEYWORDS: readonly string[] = [...Object.keys(NARROWING), ...STATE_LETTERS];

/** Tasks in the table's order. Throws LookupError for a selector that names no task, UsageError for a bad expression. */
export function selectTasks(kernel: Kernel, selectors: readonly Word[]): readonly Task[] {
  const table = taskTable(kernel);
  const identities: ((task: Task) => boolean)[] = [];
  const states = new Set<string>();
  const narrowing: ((task: Task) => boolean)[] = [];
  for (const { text, quoted } of selectors) {
    const narrow = Object.hasOwn(NARROWING, text) ? NARROWING[text] : undefined;
    if (quoted) identities.push(matching(text));
    else if (narrow !== undefined) narrowing.push(narrow);
    else if ((STATE_LETTERS as readonly string[]).includes(text.toUpperCase())) states.add(text.toUpperCase());
    else identities.push(identity(table.tasks, text));
  }
  return table.tasks.filter(
    (task) =>
      (identities.length === 0 || identities.some((is) => is(task))) &&
      (states.size === 0 || states.has(taskState(task))) &&
      narrowing.every((is) => is(task)),
  );
}

function matching(expression: string): (task: Task) => boolean {
  try {
    const pattern = new RegExp(expression);
    return (task) => pattern.test(task.comm);
  } catch {
    throw new UsageError(`'${expression}' is no regular expression`);
  }
}

/** A pid in decimal, a task's address, or a name; what the tasks know decides. */
function identity(tasks: readonly Task[], text: string): (task: Task) => boolean {
  const pid = /^\d{1,7}$/.test(text) ? Number(text) : undefined;
  const address = parseNumber(text, 16);
  for (const is of [(task: Task) => task.pid === pid, (task: Task) => task.address === address, (task: Task) => task.comm === text]) {
    if (tasks.some(is)) return is;
  }
  // The kernel keeps 15 characters of a name.
  const short = text.slice(0, 15);
  if (text.length > 15 && tasks.some((task) => task.comm === short)) return (task) => task.comm === short;
  throw new LookupError(
    `"${text}" is no command that foreach runs (${FOREACH_COMMANDS.join(" ")}), and no pid, task address or name of a task`,
  );
}
