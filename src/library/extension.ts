/**
 * Commands of one's own: what a file that `extend FILE` loads exports.
 *
 *   import { defineExtension } from "inquest";
 *   export default defineExtension({
 *     name: "zombies",
 *     summary: "tasks that nobody waited for",
 *     run: (kernel) => kernel.tasks().filter((task) => task.state === "ZO"),
 *     *text(tasks) { for (const task of tasks) yield `${task.pid} ${task.comm}`; },
 *   });
 */
import type { ParsedArguments } from "../commands/arguments.ts";
import type { OptionSpec } from "../commands/command.ts";
import type { Kernel } from "./kernel.ts";

/** A command that a file adds to the prompt. */
export interface Extension<Result = unknown> {
  /** One word; no name of a command that is there. */
  readonly name: string;
  /** One line for the table of commands. */
  readonly summary: string;
  /** What may stand behind the name, one form a line. */
  readonly synopsis?: readonly string[];
  /** Paragraphs of its help page. */
  readonly description?: readonly string[];
  readonly options?: readonly OptionSpec[];
  /** Command lines worth trying, with a word on each. */
  readonly examples?: readonly (readonly [line: string, what: string])[];
  /** Answers with data, which --json prints: a bigint is an address, a number a quantity. Synchronous. */
  run(kernel: Kernel, args: ParsedArguments): Result;
  /** Lines of text; without it the data is shown as `js` shows it. */
  text?(result: Result): Iterable<string>;
}

/** Types an extension: infers Result for its text(). */
export function defineExtension<Result>(extension: Extension<Result>): Extension<Result> {
  return extension;
}
