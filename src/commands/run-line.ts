/**
 * From a line to an outcome: aliases, the first word's meaning, the words after it by the command's spec, run().
 *
 *   "px jiffies"  ──expandAlias──►  "p -x jiffies"  ──resolveLine──►  {p, [-x, jiffies]}  ──runResolved──►  outcome (text not yet pulled)
 *
 * A first word that is no command falls through as in crash: a variable goes to `p`, a function to `sym`, a structure to `struct` or
 * `union`, another type to `whatis`, an expression to `p` or `eval`. Pipes, redirections and `!` are the face's business and are gone
 * from the line before it comes here.
 */
import { InquestError, LookupError, UnsupportedError } from "../bytes/errors.ts";
import type { TypeKey } from "../debug-info/c-type.ts";
import { apiOutcome, wantsApi } from "./api-code.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, CommandOutcome, Session } from "./command.ts";
import { parseNumber } from "./support/evaluate.ts";
import { frameNames } from "./support/frame-context.ts";
import { nearestNames } from "./support/nearest.ts";
import { splitWords, type Word } from "./support/words.ts";

/** A command line whose command is known. */
export interface ResolvedLine {
  readonly command: Command;
  readonly words: readonly Word[];
  /** The text after the command's name. */
  readonly line: string;
}

/** An alias may expand to another one; this ends a circle of them. */
const MAX_ALIAS_DEPTH = 10;

/**
 * Replaces a leading alias by its text. `$1` … `$9` and `$*` in it take the words of the line; without them the rest of the line follows.
 * A leading backslash forces a command name and is removed.
 */
export function expandAlias(session: Pick<Session, "aliases">, line: string): string {
  let text = line.trim();
  if (text.startsWith("\\")) return text.slice(1).trimStart();
  for (let depth = 0; depth < MAX_ALIAS_DEPTH; depth++) {
    const name = /^\S+/.exec(text)?.[0];
    const alias = name === undefined ? undefined : session.aliases.get(name);
    if (name === undefined || alias === undefined) return text;
    const rest = text.slice(name.length).trim();
    text = substitute(alias.line, rest);
    if (/^\S+/.exec(text)?.[0] === name) return text;
  }
  return text;
}

function substitute(alias: string, rest: string): string {
  if (!/\$[1-9*]/.test(alias)) return rest === "" ? alias : `${alias} ${rest}`;
  const words = splitWords(rest).map((word) => word.text);
  return alias.replace(/\$([1-9*])/g, (_, key: string) => (key === "*" ? rest : (words[Number(key) - 1] ?? ""))).trim();
}

/** Finds the command of a line (aliases already expanded). Throws LookupError when there is none, UsageError for open quotes. */
export function resolveLine(session: Session, text: string): ResolvedLine {
  const line = text.trim();
  const name = /^(\*|[^\s*][^\s]*)/.exec(line)?.[0] ?? "";
  const known = session.registry.find(name);
  if (known !== undefined) return resolved(known, line.slice(name.length).trim());
  const slash = name.indexOf("/");
  const formatted = slash > 0 ? session.registry.find(name.slice(0, slash)) : undefined;
  if (formatted?.spec.formats === true) return resolved(formatted, line.slice(slash).trim());
  const target = fallThrough(session, line, /^\S+/.exec(line)?.[0] ?? "");
  const command = target === undefined ? undefined : session.registry.find(target);
  if (command === undefined) {
    const names = session.registry.all().flatMap((each) => [each.spec.name, ...(each.spec.aliases ?? [])]);
    throw new LookupError(`command not found: ${name}`, nearestNames(name, [...names, ...session.aliases.keys()]));
  }
  return resolved(command, line);
}

function resolved(command: Command, line: string): ResolvedLine {
  return { command, words: command.spec.rawLine === true ? tolerantWords(line) : splitWords(line), line };
}

/** Words for display only: commands that read their own line judge the quotes themselves. */
function tolerantWords(line: string): Word[] {
  try {
    return splitWords(line);
  } catch {
    return [...line.matchAll(/\S+/g)].map((found) => ({ text: found[0], quoted: false, start: found.index }));
  }
}

/** True when the line disassembles: the face then loads the disassembler first. */
export function needsDisassembler({ command, line }: ResolvedLine): boolean {
  const needs = command.spec.needsDisassembler;
  return typeof needs === "function" ? needs(line) : needs === true;
}

/** Parses the words and runs the command. */
export function runResolved(session: Session, { command, words, line }: ResolvedLine): CommandOutcome {
  if (session.minimal === true && command.spec.minimal !== true) {
    throw new UnsupportedError("not available with --minimal, which opens no task table and no types; open the dump without it");
  }
  if (wantsApi(words)) return apiOutcome(session, command, words, line);
  const parsed = parseArguments(command.spec, command.spec.rawLine === true ? [] : words, line);
  const result = command.run(session, parsed);
  return { command, args: words.map((word) => word.text), result, text: (layout) => command.text(result, layout) };
}

/** Runs one command line without pipes or redirection. Throws InquestError; the outcome's lazy parts may throw later. */
export function runLine(session: Session, line: string): CommandOutcome {
  return runResolved(session, resolveLine(session, expandAlias(session, line)));
}

const EXPRESSION_START =
  /^(\$([A-Za-z_]\w*|\$?\d*)(?![\w$])|["']|(sizeof|offsetof|container_of|list_entry|rb_entry|per_cpu|per_cpu_ptr)\s*\(|[A-Za-z_]\w*::)/;

/** Name of the command that a line without a command means; undefined when it means nothing. The whole line becomes its arguments. */
function fallThrough(session: Session, line: string, first: string): string | undefined {
  if (session.minimal === true) return session.kernel.symbols.byName(first) === undefined ? undefined : "sym";
  if (first === "enum" || first === "unsigned" || first === "signed") return "whatis";
  if (first.startsWith("(")) return /^\((struct|union|enum|unsigned|[A-Za-z_]\w*\s*\*)/.test(line) ? "p" : "eval";
  if (parseNumber(first, 10) !== undefined && /^(\d|[0-9a-f]{12})/i.test(first)) return "eval";
  // What only an expression begins with: a register or convenience variable, a string, the kernel's macros, a static variable.
  if (EXPRESSION_START.test(line)) return "p";
  const name = /^&?([A-Za-z_$][\w$]*)/.exec(first)?.[1];
  if (name === undefined) return undefined;
  const { kernel } = session;
  if (isLocal(session, name)) return "p";
  const symbol = kernel.symbols.byName(name);
  // Some variables are placed by the linker script and listed as text: jiffies in 7.2.
  const isText = symbol !== undefined && "tTwWiI".includes(symbol.type) && kernel.variableType(name) === undefined;
  if (symbol !== undefined && !isText) return "p";
  const type = typeOf(session, name);
  if (type !== undefined) return first.startsWith("&") || first.includes("->") ? undefined : type;
  if (symbol !== undefined) return first === name ? "sym" : "p";
  return kernel.types.constant(name) === undefined ? undefined : "p";
}

/** A parameter or local of a frame that was chosen. */
function isLocal(session: Session, name: string): boolean {
  const frame = frameNames(session);
  if (!frame.chosen) return false;
  try {
    return frame.local(name) !== undefined;
  } catch (error) {
    if (error instanceof InquestError) return true;
    throw error;
  }
}

const TYPE_COMMANDS: readonly (readonly [TypeKey, string])[] = [
  ["struct", "struct"],
  ["union", "union"],
  ["typedef", "whatis"],
  ["enum", "whatis"],
  ["base", "whatis"],
];

function typeOf(session: Session, name: string): string | undefined {
  const { types } = session.kernel;
  if (!types.present) return undefined;
  // A typedef of a structure is shown and read as the structure.
  for (const [key, command] of TYPE_COMMANDS) {
    if (types.find(key, name) === undefined) continue;
    if (key !== "typedef") return command;
    return types.tryStruct(name, { modules: true }) === undefined ? command : "struct";
  }
  return undefined;
}
