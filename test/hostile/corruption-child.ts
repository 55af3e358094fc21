/**
 * Runs seeds of structural damage against one dump and reports a line of JSON for each line of commands that misbehaved and for each seed;
 * the parent watches the clock.
 *
 *   node corruption-child.js DUMP FIRST LAST [STEP]
 */
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { InquestError } from "../../src/bytes/errors.ts";
import { jsonChunks } from "../../src/commands/json.ts";
import { commandRegistry } from "../../src/commands/registry.ts";
import { createSession } from "../../src/commands/session.ts";
import type { Dump } from "../../src/dump/dump.ts";
import { openDump } from "../../src/dump/open.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { openKernelOf } from "../../src/kernel/open.ts";
import { linesFor } from "./command-lines.ts";
import { corrupt, findTargets, type Targets } from "./corruption.ts";
import { keepPages, recordPages } from "./mutation.ts";

/** What one seed led to. */
export interface CorruptionReport {
  readonly seed: number;
  readonly what: string;
  /** "BUG: LINE: …" for anything thrown that is no InquestError. */
  readonly bugs: readonly string[];
  /** Command lines that gave an answer, and that ended in an error of ours. */
  readonly answered: number;
  readonly refused: number;
  readonly slowest: { readonly line: string; readonly milliseconds: number };
  readonly milliseconds: number;
  readonly residentMiB: number;
}

const MAX_LINES = 30_000;

interface Run {
  readonly bugs: string[];
  answered: number;
  refused: number;
  slowest: { line: string; milliseconds: number };
}

function problem(line: string, error: unknown): string | undefined {
  if (!(error instanceof InquestError)) return `BUG: ${line}: ${error instanceof Error ? error.stack : String(error)}`;
  return error.message.includes("\n") ? `BUG: ${line}: an error of several lines: ${error.message}` : undefined;
}

/** Every line in a session of its own settings, as text and, of every third line, as JSON. */
function ask(dump: Dump, lines: readonly string[], say: (line: string) => void): Run {
  const run: Run = { bugs: [], answered: 0, refused: 0, slowest: { line: "", milliseconds: 0 } };
  const caught = (line: string, error: unknown): void => {
    const bug = problem(line, error);
    if (bug !== undefined) run.bugs.push(bug);
    run.refused++;
  };
  let session: ReturnType<typeof createSession>;
  try {
    session = createSession(openKernelOf(dump));
  } catch (error) {
    caught("(opening)", error);
    return run;
  }
  lines.forEach((line, index) => {
    say(line);
    const started = performance.now();
    try {
      const { result, text } = session.execute(line);
      let count = 0;
      if (index % 3 === 0) jsonChunks(result);
      else for (const _ of text({ radix: 10 })) if (++count > MAX_LINES) break;
      run.answered++;
    } catch (error) {
      caught(line, error);
    }
    const milliseconds = Math.round(performance.now() - started);
    if (milliseconds > run.slowest.milliseconds) run.slowest = { line, milliseconds };
  });
  return run;
}

function addressesOf({ instances }: Targets): ReadonlyMap<string, string> {
  const first = (name: string): string => instances.get(name)?.at(-1)?.address.toString(16) ?? "0";
  return new Map([
    ["TASK", first("task_struct")],
    ["MM", first("mm_struct")],
    ["OBJECT", first("dentry")],
    ["FILE", first("file")],
    ["PAGE", first("page")],
  ]);
}

const [file, first, last, step] = process.argv.slice(2) as [string, string, string, string | undefined];
const say = (message: unknown): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
registerDisassemblers();
const pages = new Set<number>();
// Errors are what damage leads to, and their stacks half of their cost: of a bug the innermost frames are enough.
Error.stackTraceLimit = 4;
const intact = keepPages(await openDump([file]));
const kernel = openKernelOf(intact);
await loadDisassembler(kernel.arch.name);
say({ start: "intact" });
const none = new Map<string, string>();
ask(recordPages(intact, pages), linesFor(commandRegistry, 0, none), (line) => say({ line }));
const targets = findTargets(kernel, [...pages]);
const addresses = addressesOf(targets);
for (let seed = Number(first); seed < Number(last); seed += Number(step ?? 1)) {
  const started = performance.now();
  const { what, dump } = corrupt(targets, intact, seed);
  say({ start: seed });
  const run = ask(dump, linesFor(commandRegistry, seed, addresses), (line) => say({ line }));
  const report: CorruptionReport = {
    seed,
    what,
    ...run,
    milliseconds: Math.round(performance.now() - started),
    residentMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
  say(report);
}
