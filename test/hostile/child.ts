/**
 * Runs a range of seeds against one dump and reports a line of JSON each; the parent watches the clock. A process of its own, because a
 * hang in synchronous code can only be ended from outside.
 *
 *   node child.js FILE file|truncate|memory FIRST LAST
 */
import { InquestError } from "../../src/bytes/errors.ts";
import { openFile } from "../../src/bytes/file-source.ts";
import { createSession } from "../../src/commands/session.ts";
import type { Dump } from "../../src/dump/dump.ts";
import { openDump } from "../../src/dump/open.ts";
import { openKernelOf } from "../../src/kernel/open.ts";
import { damageFile, damageMemory, keepPages, recordPages, truncateFile } from "./mutation.ts";

/** What a user asks first. */
const COMMANDS = ["sys", "bt", "ps", "log", "mod", "bt -a", "sym schedule", "struct task_struct.comm,pid init_task", "foreach bt"];
const MAX_LINES = 100_000;

/** What one seed led to. */
export interface Report {
  readonly seed: number;
  /** Error lines, or "BUG: …" for anything that is no InquestError. */
  readonly errors: readonly string[];
  readonly lines: number;
  readonly milliseconds: number;
  readonly residentMiB: number;
}

function errorLine(error: unknown): string {
  if (error instanceof InquestError)
    return error.message.includes("\n") ? `BUG: an error of several lines: ${error.message}` : error.message;
  return `BUG: ${error instanceof Error ? error.stack : String(error)}`;
}

function ask(dump: Dump, errors: string[]): number {
  let lines = 0;
  const session = createSession(openKernelOf(dump));
  for (const command of COMMANDS) {
    try {
      for (const _ of session.execute(command).text({ radix: 10 })) if (++lines > MAX_LINES) break;
    } catch (error) {
      errors.push(errorLine(error));
    }
  }
  return lines;
}

const [file, kind, first, last] = process.argv.slice(2) as [string, "file" | "truncate" | "memory", string, string];
// Errors are what damage leads to, and their stacks half of their cost: of a bug the innermost frames are enough.
Error.stackTraceLimit = 4;
const pages = new Set<number>();
const intact = kind === "memory" ? keepPages(await openDump([file])) : undefined;
if (intact !== undefined) ask(recordPages(intact, pages), []);
const touched = [...pages];
for (let seed = Number(first); seed < Number(last); seed++) {
  const started = performance.now();
  const errors: string[] = [];
  let lines = 0;
  process.stdout.write(`{"start":${seed}}\n`);
  try {
    const source = openFile(file);
    try {
      const dump =
        intact !== undefined
          ? damageMemory(intact, touched, seed)
          : await openDump([kind === "file" ? damageFile(source, seed) : truncateFile(source, seed)]);
      lines = ask(dump, errors);
    } finally {
      source.close();
    }
  } catch (error) {
    errors.push(errorLine(error));
  }
  const report: Report = {
    seed,
    errors,
    lines,
    milliseconds: Math.round(performance.now() - started),
    residentMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
