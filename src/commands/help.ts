/**
 * `help`: the table of commands, a command's page made from its spec, what the dump's header says (-D), what is known of the machine (-m).
 */
import { LookupError } from "../bytes/errors.ts";
import { type Command, type CommandSpec, defineCommand } from "./command.ts";
import { commandPage } from "./support/help-page.ts";
import { TOPICS, type Topic } from "./support/help-topics.ts";
import { nearestNames } from "./support/nearest.ts";

export interface HelpResult {
  readonly commands?: readonly { readonly name: string; readonly summary: string }[];
  readonly pages?: readonly CommandSpec[];
  readonly topic?: Topic;
  readonly facts?: readonly (readonly [label: string, value: string])[];
  /** Lines of text below the facts. */
  readonly notes?: readonly string[];
}

export const help = defineCommand<HelpResult>({
  spec: {
    name: "help",
    summary: "the commands, or one command's page",
    synopsis: ["[command | all | input | output]", "-D | -m"],
    description: [
      "Without operands, the table of commands. With a command's name or alias, its page. `help all` gives every page; `help input` and `help output` tell what may be typed at the prompt, and where output may go.",
    ],
    options: [
      { flag: "-D", help: "all that the dump file's header and notes say, with what is missing from it" },
      { flag: "-n", help: "the same as -D" },
      { flag: "-m", help: "what is known of the machine: page tables, address layout, KASLR" },
    ],
    operands: ["command"],
    examples: [
      ["help bt", "the page of bt"],
      ["help -D", "the dump's header"],
    ],
    differences: ["The table says what each command does; crash shows names only."],
    minimal: true,
  },
  run(session, args) {
    const { kernel, registry } = session;
    if (args.has("-D") || args.has("-n")) {
      const { dump } = kernel;
      return {
        facts: dump.facts,
        notes: [...dump.warnings, ...kernel.notes],
      };
    }
    if (args.has("-m")) return { facts: [["architecture", kernel.arch.name], ...kernel.arch.facts], notes: kernel.notes };
    if (args.operands.length === 0) return { commands: registry.all().map(({ spec }) => ({ name: spec.name, summary: spec.summary })) };
    const pages: CommandSpec[] = [];
    for (const name of args.operands) {
      const topic = TOPICS[name];
      if (topic !== undefined) return { topic };
      pages.push(...(name === "all" ? registry.all().map(({ spec }) => spec) : [page(session, name)]));
    }
    return { pages };
  },
  api: () => "// help is for the prompt: the library's pages are made by npm run api",
  *text({ commands, pages, topic, facts, notes }, { columns }) {
    if (commands !== undefined) yield* table(commands);
    for (const [index, spec] of (pages ?? []).entries()) {
      if (index > 0) yield "";
      yield* commandPage(spec, columns);
    }
    if (topic !== undefined) yield* topic.lines;
    const width = Math.max(0, ...(facts ?? []).map(([label]) => label.length));
    for (const [label, value] of facts ?? []) yield `${label.padStart(width)}: ${value}`;
    if (notes !== undefined && notes.length > 0) {
      yield "";
      yield* notes;
    }
  },
});

function page(
  session: {
    readonly registry: { find(name: string): Command | undefined; all(): readonly Command[] };
    readonly aliases: ReadonlyMap<string, { readonly line: string }>;
  },
  name: string,
): CommandSpec {
  const alias = session.aliases.get(name)?.line.split(/\s/)[0];
  const command = session.registry.find(name) ?? (alias === undefined ? undefined : session.registry.find(alias));
  if (command !== undefined) return command.spec;
  throw new LookupError(
    `no command named "${name}"`,
    nearestNames(
      name,
      session.registry.all().map(({ spec }) => spec.name),
    ),
  );
}

function* table(commands: readonly { readonly name: string; readonly summary: string }[]): Iterable<string> {
  const width = Math.max(...commands.map(({ name }) => name.length));
  for (const { name, summary } of commands) yield `${name.padEnd(width)}  ${summary}`;
  yield "";
  yield "A structure, a variable, a function or an expression is a command too.";
  yield '"help NAME" shows a page; "help input" and "help output" tell what may be typed and where output may go.';
}
