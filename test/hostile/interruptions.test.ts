/**
 * Ctrl-C at seeded places (interruption-child.ts): afterwards every answer is that of a process that was never disturbed. For longer runs
 * `node dist/test/hostile/interruption-child.js DUMP > reference`, then the same with `FIRST LAST < reference`.
 */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import type { InterruptionReport } from "./interruption-child.ts";

const CHILD = "dist/test/hostile/interruption-child.js";
/** Rounds of a process: what it keeps for all dumps is new in the first. */
const ROUNDS = 8;
const PROCESSES = 2;

function run(file: string, words: readonly string[], input = ""): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CHILD, file, ...words], {
    input,
    encoding: "utf8",
    maxBuffer: 64 << 20,
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(`${file} ${words.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

describe.each(["x86-64-null-pointer", "arm64-null-pointer", "x86-64-hung-tasks"])("%s", (sample) => {
  test("answers after interruptions are those of a fresh process", () => {
    const file = `samples/${sample}/vmcore`;
    const reference = run(file, []);
    const reports: InterruptionReport[] = [];
    for (let first = 0; first < ROUNDS * PROCESSES; first += ROUNDS) {
      const lines = run(file, [String(first), String(first + ROUNDS)], reference)
        .trimEnd()
        .split("\n");
      reports.push(...lines.map((line) => JSON.parse(line) as InterruptionReport));
    }
    expect(reports).toHaveLength(ROUNDS * PROCESSES);
    const differences = reports.flatMap(({ seed, interrupted, differences: own }) =>
      own.map((each) => `seed ${seed} (${interrupted.join(", ")}): ${each}`),
    );
    expect(differences).toEqual([]);
    // Most rounds end something.
    expect(reports.filter(({ interrupted }) => interrupted.length > 0).length).toBeGreaterThan(reports.length / 2);
  });
});
