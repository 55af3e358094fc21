/**
 * Scores the diagnosis of all dumps in the lab's cache: `npm run score:dumps -- [options]`.
 *
 *   --variant plain|dwarf|d31|nolog|all   default plain and dwarf
 *   --case PATTERN                        cases whose name has it, "*" for anything
 *   --only faults|mutated                 planted faults and the lab's own cases, or mutations of healthy ones
 *   --seed TEXT  --mutations N            of the mutations, per healthy case
 *   -v                                    every miss with what was said
 *   --json                                the sums as the last line
 */

import { builtCases, type CachedCase, cachedCases, faultsInCache } from "../../../lab/case-record.ts";
import { loadDisassemblers } from "./disassemblers.ts";
import { isSound, labelOf } from "./labels.ts";
import { missesText, scoreText } from "./print.ts";
import { type Row, scoreCase, scoreMutations, VARIANTS, type Variant } from "./run.ts";
import { tally } from "./tally.ts";

const words = process.argv.slice(2);
const option = (name: string): string | undefined => {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words[at + 1];
};
const chosen = option("--variant");
const variants: readonly Variant[] = chosen === "all" ? VARIANTS : chosen === undefined ? ["plain", "dwarf"] : [chosen as Variant];
if (!variants.every((each) => VARIANTS.includes(each))) {
  process.stderr.write(`--variant: one of ${VARIANTS.join(", ")}, all\n`);
  process.exit(2);
}
const pattern = new RegExp(`${(option("--case") ?? "").replaceAll(".", "\\.").replaceAll("*", ".*")}`);
const only = option("--only");
const seed = option("--seed") ?? "measure";
const count = Number(option("--mutations") ?? 20);
const verbose = words.includes("-v");

await loadDisassemblers();
const cases: readonly CachedCase[] = [...cachedCases(), ...faultsInCache(), ...builtCases()].filter(({ id }) => pattern.test(id));
const rows: Row[] = [];
const take = (row: Row): void => {
  rows.push(row);
};
for (const lab of cases) {
  if (only !== "mutated") for await (const row of scoreCase(lab, variants)) take(row);
  const label = labelOf(lab);
  if (only !== "faults" && label !== undefined && isSound(label))
    for await (const row of scoreMutations(lab, seed, count, variants)) take(row);
}
const sums = tally(rows);
if (verbose) {
  for (const line of missesText(rows)) process.stdout.write(`${line}\n`);
  for (const line of sums.besides) process.stdout.write(`also high: ${line}\n`);
}
for (const line of scoreText(sums)) process.stdout.write(`${line}\n`);
if (words.includes("--json")) {
  const { perClass, targets, calibration, faults, hangs } = sums;
  process.stdout.write(
    `${JSON.stringify({
      rows: rows.length,
      perClass: Object.fromEntries(perClass),
      targets: targets.map(({ name, share, wanted }) => ({ name, ...share, ...(wanted === undefined ? {} : { wanted }) })),
      calibration: Object.fromEntries(calibration),
      accusations: sums.accusations.length,
      failures: sums.failures.length,
      milliseconds: { faults, hangs },
    })}\n`,
  );
}
