/**
 * Runs a range of seeds against one debug file and reports a line of JSON each; the parent watches the clock.
 *
 *   node debug-files-child.js FILE FIRST LAST
 */
import { readFileSync } from "node:fs";
import { Answers, askBtf, askFile } from "./debug-answers.ts";
import { damage, placesOf } from "./debug-mutation.ts";

/** What one seed led to. */
export interface DebugReport {
  readonly seed: number;
  /** Section that was damaged. */
  readonly place: string;
  readonly bugs: readonly string[];
  readonly answers: number;
  readonly refused: number;
  readonly milliseconds: number;
  readonly residentMiB: number;
}

const [file, first, last] = process.argv.slice(2) as [string, string, string];
const bytes = new Uint8Array(readFileSync(file));
const isElf = file.endsWith(".elf");
const places = isElf ? placesOf(bytes) : [{ name: ".BTF", from: 0, to: bytes.length }];
for (let seed = Number(first); seed < Number(last); seed++) {
  process.stdout.write(`{"start":${seed}}\n`);
  const place = places[seed % places.length]!;
  const started = performance.now();
  const answers = new Answers();
  // The first is the file as it is: what all others are compared with.
  const damaged = seed === 0 ? bytes : damage(bytes, place, seed);
  if (isElf) askFile(damaged, answers);
  else askBtf(damaged, answers);
  const report: DebugReport = {
    seed,
    place: place.name,
    bugs: answers.bugs,
    answers: answers.count,
    refused: answers.refused,
    milliseconds: Math.round(performance.now() - started),
    residentMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
