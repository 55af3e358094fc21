/** The manual of all commands as Markdown, made from their specs: docs/commands.md. */
import type { Command, CommandSpec } from "../command.ts";
import { optionLabel } from "./help-page.ts";

/** Text of docs/commands.md. */
export function commandManual(commands: readonly Command[]): string {
  const specs = commands.map(({ spec }) => spec);
  const lines = [
    "# Commands",
    "",
    "Made from the commands' own descriptions by `npm run docs`; `help COMMAND` shows the same at the prompt.",
    "",
    "Every command takes `--api`: it then prints the library code that does the same, a module that `inquest script` runs.",
    "",
    "| command | what it does |",
    "| --- | --- |",
    ...specs.map(({ name, summary }) => `| [${code(name)}](#${anchor(name)}) | ${cell(escapeText(summary))} |`),
  ];
  for (const spec of specs) lines.push("", ...section(spec));
  return `${lines.join("\n")}\n`;
}

function* section(spec: CommandSpec): Iterable<string> {
  yield `## <a id="${anchor(spec.name)}"></a>${code(spec.name)}`;
  yield "";
  yield `${sentence(spec.summary)}${spec.aliases === undefined || spec.aliases.length === 0 ? "" : ` Also called ${spec.aliases.map(code).join(", ")}.`}`;
  yield "";
  yield "```text";
  for (const line of spec.synopsis) yield `${spec.name} ${line}`.trimEnd();
  yield "```";
  for (const paragraph of spec.description) {
    yield "";
    yield escapeText(paragraph);
  }
  if (spec.options.length > 0) {
    yield "";
    yield "| option | |";
    yield "| --- | --- |";
    for (const option of spec.options) yield `| ${cell(code(optionLabel(option)))} | ${cell(escapeText(option.help))} |`;
  }
  if (spec.examples !== undefined && spec.examples.length > 0) {
    yield "";
    yield "Examples:";
    yield "";
    for (const [line, what] of spec.examples) yield `- ${code(line)}: ${escapeText(what)}`;
  }
  if (spec.differences !== undefined && spec.differences.length > 0) {
    yield "";
    yield "Differences from crash:";
    yield "";
    for (const difference of spec.differences) yield `- ${escapeText(difference)}`;
  }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${escapeText(text.slice(1))}.`;
}

function anchor(name: string): string {
  return name === "*" ? "star" : name;
}

function code(text: string): string {
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** In a table's row a bar would end the cell, even within backticks. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function escapeText(text: string): string {
  return text.replace(/[<>*_[\]]/g, "\\$&");
}
