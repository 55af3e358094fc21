/**
 * `js`: JavaScript over the opened kernel, at the prompt. It is a command of this face, as it needs Node's vm:
 *
 *   js kernel.tasks().filter((t) => t.state === "UN").length        kernel: the library's Kernel (library/kernel.ts)
 *   js const init = $.init_task                                     names stay from line to line
 *   js init.comm                                                    $: the kernel's variables as properties
 *
 * Ctrl-C ends it as any command (interrupt.ts). vm is no sandbox: a start-up file of the working directory may not use it.
 */
import { type Context, createContext, Script } from "node:vm";
import { InquestError, UsageError } from "../../bytes/errors.ts";
import { defineCommand, type Session } from "../../commands/command.ts";
import { commandRegistry } from "../../commands/registry.ts";
import { Kernel } from "../../library/kernel.ts";
import { ExtensibleRegistry, extendCommand } from "./extend.ts";
import { showValue } from "./show-value.ts";

/** Whether `js` may run now; the runner says so. */
export const javascript = { allowed: true };

interface JsResult {
  /** What console.log printed. */
  readonly printed: readonly string[];
  /** What the expression, or the last statement, gave. */
  readonly value: unknown;
}

/** Lines of console.log that are kept. */
const MAX_PRINTED = 100_000;

interface World {
  readonly context: Context;
  printed: string[];
}

const worlds = new WeakMap<Session, World>();

function worldOf(session: Session): World {
  const known = worlds.get(session);
  if (known !== undefined) return known;
  const kernel = new Kernel(session.kernel);
  const log = (...values: readonly unknown[]) => {
    if (world.printed.length > MAX_PRINTED) return;
    for (const text of values.map(showValue).join(" ").split("\n")) if (world.printed.push(text) > MAX_PRINTED) break;
    if (world.printed.length > MAX_PRINTED) world.printed[MAX_PRINTED] = `(only the first ${MAX_PRINTED} lines of console.log are kept)`;
  };
  const names = { kernel, $: kernel.$, console: { log }, TextDecoder, TextEncoder };
  Object.defineProperty(names, "tasks", { get: () => kernel.tasks(), enumerable: true });
  const world: World = { context: createContext(names, { name: "inquest" }), printed: [] };
  worlds.set(session, world);
  return world;
}

const js = defineCommand<JsResult>({
  spec: {
    name: "js",
    summary: "JavaScript over the opened kernel",
    synopsis: ["expression | statements"],
    description: [
      "Evaluates JavaScript with the library's kernel at hand and prints what it gives: bigints in hexadecimal, values of the kernel as p prints them. `kernel` is the opened kernel (symbol, variable, object, tasks, stack, memory, search, …), `$` its variables with members as properties, `tasks` all tasks. Names that a line declares stay for the next ones.",
      "Longer work belongs into a file: inquest script FILE DUMP. Any command with --api prints the code that does the same.",
    ],
    options: [],
    operands: ["text"],
    examples: [
      ["js $.init_task.comm", "a member of a variable"],
      ["js tasks.filter((task) => task.state === 'UN').map(String)", "tasks in uninterruptible sleep"],
      ["js kernel.stack(1).frames.map((frame) => frame.function)", "functions on a stack"],
      ["js [...kernel.search('Linux version', { limit: 3 })]", "where a text lies in memory"],
    ],
    rawLine: true,
    needsDisassembler: (line) => /\bdis|x\//.test(line),
  },
  run(session, { line }) {
    if (!javascript.allowed)
      throw new UsageError("a start-up file of the working directory may not run JavaScript; put it into the home directory's");
    if (line.trim() === "") throw new UsageError("usage: js expression | statements");
    const world = worldOf(session);
    world.printed = [];
    const value = evaluate(line, world.context);
    return { printed: world.printed, value };
  },
  *text({ printed, value }) {
    yield* printed;
    if (value !== undefined) yield* showValue(value).split("\n");
  },
  api: (_session, { line }) =>
    `const { $ } = kernel;\nconst tasks = kernel.tasks();\n${isExpression(line) ? `return ${line.trim()};` : line.trim()}`,
});

/** All commands of this face. */
export const programRegistry: ExtensibleRegistry = new ExtensibleRegistry([
  ...commandRegistry.all(),
  js,
  extendCommand(() => programRegistry),
]);

function evaluate(text: string, context: Context): unknown {
  try {
    return compiled(text).runInContext(context, { displayErrors: false });
  } catch (error) {
    // Ours, and Ctrl-C, are told as anywhere.
    if (error instanceof InquestError || isInterrupt(error)) throw error;
    throw new UsageError(isError(error) ? `${error.name}: ${error.message}` : `threw ${showValue(error)}`);
  }
}

function isExpression(text: string): boolean {
  try {
    return new Script(`(${text}\n)`) !== undefined;
  } catch {
    return false;
  }
}

/** An expression where the text is one, so that `{ a: 1 }` is an object; else statements. */
function compiled(text: string): Script {
  return new Script(isExpression(text) ? `(${text}\n)` : text, { filename: "js" });
}

function isInterrupt(error: unknown): boolean {
  return isError(error) && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
}

/** Errors of the context are no instances of this realm's Error. */
function isError(error: unknown): error is Error {
  return typeof error === "object" && error !== null && "name" in error && "message" in error;
}
