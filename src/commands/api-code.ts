/**
 * `--api`: the library code that answers what a command line asks. A command gives the body; here it becomes a module that
 * `inquest script` runs:
 *
 *   ps --api    ─►   export default function (kernel) {
 *                      return { tasks: kernel.tasks().map(({ pid, comm, address }) => ({ pid, comm, address })) };
 *                    }
 *
 * What the function returns holds the same data as the command's own result, under the same names, as far as the library has it.
 */
import { UnsupportedError } from "../bytes/errors.ts";
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

/** The outcome of a line with --api. Throws UnsupportedError for a command that answers nothing that the library could. */
export function apiOutcome(session: Session, command: Command, words: readonly Word[], line: string): CommandOutcome {
  const { name } = command.spec;
  const rest = withoutFlag(words, line);
  const parsed = parseArguments(command.spec, command.spec.rawLine === true ? [] : splitWords(rest), rest);
  const body = command.api?.(session, parsed);
  if (body === undefined) throw new UnsupportedError(`${name} is for the prompt: the library has nothing that it would call`);
  const result: ApiResult = { code: apiModule(`${name} ${rest}`.trimEnd(), body) };
  return { command, args: words.map(({ text }) => text), result, text: () => result.code };
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
