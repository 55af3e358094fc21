/** Several dumps compared, for people: the verdicts, whether they are one bug, what agrees and what differs. */
import { headline } from "../../diagnosis/class-words.ts";
import type { Comparison } from "../../diagnosis/compare.ts";
import type { Diagnosis } from "../../diagnosis/verdict.ts";
import { oneLine } from "./prose.ts";

export interface NamedDiagnosis {
  readonly file: string;
  readonly diagnosis: Diagnosis;
}

const ANSWERS: Readonly<Record<Comparison["relation"], string>> = {
  same: "The same bug",
  "likely the same": "Likely the same bug",
  "possibly related": "Possibly related",
  different: "Different bugs",
  undecided: "Undecided",
};

/** The first against another. Lines without line ends, whatever the dumps have in their names. */
export function* comparisonLines(first: NamedDiagnosis, second: NamedDiagnosis, comparison: Comparison): Iterable<string> {
  for (const line of linesOf(first, second, comparison)) yield oneLine(line);
}

function* linesOf(first: NamedDiagnosis, second: NamedDiagnosis, comparison: Comparison): Iterable<string> {
  yield `${ANSWERS[comparison.relation]}: ${comparison.reason}`;
  yield "";
  for (const { file, diagnosis } of [first, second]) {
    yield `  ${file}`;
    yield `    ${headline(diagnosis.verdict)}    confidence: ${diagnosis.verdict.confidence}`;
    yield `    ${diagnosis.signature.text}   ${diagnosis.signature.hash}`;
  }
  if (comparison.facts.length > 0) yield "";
  const width = Math.max(0, ...comparison.facts.map(({ what }) => what.length));
  for (const { what, first: one, second: other, agrees } of comparison.facts) {
    yield `  ${agrees ? "same  " : "differ"}  ${what.padEnd(width)}  ${agrees ? one : `${one}  |  ${other}`}`;
  }
  if (comparison.together.length > 0) yield "";
  for (const line of comparison.together) yield `  ${line}`;
}
