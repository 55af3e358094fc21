/**
 * Completion of a line at the prompt: commands, options from their specs, symbols, types, members along a path, modules, settings.
 *
 *   struct task_struct.co⇥   →  task_struct.comm        p init_task.mm->pg⇥  →  init_task.mm->pgd
 */
import { type CType, type StructType, strip, type TypeKey } from "../debug-info/c-type.ts";
import type { OperandKind, Session } from "./command.ts";
import { INFO_TOPICS } from "./info.ts";
import { operandWords } from "./support/operand-words.ts";
import { FOREACH_COMMANDS, FOREACH_KEYWORDS } from "./support/select-tasks.ts";
import { TREE_KINDS } from "./support/tree-walk.ts";
import { SETTING_NAMES } from "./support/variables.ts";

export interface Completion {
  readonly candidates: readonly string[];
  /** The end of the line that the candidates replace; each candidate begins with it. */
  readonly fragment: string;
}

/** Candidates that are listed; the rest is counted. */
const SHOWN = 200;
/** Names asked of each source. */
const LIMIT = 2000;
const TYPES: readonly TypeKey[] = ["struct", "union", "typedef", "enum"];

/** @param line the text up to the cursor */
export function complete(session: Session, line: string): Completion {
  const fragment = /\S*$/.exec(line)?.[0] ?? "";
  const before = line.slice(0, line.length - fragment.length).trim();
  const candidates = before === "" ? firstWord(session, fragment) : laterWord(session, before, fragment);
  const sorted = [...new Set(candidates)].filter((candidate) => candidate.startsWith(fragment)).sort();
  return { candidates: sorted.length <= SHOWN ? sorted : shortened(sorted, fragment), fragment };
}

/** Too many to list: what all have in common, else the first of them and how many more there are. */
function shortened(sorted: readonly string[], fragment: string): string[] {
  const first = sorted[0] as string;
  const last = sorted.at(-1) as string;
  let length = fragment.length;
  while (length < first.length && first[length] === last[length]) length++;
  if (length > fragment.length && sorted.length < LIMIT) return [first.slice(0, length)];
  // The last entry has nothing in common with the others, so that nothing is inserted for a list that is not whole.
  return [...sorted.slice(0, SHOWN), `(${sorted.length < LIMIT ? sorted.length - SHOWN : "many"} more)`];
}

function* firstWord(session: Session, fragment: string): Iterable<string> {
  for (const { spec } of session.registry.all()) {
    yield `${spec.name} `;
    for (const alias of spec.aliases ?? []) yield `${alias} `;
  }
  for (const alias of session.aliases.keys()) yield `${alias} `;
  if (fragment.startsWith("*")) yield* prefixed("*", operand(session, "member", fragment.slice(1)));
  else if (/[.>]/.test(fragment) || fragment.length >= 2) {
    yield* operand(session, "member", fragment);
    yield* operand(session, "symbol", fragment);
  }
}

function* laterWord(session: Session, before: string, fragment: string): Iterable<string> {
  const words = before.split(/\s+/);
  const typed = words[0] as string;
  const name = session.aliases.get(typed)?.line.split(/\s+/)[0] ?? typed;
  const spec = session.registry.find(name)?.spec;
  if (spec === undefined) {
    yield* operand(session, "symbol", fragment);
    return;
  }
  if (name === "foreach") {
    yield* inForeach(session, words.slice(1), fragment);
    return;
  }
  if (fragment.startsWith("-")) {
    yield* spec.options.map(({ flag }) => `${flag} `);
    return;
  }
  if (name === "info" && words.length === 1) {
    yield* INFO_TOPICS.map((topic) => `${topic} `);
    return;
  }
  if (name === "tree" && words.at(-1) === "-t") {
    yield* TREE_KINDS.map((kind) => `${kind} `);
    return;
  }
  const particular = operandWords(session, name, words);
  if (particular !== undefined) {
    yield* particular.map((word) => `${word} `);
    return;
  }
  if (name === "set" && words.length === 1) yield* SETTING_NAMES.map((setting) => `${setting} `);
  if (spec.rawLine === true) {
    const tail = /[A-Za-z_$][\w$]*(?:(?:\.|->)[\w$]*)*$/.exec(fragment)?.[0] ?? "";
    yield* prefixed(fragment.slice(0, fragment.length - tail.length), [
      ...operand(session, "symbol", tail),
      ...operand(session, "member", tail),
    ]);
  }
  for (const kind of spec.operands ?? []) yield* operand(session, kind, fragment);
}

function* inForeach(session: Session, words: readonly string[], fragment: string): Iterable<string> {
  const commands = FOREACH_COMMANDS.filter((name) => session.registry.find(name) !== undefined);
  const inner = words.findIndex((word) => commands.includes(word));
  if (inner >= 0) {
    yield* laterWord(session, words.slice(inner).join(" "), fragment);
    return;
  }
  for (const word of [...commands, ...FOREACH_KEYWORDS]) yield `${word} `;
}

function* operand(session: Session, kind: OperandKind, fragment: string): Iterable<string> {
  const { kernel } = session;
  switch (kind) {
    case "symbol":
      if (/[.>]/.test(fragment)) yield* members(session, fragment);
      else if (fragment !== "") {
        const ampersand = fragment.startsWith("&") ? "&" : "";
        yield* prefixed(ampersand, kernel.symbols.prefix(fragment.slice(ampersand.length), LIMIT));
      }
      break;
    case "type":
    case "member":
      if (fragment.includes(".")) yield* members(session, fragment);
      else if (fragment !== "")
        for (const source of kernel.types.sources) for (const key of TYPES) yield* source.names(key, fragment, LIMIT);
      break;
    case "command":
      for (const { spec } of session.registry.all()) yield spec.name;
      yield* ["all", "input", "output"];
      break;
    case "module":
      for (const module of kernel.modules) yield module.name;
      break;
    default:
  }
}

/** Members along `base.a.b` or `base->a.b`, the base a structure's tag or a variable; the last of several paths joined by commas. */
function* members(session: Session, fragment: string): Iterable<string> {
  const found = /^(&?)([A-Za-z_$][\w$]*)(\.|->)(.*)$/.exec(fragment);
  if (found === null) return;
  const [, ampersand = "", base = "", , rest = ""] = found;
  const { kernel } = session;
  let type: CType | undefined = kernel.types.tryStruct(base)?.type ?? kernel.variableType(base);
  const path = rest.slice(rest.lastIndexOf(",") + 1);
  const parts = path.split(/\.|->/);
  const last = parts.pop() as string;
  for (const part of parts) type = type === undefined ? undefined : memberType(type, part.replace(/\[\d*\]$/, ""));
  const struct = type === undefined ? undefined : structOf(type);
  if (struct === undefined || ampersand.length > 1) return;
  yield* prefixed(fragment.slice(0, fragment.length - last.length), memberNames(struct, 0));
}

function memberType(type: CType, name: string): CType | undefined {
  const struct = structOf(type);
  return struct === undefined ? undefined : findType(struct, name, 0);
}

function findType(struct: StructType, name: string, depth: number): CType | undefined {
  for (const member of struct.members) {
    if (member.name === name) return member.type;
    const inner = member.name === undefined && depth < 16 ? structOf(member.type) : undefined;
    const found = inner === undefined ? undefined : findType(inner, name, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The structure that a type is, points to, or is an array of. */
function structOf(type: CType): StructType | undefined {
  let plain = strip(type);
  for (let depth = 0; depth < 8 && (plain.kind === "pointer" || plain.kind === "array"); depth++)
    plain = strip(plain.kind === "pointer" ? plain.target : plain.element);
  return plain.kind === "struct" || plain.kind === "union" ? plain : undefined;
}

function* memberNames(struct: StructType, depth: number): Iterable<string> {
  for (const member of struct.members) {
    if (member.name !== undefined) yield member.name;
    else {
      const inner = depth < 16 ? structOf(member.type) : undefined;
      if (inner !== undefined) yield* memberNames(inner, depth + 1);
    }
  }
}

function* prefixed(prefix: string, names: Iterable<string>): Iterable<string> {
  for (const name of names) yield prefix + name;
}
