/**
 * `--api`: the library code that answers what a command line asks. A command gives the body; here it becomes a module that
 * `inquest script` runs:
 *
 *   ps --api    ─►   export default function (kernel) {
 *                      return { tasks: kernel.tasks().map(({ pid, comm, address }) => ({ pid, comm, address })) };
 *                    }
 *
 * What the function returns holds the same data as the command's own result, under the same names, as far as the library has it. A body
 * that is only a comment says why there is nothing to call.
 */
import { parseArguments } from "./arguments.ts";
import type { Command, CommandOutcome, Session } from "./command.ts";
import { splitWords, type Word } from "./support/words.ts";

const FLAG = "--api";

/** What `--api` answers. */
export interface ApiResult {
  /** The module's lines. */
  readonly code: readonly string[];
}

/** True when the line asks for code. A quoted --api is a word like others. */
export function wantsApi(words: readonly Word[]): boolean {
  return words.some(({ text, quoted }) => text === FLAG && !quoted);
}

/** The outcome of a line with --api. Throws what the line itself would: for an unknown symbol there is no code. */
export function apiOutcome(session: Session, command: Command, words: readonly Word[], line: string): CommandOutcome {
  const rest = withoutFlag(words, line);
  const result: ApiResult = { code: apiModule(`${command.spec.name} ${rest}`.trimEnd(), apiBody(session, command, rest)) };
  return { command, args: words.map(({ text }) => text), result, text: () => result.code };
}

/**
 * Body of a function of `kernel` that answers what the command does. Where the library has no call for it, it runs the command.
 * @param line what stands behind the command's name
 */
export function apiBody(session: Session, command: Command, line: string): string {
  const { spec } = command;
  const words = spec.rawLine === true ? [] : splitWords(line);
  const body = command.api?.(session, parseArguments(spec, words, line));
  if (body !== undefined) return body;
  const needs = spec.needsDisassembler;
  const prepare = (typeof needs === "function" ? needs(line) : needs === true) ? "await kernel.loadDisassembler();\n" : "";
  return `${prepare}return kernel.run(${literal(`${spec.name} ${line}`.trimEnd())});`;
}

function withoutFlag(words: readonly Word[], line: string): string {
  let text = line;
  for (const { text: word, quoted, start } of [...words].reverse()) {
    if (word === FLAG && !quoted) text = `${text.slice(0, start)}${text.slice(start + FLAG.length)}`;
  }
  return text.trim().replace(/ {2,}/g, " ");
}

/** A module around a function's body. The line goes into a comment and must not end it. */
function apiModule(line: string, body: string): string[] {
  const lines = body.trim().split("\n");
  return [
    `// ${[...line].filter((char) => char >= " ").join("")}`,
    `export default ${/\bawait\b/.test(body) ? "async " : ""}function (kernel) {`,
    ...lines.map((each) => (each === "" ? "" : `  ${each}`)),
    "}",
  ];
}

/** A value as it stands in code: text in quotes, addresses in hexadecimal. */
export function literal(value: string | number | bigint | boolean): string {
  if (typeof value === "bigint") return `0x${value.toString(16)}n`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
