/** The library as it is installed: one module made by scripts/bundle.mjs (npm run build), reached by the package's own name. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

/** Runs a module and gives what it printed as JSON. */
function run(code: string): unknown {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", timeout: 60_000 });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

describe('import "inquest"', () => {
  it("opens a dump, runs commands, disassembles", () => {
    const facts = run(`import { openDump, InquestError } from "inquest";
const kernel = await openDump("samples/x86-64-null-pointer/vmcore", { search: false });
let kind;
try { kernel.symbol("no_such"); } catch (error) { kind = error instanceof InquestError ? error.kind : "foreign"; }
const [first] = await kernel.disassemble("schedule", 1);
console.log(JSON.stringify({ release: kernel.release, kind, mnemonic: first.mnemonic, taint: kernel.run("sys -t").taint.letters }));`);
    expect(facts).toEqual({ release: "6.1.0-56-cloud-amd64", kind: "lookup", mnemonic: "nopl", taint: "OE" });
  });

  it("brings nothing of the command line, and no decoder before it is asked for", () => {
    const text = readFileSync("dist/src/inquest.mjs", "utf8");
    for (const foreign of ["node:readline", "node:vm", "commander", "iced-x86"]) expect(text.includes(foreign)).toBe(false);
  });

  it("loads in a fraction of what its single modules take", () => {
    // Of the processor's time, as other tests run beside this one.
    const cost = (path: string) =>
      run(`await import("./dist/src/${path}");
const { user, system } = process.cpuUsage();
console.log(Math.round((user + system) / 1000));`) as number;
    expect(cost("inquest.mjs")).toBeLessThan(0.7 * cost("index.js"));
  });
});
