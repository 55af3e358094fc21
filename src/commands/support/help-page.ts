/** A command's page as text, made from its spec alone: the same facts feed the parser, completion and the manual. */
import type { CommandSpec, OptionSpec } from "../command.ts";

const WIDTH = 96;

/** What every command takes (api-code.ts). */
const API_OPTION: OptionSpec = { flag: "--api", help: "print the library code that does the same, for inquest script" };

/** Lines of the man-like page. */
export function* commandPage(spec: CommandSpec): Iterable<string> {
  yield "NAME";
  yield `  ${[spec.name, ...(spec.aliases ?? [])].join(", ")} - ${spec.summary}`;
  yield "";
  yield "SYNOPSIS";
  for (const line of spec.synopsis) yield `  ${`${spec.name} ${line}`.trimEnd()}`;
  yield "";
  yield "DESCRIPTION";
  for (const [index, paragraph] of spec.description.entries()) {
    if (index > 0) yield "";
    yield* wrap(paragraph, 2);
  }
  const options = [...spec.options, API_OPTION];
  yield "";
  yield "OPTIONS";
  const labels = options.map(optionLabel);
  const width = Math.min(24, Math.max(...labels.map((label) => label.length)));
  for (const [index, { help }] of options.entries()) {
    const label = (labels[index] as string).padEnd(width);
    const [first = "", ...rest] = [...wrap(help, width + 6)];
    yield `  ${label}  ${first.trimStart()}`;
    yield* rest;
  }
  if (spec.examples !== undefined && spec.examples.length > 0) {
    yield "";
    yield "EXAMPLES";
    const width = Math.max(...spec.examples.map(([line]) => line.length));
    for (const [line, what] of spec.examples) yield `  ${line.padEnd(width)}    ${what}`;
  }
  if (spec.differences !== undefined && spec.differences.length > 0) {
    yield "";
    yield "DIFFERENCES FROM CRASH";
    for (const difference of spec.differences) {
      const [first = "", ...rest] = [...wrap(difference, 4)];
      yield `  - ${first.trimStart()}`;
      yield* rest;
    }
  }
}

/** "-C cpus", "-i[=shared]". */
export function optionLabel({ flag, argument, attached }: OptionSpec): string {
  if (attached !== undefined) return `${flag}[=${attached}]`;
  return argument === undefined ? flag : `${flag} ${argument}`;
}

/** Breaks a paragraph at blanks; a word that is longer than the line stays whole. */
export function* wrap(paragraph: string, indent: number): Iterable<string> {
  const margin = " ".repeat(indent);
  let line = "";
  for (const word of paragraph.split(/\s+/)) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      yield margin + line;
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") yield margin + line;
}
