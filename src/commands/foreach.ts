/** `foreach`: one command for many tasks. */

import { hex16 } from "../bytes/address.ts";
import { InquestError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { Task } from "../linux/task.ts";
import { foreachApi } from "./api/tasks.ts";
import { type CommandOutcome, defineCommand, type Session } from "./command.ts";
import { describeError } from "./json.ts";
import { type ResolvedLine, resolveLine, runResolved } from "./run-line.ts";
import type { SavedBytes } from "./saved-bytes.ts";
import { FOREACH_COMMANDS, FOREACH_KEYWORDS, selectTasks } from "./support/select-tasks.ts";
import { splitWords, type Word } from "./support/words.ts";

/** The command run for one task. */
export interface TaskRun {
  readonly task: Pick<Task, "pid" | "comm" | "address" | "cpu">;
  readonly outcome: CommandOutcome | { readonly error: InquestError };
}

export interface ForeachResult {
  readonly command: string;
  /** Lazy: each command runs when its turn comes. */
  readonly runs: Iterable<TaskRun>;
  /** bt --flame */
  readonly save?: SavedBytes;
  /**
   * The results as one: sequences joined (`foreach bt` gives the `{stacks}` of all), results without any under `results`, and what failed
   * under `errors`.
   */
  toJSON(): Record<string, unknown>;
}

/** Options of bt that make one answer of all tasks. */
const FOLDING = new Set(["--group", "--flame"]);

/** These print a header with the task themselves, or need none. */
const OWN_HEADER = new Set(["bt", "vm", "task", "files", "net", "sig", "ps"]);

export const foreach = defineCommand<ForeachResult>({
  spec: {
    name: "foreach",
    summary: "run a command for many tasks",
    synopsis: ["[[pid | task | name | 'regex' | user | kernel | gleader | active | state]…] command [options]"],
    description: [
      "Runs a command for each task that the selectors choose; without selectors, for every task.",
      "Pids, task addresses, names and quoted regular expressions add to each other, and so do states (RU IN UN ST ZO TR SW DE WA PA ID NE). The words user, kernel, gleader (leaders of user thread groups) and active (running on a CPU) narrow the choice.",
      `Commands: ${FOREACH_COMMANDS.join(", ")}, with their own options. With -R the output is limited to the tasks that refer to the symbol or address.`,
    ],
    options: [],
    operands: ["task", "command"],
    examples: [
      ["foreach UN bt", "stacks of all tasks in uninterruptible sleep"],
      ["foreach bash ps", "tasks called bash"],
      ["foreach 'kworker.*' bt -s", "names by regular expression"],
      ["foreach bt -R mutex_lock", "stacks in which a symbol occurs"],
    ],
    differences: ["Regular expressions are JavaScript's, a superset of POSIX extended ones but for character classes such as [[:alpha:]]."],
    rawLine: true,
    needsDisassembler: (line) => /\bbt\b.*\s-\w*V/.test(line),
  },
  run(session, { line }) {
    const words = splitWords(line);
    const at = words.findIndex(
      ({ text, quoted }) => !quoted && FOREACH_COMMANDS.includes(text) && session.registry.find(text) !== undefined,
    );
    if (at < 0) {
      throw new UsageError(words.length === 0 ? "a command is missing: foreach bt" : missingCommand(session, words));
    }
    const tasks = selectTasks(session.kernel, words.slice(0, at));
    const resolved = resolveLine(session, line.slice((words[at] as Word).start));
    const command = resolved.command.spec.name;
    const folds = command === "bt" && resolved.words.some(({ text, quoted }) => !quoted && FOLDING.has(text));
    // Folded stacks are one answer, and a file that is to be written must be known to the face at once.
    const runs = folds
      ? [...together(session, resolved, tasks)]
      : command === "ps"
        ? together(session, resolved, tasks)
        : oneByOne(session, resolved, tasks);
    return { command, runs, ...(folds ? saveOf(runs) : {}), toJSON: () => joined(command, runs) };
  },
  api: (session, { line }) => foreachApi(session, line),
  *text({ command, runs }, layout) {
    let first = true;
    const tally = new Tally(command);
    for (const { task, outcome } of runs) {
      tally.count(outcome);
      const lines =
        "error" in outcome ? [`${command}: pid ${task.pid} (${task.comm}): ${plainMessage(command, outcome.error)}`] : outcome.text(layout);
      let empty = true;
      for (const line of lines) {
        if (empty) {
          if (!first) yield "";
          if (!OWN_HEADER.has(command)) yield header(task);
        }
        empty = false;
        yield line;
      }
      first &&= empty;
    }
    tally.require();
  },
});

/** A command that failed for some tasks has answered for the others; one that failed for all has failed. */
class Tally {
  readonly #command: string;
  #runs = 0;
  #failures = 0;
  constructor(command: string) {
    this.#command = command;
  }

  count(outcome: TaskRun["outcome"]): void {
    this.#runs++;
    if ("error" in outcome) this.#failures++;
  }

  /** Throws UnsupportedError when nothing succeeded. */
  require(): void {
    if (this.#failures > 0 && this.#failures === this.#runs)
      throw new UnsupportedError(`${this.#command} failed for every task (${this.#runs})`);
  }
}

function saveOf(runs: Iterable<TaskRun>): { save?: SavedBytes } {
  for (const { outcome } of runs) {
    const { save } = "error" in outcome ? {} : (outcome.result as { save?: SavedBytes });
    if (save !== undefined) return { save };
  }
  return {};
}

function missingCommand(session: Session, words: readonly Word[]): string {
  const planned = words.find(({ text }) => FOREACH_COMMANDS.includes(text));
  if (planned !== undefined) return `the command ${planned.text} does not exist yet`;
  const other = words.find(({ text }) => session.registry.find(text) !== undefined && !FOREACH_KEYWORDS.includes(text));
  return `${other === undefined ? "a command is missing" : `foreach does not run ${other.text}`}; it runs ${FOREACH_COMMANDS.join(", ")}`;
}

/** Each task becomes the context of a session of its own, so that an interrupted foreach leaves the user's context as it was. */
function* oneByOne(session: Session, resolved: ResolvedLine, tasks: readonly Task[]): Iterable<TaskRun> {
  let done = 0;
  for (const task of tasks) {
    session.progress?.(`foreach ${resolved.command.spec.name}`, done++, tasks.length);
    const own = Object.create(session, { context: { value: task.address, writable: true } }) as Session;
    yield { task: brief(task), outcome: attempt(() => runResolved(own, resolved)) };
  }
}

/** `ps` and `bt --group` without operands show all tasks; they are run once, with the chosen ones as operands. */
function* together(session: Session, resolved: ResolvedLine, tasks: readonly Task[]): Iterable<TaskRun> {
  const first = tasks[0];
  if (first === undefined) return;
  const words = [...resolved.words, ...tasks.map((task): Word => ({ text: hex16(task.address), quoted: false, start: 0 }))];
  const line = words.map(({ text }) => text).join(" ");
  yield { task: brief(first), outcome: attempt(() => runResolved(session, { ...resolved, words, line })) };
}

function attempt(run: () => CommandOutcome): TaskRun["outcome"] {
  try {
    return run();
  } catch (error) {
    // A command line that is wrong for one task is wrong for all.
    if (!(error instanceof InquestError) || error instanceof UsageError) throw error;
    return { error };
  }
}

/** The message without the command's name, which stands before it already. */
function plainMessage(command: string, { message }: Error): string {
  return message.startsWith(`${command}: `) ? message.slice(command.length + 2) : message;
}

function joined(command: string, runs: Iterable<TaskRun>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  const results: unknown[] = [];
  const errors: unknown[] = [];
  const tally = new Tally(command);
  for (const { task, outcome } of runs) {
    tally.count(outcome);
    if ("error" in outcome) {
      errors.push({ task, ...describeError(outcome.error) });
      continue;
    }
    const entries = Object.entries(plainResult(outcome.result));
    if (!entries.some(([, value]) => isSequence(value))) {
      results.push({ task, result: outcome.result });
      continue;
    }
    for (const [key, value] of entries) {
      if (!isSequence(value)) result[key] ??= value;
      else if (Array.isArray(result[key])) for (const entry of value) (result[key] as unknown[]).push(entry);
      else result[key] = [...value];
    }
  }
  tally.require();
  return { ...result, ...(results.length === 0 ? {} : { results }), ...(errors.length === 0 ? {} : { errors }) };
}

function plainResult(result: unknown): object {
  if (typeof result !== "object" || result === null) return {};
  return "toJSON" in result && typeof result.toJSON === "function" ? (result.toJSON() as object) : result;
}

function isSequence(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

function brief({ pid, comm, address, cpu }: Task): TaskRun["task"] {
  return { pid, comm, address, cpu };
}

/** crash's line above what a command says about a task. */
function header({ pid, address, cpu, comm }: TaskRun["task"]): string {
  return `PID: ${String(pid).padEnd(7)}  TASK: ${hex16(address)}  CPU: ${String(cpu).padEnd(3)}  COMMAND: "${comm}"`;
}
