/**
 * Damaged dumps through the whole tool: the bytes of the file, the file's end, and the memory of the dead kernel. Allowed outcomes: an
 * answer, or error lines of ours; each seed within ten seconds and a gigabyte.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import type { Report } from "./child.ts";

const CHILD = "dist/test/hostile/child.js";
const SECONDS_EACH = 10;

/** Runs seeds in a child and collects its reports; fails when one seed takes too long or the child dies. */
function run(file: string, kind: "file" | "truncate" | "memory", seeds: number): Promise<readonly Report[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--max-old-space-size=900", CHILD, file, kind, "0", String(seeds)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const reports: Report[] = [];
    let seed = -1;
    let timer = setTimeout(() => {}, 0);
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`${file}, ${kind}, seed ${seed}: no answer within ${SECONDS_EACH} s`));
      }, SECONDS_EACH * 1000);
    };
    watch();
    createInterface({ input: child.stdout }).on("line", (line) => {
      watch();
      const message = JSON.parse(line) as Report | { readonly start: number };
      if ("start" in message) seed = message.start;
      else reports.push(message);
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (reports.length === seeds) resolve(reports);
      else reject(new Error(`${file}, ${kind}: the child ended with ${code} at seed ${seed}`));
    });
  });
}

function samples(): readonly string[] {
  return readdirSync("samples", { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join("samples", entry.name, "vmcore"))
    .filter((file) => existsSync(file));
}

describe.concurrent.each(samples())("%s", (file) => {
  test.each([
    ["file", 500],
    ["truncate", 100],
    ["memory", 500],
  ] as const)("damaged %s, %i seeds", async (kind, seeds) => {
    const reports = await run(file, kind, seeds);
    const bugs = reports.flatMap((report) =>
      report.errors.filter((error) => error.startsWith("BUG")).map((error) => `seed ${report.seed}: ${error}`),
    );
    expect(bugs.slice(0, 5)).toEqual([]);
    expect(Math.max(...reports.map((report) => report.residentMiB))).toBeLessThan(1024);
    // Most seeds must still be answered, or the tool gives up too early. Those that are not hit the symbol table: a kernel before 6.0 is
    // searched for it, and a search cannot tell damaged tables from none.
    if (kind === "memory") expect(reports.filter((report) => report.lines > 0).length).toBeGreaterThan(seeds * 0.7);
  });
});
