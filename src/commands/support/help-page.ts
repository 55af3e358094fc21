/** A command's page as text, made from its spec alone: the same facts feed the parser, completion and the manual. */
import type { CommandSpec, OptionSpec } from "../command.ts";

/** Columns of a page in a file, or on a wide screen. */
const WIDTH = 96;

/** What every command takes (api-code.ts). */
const API_OPTION: OptionSpec = { flag: "--api", help: "print the library code that does the same, for inquest script" };

/** Lines of the man-like page. @param columns of the screen, where it is read on one */
export function* commandPage(spec: CommandSpec, columns?: number): Iterable<string> {
  const total = Math.min(WIDTH, (columns ?? Number.POSITIVE_INFINITY) - 1);
  yield "NAME";
  yield `  ${[spec.name, ...(spec.aliases ?? [])].join(", ")} - ${spec.summary}`;
  yield "";
  yield "SYNOPSIS";
  for (const line of spec.synopsis) yield `  ${`${spec.name} ${line}`.trimEnd()}`;
  yield "";
  yield "DESCRIPTION";
  for (const [index, paragraph] of spec.description.entries()) {
    if (index > 0) yield "";
    yield* wrap(paragraph, 2, total);
  }
  const options = [...spec.options, API_OPTION];
  yield "";
  yield "OPTIONS";
  const labels = options.map(optionLabel);
  const width = Math.min(24, Math.max(...labels.map((label) => label.length)));
  for (const [index, { help }] of options.entries()) {
    const label = (labels[index] as string).padEnd(width);
    const [first = "", ...rest] = [...wrap(help, width + 6, total)];
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
      const [first = "", ...rest] = [...wrap(difference, 4, total)];
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
export function* wrap(paragraph: string, indent: number, columns = WIDTH): Iterable<string> {
  const margin = " ".repeat(indent);
  let line = "";
  for (const word of paragraph.split(/\s+/)) {
    if (line !== "" && indent + line.length + 1 + word.length > columns) {
      yield margin + line;
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") yield margin + line;
}
