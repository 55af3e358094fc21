/** How the views of `ps` read. */
import { type CommandLine, NO_USER_MEMORY } from "../../linux/mm.ts";
import { clockText, dateText } from "./date-text.ts";
import type { LastRunBlock, PsView, TimesOfTask } from "./ps-views.ts";
import { taskHeader } from "./task-header.ts";

/** Lines of a view. */
export function* viewLines(view: PsView): Iterable<string> {
  switch (view.kind) {
    case "states":
      for (const [state, count] of Object.entries(view.states)) yield `  ${state}: ${count}`;
      return;
    case "ancestors":
      yield* blocks(view.chains, (chain) => chain.map((task, depth) => `${" ".repeat(depth)}${taskHeader(task)}`));
      return;
    case "families":
      yield* blocks(view.families, ({ task, members }) => [
        taskHeader(task),
        ...(members.length > 0
          ? members.map((member) => `  ${taskHeader(member)}`)
          : [`  (no ${view.of === "children" ? "children" : "threads"})`]),
      ]);
      return;
    case "times":
      yield* blocks(view.times, timesLines);
      return;
    case "last-run":
      yield* lastRunLines(view.blocks, view.elapsed);
      return;
    case "arguments":
      yield* blocks(view.processes, (process) => [taskHeader(process.task), ...argumentLines(process)]);
      return;
    case "limits":
      yield* blocks(view.limits, ({ task, limits, problem }) => [
        taskHeader(task),
        "      RLIMIT     CURRENT       MAXIMUM",
        ...(problem === undefined
          ? limits.map(({ name, current, maximum }) => `${name.padStart(12)}   ${limitText(current)}   ${limitText(maximum)}`.trimEnd())
          : [`  (unreadable: ${problem})`]),
      ]);
  }
}

/** Blocks of lines with an empty line between them. */
export function* blocks<T>(items: Iterable<T>, lines: (item: T) => Iterable<string>): Iterable<string> {
  let first = true;
  for (const item of items) {
    if (!first) yield "";
    first = false;
    yield* lines(item);
  }
}

function argumentLines(process: CommandLine | { readonly kernelThread: true }): readonly string[] {
  if ("kernelThread" in process || process.problem === NO_USER_MEMORY) return ["ps: no user stack"];
  const { arguments: args, environment, problem } = process;
  return [
    ...labelled("ARG", args === undefined ? [`(unreadable: ${problem})`] : [args.join(" ")]),
    ...labelled("ENV", environment ?? [`(unreadable: ${problem})`]),
  ];
}

function labelled(label: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0
    ? [`${label}: (none)`]
    : lines.map((line, i) => `${i === 0 ? `${label}: ` : " ".repeat(label.length + 2)}${line}`);
}

/** Centred in its column of 11. */
function limitText(value: number | undefined): string {
  const text = value === undefined ? "(unlimited)" : String(value);
  return text.padStart(text.length + Math.floor((11 - text.length) / 2)).padEnd(11);
}

/** START TIME, UTIME and STIME are nanoseconds, as crash shows them for kernels that count so. */
function timesLines({ task, runSeconds, startSeconds, startDate, userSeconds, systemSeconds }: TimesOfTask): readonly string[] {
  const date = startDate === undefined ? "" : `  (${dateText(BigInt(Math.floor(startDate)) * 1_000_000_000n)})`;
  return [
    taskHeader(task),
    `    RUN TIME: ${runSeconds === undefined ? "?" : daysAndClock(runSeconds)}`,
    `  START TIME: ${startSeconds === undefined ? "?" : Math.round(startSeconds * 1e9)}${date}`,
    `       UTIME: ${Math.round(userSeconds * 1e9)}`,
    `       STIME: ${Math.round(systemSeconds * 1e9)}`,
  ];
}

function daysAndClock(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  return `${days === 0 ? "" : `${days} days, `}${clockText(Math.floor(seconds))}`;
}

function* lastRunLines(groups: readonly LastRunBlock[], elapsed: boolean): Iterable<string> {
  yield* blocks(groups, function* ({ cpu, tasks }) {
    if (cpu !== undefined) yield `CPU: ${cpu}`;
    const stamps = tasks.map((row) => (elapsed ? elapsedText(row.elapsedNanoseconds) : String(row.nanoseconds)));
    const width = stamps.reduce((most, stamp) => Math.max(most, stamp.length), 0);
    for (const [i, { task, state }] of tasks.entries()) yield `[${(stamps[i] as string).padStart(width)}] [${state}]  ${taskHeader(task)}`;
    if (tasks.length === 0) yield "(no tasks)";
  });
}

/** "0 00:00:01.250": days, then hours, minutes, seconds, milliseconds. */
function elapsedText(nanoseconds: number | undefined): string {
  if (nanoseconds === undefined) return "?";
  const milli = Math.floor(nanoseconds / 1e6);
  const seconds = Math.floor(milli / 1000);
  return `${Math.floor(seconds / 86400)} ${clockText(seconds)}.${String(milli % 1000).padStart(3, "0")}`;
}
