/**
 * Parses a command's words by its spec, as crash users type them: single letters may be clustered (`-sx`), an option's argument may
 * be attached or the next word, longer flags win over clusters (`-FF`, `-16`), `-N` with digits that is no flag is an operand.
 */
import { UsageError } from "../bytes/errors.ts";
import type { CommandSpec } from "./command.ts";
import type { Word } from "./support/words.ts";

/** A command's words: its options with their arguments, and its operands. */
export class ParsedArguments {
  /** Words that are not options, in order. */
  readonly operands: readonly string[];
  /** The text after the command's name, unparsed. */
  readonly line: string;
  readonly #options: ReadonlyMap<string, readonly string[]>;
  readonly #quoted: ReadonlySet<number>;

  /** @param quoted indices of the operands that stood in quotes */
  constructor(
    options: ReadonlyMap<string, readonly string[]>,
    operands: readonly string[],
    line: string,
    quoted: ReadonlySet<number> = new Set(),
  ) {
    this.#quoted = quoted;
    this.#options = options;
    this.operands = operands;
    this.line = line;
  }

  /** True when the flag ("-a") was given. */
  has(flag: string): boolean {
    return this.#options.has(flag);
  }

  /** The flags that were given. */
  get flags(): readonly string[] {
    return [...this.#options.keys()];
  }

  /** How often it was given. */
  count(flag: string): number {
    return this.#options.get(flag)?.length ?? 0;
  }

  /** The last argument given to it. */
  value(flag: string): string | undefined {
    return this.#options.get(flag)?.at(-1);
  }

  /** True when the operand stood in quotes: `ps 'kworker.*'` means a regular expression. */
  isQuoted(operand: number): boolean {
    return this.#quoted.has(operand);
  }

  /** All arguments given to it, in order. */
  values(flag: string): readonly string[] {
    return this.#options.get(flag) ?? [];
  }
}

/**
 * @param words the words after the command's name, plain or with the quotes they stood in; a quoted word is never an option
 * @param line the same as one text
 * @throws UsageError naming the unknown option and the command's synopsis
 */
export function parseArguments(spec: CommandSpec, words: readonly (string | Word)[], line: string): ParsedArguments {
  const options = new Map<string, string[]>();
  const operands: string[] = [];
  const quoted = new Set<number>();
  const flags = new Map(spec.options.map((option) => [option.flag, option]));
  const record = (flag: string, value: string) => {
    const list = options.get(flag);
    if (list === undefined) options.set(flag, [value]);
    else list.push(value);
  };
  for (let i = 0; i < words.length; i++) {
    const word = textOf(words[i] as string | Word);
    if (isQuotedWord(words[i])) {
      quoted.add(operands.length);
      operands.push(word);
      continue;
    }
    if (word === "--") {
      operands.push(...words.slice(i + 1).map(textOf));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const whole = flags.get(word);
    if (whole === undefined && /^-(\d+|0x[0-9a-f]+)$/i.test(word)) {
      operands.push(word);
      continue;
    }
    let rest = whole === undefined ? word.slice(1) : "";
    let flag = whole?.flag;
    do {
      if (flag === undefined) {
        flag = longestFlag(flags, rest);
        if (flag === undefined)
          throw new UsageError(`${spec.name}: invalid option "${word}"; ${word === "--json" ? JSON_HINT : usageHint(spec)}`);
        rest = rest.slice(flag.length - 1);
      }
      if (flags.get(flag)?.argument !== undefined) {
        const next = rest !== "" ? rest : words[++i];
        const value = next === undefined ? undefined : textOf(next);
        if (value === undefined) throw new UsageError(`${spec.name}: option ${flag} wants an argument: ${flags.get(flag)?.argument}`);
        record(flag, value);
        rest = "";
      } else if (flags.get(flag)?.attached !== undefined && rest.startsWith("=")) {
        record(flag, rest.slice(1));
        rest = "";
      } else {
        record(flag, "");
      }
      flag = undefined;
    } while (rest !== "");
  }
  if (spec.operands?.length === 0 && operands.length > 0)
    throw new UsageError(`${spec.name}: "${operands[0]}" is not expected; ${usageHint(spec)}`);
  return new ParsedArguments(options, operands, line, quoted);
}

/** A synopsis of more characters than this is no line for an error: kmem's and net's fill screens. */
const LONGEST_USAGE = 200;

/** Where a newcomer looks for it. */
const JSON_HINT = "the program takes it, for all commands: inquest VMCORE --json -c COMMAND";

function usageHint({ name, synopsis, options }: CommandSpec): string {
  const usage = synopsis.join(" | ");
  if (usage.length <= LONGEST_USAGE) return `usage: ${name} ${usage}`.trimEnd();
  return `"help ${name}" explains ${options.map(({ flag }) => flag).join(" ")}`;
}

function textOf(word: string | Word): string {
  return typeof word === "string" ? word : word.text;
}

function isQuotedWord(word: string | Word | undefined): boolean {
  return typeof word === "object" && word.quoted;
}

function longestFlag(flags: ReadonlyMap<string, unknown>, rest: string): string | undefined {
  for (let length = rest.length; length > 0; length--) {
    const flag = `-${rest.slice(0, length)}`;
    if (flags.has(flag)) return flag;
  }
  return undefined;
}
