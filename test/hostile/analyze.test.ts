/**
 * `analyze` over damaged dumps (analyze-child.ts). It always answers, in bounded time and memory; and memory that is merely missing (left out,
 * cut off, a part that was not given) accuses nobody: the verdict is that of the whole dump, or it is not certain.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import type { AnalyzeReport } from "./analyze-child.ts";

const CHILD = "dist/test/hostile/analyze-child.js";
const SEEDS = 50;
/** Of time on a clock; the processor time that one takes is below two. */
const SECONDS_EACH = 20;
const MISSING = new Set(["excluded", "cut", "hole"]);

function run(file: string): Promise<readonly AnalyzeReport[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--max-old-space-size=900", CHILD, file, "0", String(SEEDS)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const reports: AnalyzeReport[] = [];
    let seed = -1;
    let timer = setTimeout(() => {}, 0);
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`${file}, seed ${seed}: no verdict within ${SECONDS_EACH} s`));
      }, SECONDS_EACH * 1000);
    };
    watch();
    createInterface({ input: child.stdout }).on("line", (line) => {
      watch();
      const message = JSON.parse(line) as AnalyzeReport | { readonly start: number };
      if ("start" in message) seed = message.start;
      else reports.push(message);
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (reports.length === SEEDS + 1) resolve(reports);
      else reject(new Error(`${file}: the child ended with ${code} at seed ${seed}`));
    });
  });
}

describe.concurrent.each(["x86-64-null-pointer", "arm64-null-pointer", "x86-64-hung-tasks"])("%s", (sample) => {
  test("analyze answers, and accuses nobody of what is missing", async () => {
    const [intact, ...reports] = await run(`samples/${sample}/vmcore`);
    expect(reports.flatMap(({ seed, error }) => (error?.startsWith("BUG") === true ? [`seed ${seed}: ${error}`] : []))).toEqual([]);
    expect(Math.max(...reports.map(({ residentMiB }) => residentMiB))).toBeLessThan(1024);
    const wrong = reports.flatMap(({ seed, damage, what, verdict }) =>
      MISSING.has(damage) && verdict?.confidence === "high" && verdict.class !== intact?.verdict?.class
        ? [`seed ${seed} (${what}): ${verdict.class}: ${verdict.title}`]
        : [],
    );
    expect(wrong).toEqual([]);
    // Damage must not silence it altogether.
    expect(reports.filter(({ verdict }) => verdict !== undefined).length).toBeGreaterThan(SEEDS / 3);
  });
});
