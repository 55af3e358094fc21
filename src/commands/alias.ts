/** `alias`: names for command lines. */
import { LookupError, UsageError } from "../bytes/errors.ts";
import { defineCommand } from "./command.ts";
import { splitWords } from "./support/words.ts";

export interface AliasResult {
  readonly aliases: readonly { readonly origin: string; readonly alias: string; readonly command: string }[];
  /** Name of the alias that was removed. */
  readonly deleted?: string;
}

export const alias = defineCommand<AliasResult>({
  spec: {
    name: "alias",
    summary: "names for command lines",
    synopsis: ['[name] ["command line"]'],
    description: [
      'Without operands, lists all aliases; with a name, that one. With a name and a command line, defines the alias; an empty command line ("") removes it. A line with a pipe or a redirection stands in quotes.',
      "The words after an alias follow its command line, or replace $1 … $9 and $* in it.",
    ],
    options: [],
    operands: ["text"],
    examples: [
      ['alias kt "ps -k | grep kworker"', "an alias with a pipe"],
      ['alias comm "struct task_struct.comm $1"', "with a place for its operand"],
      ['alias kt ""', "remove it"],
    ],
    minimal: true,
    rawLine: true,
  },
  run(session, { line }) {
    const [name, first, ...rest] = splitWords(line);
    const list = () => [...session.aliases].map(([key, { origin, line: command }]) => ({ origin, alias: key, command }));
    if (name === undefined) return { aliases: list() };
    if (first === undefined) {
      const found = list().filter(({ alias: key }) => key === name.text);
      if (found.length === 0) throw new LookupError(`alias does not exist: ${name.text}`);
      return { aliases: found };
    }
    const command = rest.length === 0 && first.quoted ? first.text : line.slice(first.start).trim();
    if (command === "") {
      if (!session.aliases.delete(name.text)) throw new LookupError(`alias does not exist: ${name.text}`);
      return { aliases: [], deleted: name.text };
    }
    if (session.registry.find(name.text) !== undefined) throw new UsageError(`"${name.text}" is a command and cannot be an alias`);
    session.aliases.set(name.text, { line: command, origin: "runtime" });
    return { aliases: list().filter(({ alias: key }) => key === name.text) };
  },
  api: () => "// alias is for the prompt: a script gives names with const",
  *text({ aliases, deleted }) {
    if (deleted !== undefined) yield `alias deleted: ${deleted}`;
    if (aliases.length === 0) return;
    const width = Math.max(7, ...aliases.map(({ alias: key }) => key.length));
    yield `ORIGIN   ${"ALIAS".padEnd(width)}  COMMAND`;
    for (const { origin, alias: key, command } of aliases) yield `${origin.padEnd(7)}  ${key.padEnd(width)}  ${command}`;
  },
});
