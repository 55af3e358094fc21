/**
 * 300 seeded corruptions of the committed dumps' structures (corruption.ts), every command over each (command-lines.ts). Allowed outcomes:
 * an answer, or one error of ours; each line within its time, the whole within a gigabyte.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { commandRegistry } from "../../src/commands/registry.ts";
import { unlisted } from "./command-lines.ts";
import type { CorruptionReport } from "./corruption-child.ts";

const CHILD = "dist/test/hostile/corruption-child.js";
const SEEDS = 300;
/** For one command line; the slowest intact one takes about one on an idle machine. */
const SECONDS_EACH = 20;

type Message = CorruptionReport | { readonly start: number | string } | { readonly line: string };

/** Runs every `step`th seed from `first` in a child; fails when one line takes too long or the child dies. */
function run(file: string, first: number, step: number): Promise<readonly CorruptionReport[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--max-old-space-size=900", CHILD, file, String(first), String(SEEDS), String(step)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const reports: CorruptionReport[] = [];
    let seed: number | string = "intact";
    let at = "";
    let timer = setTimeout(() => {}, 0);
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`${file}, seed ${seed}: "${at}" gave no answer within ${SECONDS_EACH} s`));
      }, SECONDS_EACH * 1000);
    };
    watch();
    createInterface({ input: child.stdout }).on("line", (text) => {
      watch();
      const message = JSON.parse(text) as Message;
      if ("start" in message) seed = message.start;
      else if ("line" in message) at = message.line;
      else reports.push(message);
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (reports.length === Math.ceil((SEEDS - first) / step)) resolve(reports);
      else reject(new Error(`${file}: the child ended with ${code} at seed ${seed}, "${at}"`));
    });
  });
}

const samples = readdirSync("samples", { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => join("samples", entry.name, "vmcore"))
  .filter((file) => existsSync(file));

test("every command is asked", () => {
  expect(unlisted(commandRegistry), "add them to test/hostile/command-lines.ts").toEqual([]);
});

describe.concurrent.each(samples.map((file, index) => [file, index] as const))("%s", (file, index) => {
  test("corrupted structures", async () => {
    const reports = await run(file, index, samples.length);
    const bugs = reports.flatMap(({ seed, what, bugs: own }) => own.map((bug) => `seed ${seed} (${what}): ${bug}`));
    expect(bugs.slice(0, 5)).toEqual([]);
    expect(Math.max(...reports.map(({ residentMiB }) => residentMiB))).toBeLessThan(1024);
    // Broken structures silence few commands. What a kernel without data symbols, or a line without its operand, refuses counts too.
    const answered = reports.map((report) => report.answered / (report.answered + report.refused));
    expect(Math.min(...answered)).toBeGreaterThan(0.25);
    expect(answered.reduce((sum, share) => sum + share, 0) / answered.length).toBeGreaterThan(0.6);
  });
});
