/** The bundled program as a user starts it: exit statuses, streams, files. With a sample dump also its commands. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PROGRAM = "dist/test-cli/inquest.js";
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-cli-"));
  const built = spawnSync(process.execPath, ["scripts/bundle.mjs", PROGRAM], { encoding: "utf8" });
  expect(built.stderr.replace(/^npm .*\n/gm, "")).toBe("");
});
afterAll(() => rmSync(directory, { recursive: true }));

function inquest(words: readonly string[], input = "", environment: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], {
    encoding: "utf8",
    input,
    env: { ...process.env, HOME: directory, ...environment },
    maxBuffer: 1 << 28,
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

describe("without a dump", () => {
  it("tells its version and help", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(inquest(["-v"])).toEqual({ status: 0, stdout: `inquest ${version}\n`, stderr: "" });
    expect(inquest(["--help"]).stdout).toContain("Usage: inquest VMCORE");
    expect(inquest(["--help", "quit"]).stdout).toContain("exit - end the session");
    expect(inquest(["--help", "all"]).stdout.split("\nNAME\n").length).toBeGreaterThan(10);
    expect(inquest(["--help", "input"]).stdout).toContain("PROMPT");
    expect(inquest(["--help", "nosuch"]).status).toBe(2);
  });

  it("fails in one line", () => {
    const text = join(directory, "text");
    writeFileSync(text, "not a dump\n");
    const cases: readonly (readonly [string[], number])[] = [
      [[], 2],
      [["--bogus"], 2],
      [["-c"], 2],
      [["/nonexistent/vmcore"], 1],
      [[text], 1],
      [[directory], 1],
      [[text, "--json", "-c", "sys"], 1],
    ];
    for (const [words, status] of cases) {
      const run = inquest(words);
      expect([words, run.status, run.stdout]).toEqual([words, status, ""]);
      expect(run.stderr).toMatch(/^inquest: [^\n]+\n$/);
      expect(run.stderr).not.toMatch(/internal error| at .*:\d+:\d+/);
    }
  });

  it("does not mind a reader that leaves", () => {
    const run = spawnSync("/bin/sh", ["-c", `"${process.execPath}" ${PROGRAM} --help all | head -1; exit 0`], { encoding: "utf8" });
    expect(run.stdout).toBe("NAME\n");
    expect(run.stderr).toBe("");
  });
});

/** A committed dump, or another one to try the program on. */
const sample = process.env.INQUEST_TEST_DUMP ?? firstSample("samples");

function firstSample(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder, { recursive: true }).map(String).sort().reverse();
  const found = names.find((name) => /(^|\/)vmcore[^/]*$|\.(vmcore|kdump)$/.test(name) && !/\.(txt|md)$/.test(name));
  return found === undefined ? undefined : join(folder, found);
}

describe.skipIf(sample === undefined)("with a sample dump", () => {
  const dump = sample as string;

  it("shows the banner, then runs what comes from a pipe as a transcript", () => {
    const run = inquest([dump], "eval 1\n# done\nexit\nps\n");
    expect(run.status).toBe(0);
    expect(run.stderr).toMatch(/^(inquest: note: [^\n]+\n)*$/);
    expect(run.stdout).toMatch(/^ {6}KERNEL: .*\n {4}DUMPFILE: /);
    expect(run.stdout).toMatch(/\n {9}PID: \d+\n {5}COMMAND: "/);
    expect(run.stdout).toContain("inquest> eval 1\nhexadecimal: 1\n");
    expect(run.stdout).not.toContain("inquest> ps");
  });

  it("shows no banner with -c, and separates the outputs", () => {
    const run = inquest([dump, "-c", "eval 1", "-c", "eval 2 | tail -1"]);
    expect(run.status).toBe(0);
    expect(run.stdout).toMatch(/^hexadecimal: 1\n(.*\n){3}\n {5}binary: 0+10\n$/);
  });

  it("says by its status whether every command succeeded", () => {
    expect(inquest([dump, "-c", "eval 1", "-c", "nosuch", "-c", "eval 2"])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining("hexadecimal: 2"),
      stderr: "inquest: command not found: nosuch\n",
    });
    expect(inquest([dump, "-s"], "nosuch\n").status).toBe(1);
    expect(inquest([dump, "-i", "/nonexistent/x"])).toMatchObject({
      status: 1,
      stderr: "inquest: /nonexistent/x: no such file or directory\n",
    });
  });

  it("prints one JSON object a command", () => {
    const run = inquest([dump, "--json", "-c", "sys", "-c", "bt", "-c", "nosuch", "-c", "set"]);
    const lines = run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(run.status).toBe(1);
    expect(run.stderr).toBe("");
    expect(lines.map(({ command, ok }) => [command, ok])).toEqual([
      ["sys", true],
      ["bt", true],
      ["inquest", false],
      ["set", true],
    ]);
    expect(lines[0].result).toMatchObject({
      release: expect.any(String),
      panicTask: { pid: expect.any(Number), address: expect.stringMatching(/^0x/) },
    });
    expect(lines[1].result.stacks[0].frames[0]).toMatchObject({ level: 0, pc: expect.stringMatching(/^0x/), offset: expect.any(Number) });
    expect(lines[2].error).toEqual({ kind: "lookup", message: expect.stringContaining("command not found") });
  });

  it("gives what is known as foreach's stacks too", () => {
    const [line] = inquest([dump, "--json", "-c", "foreach bt"]).stdout.trimEnd().split("\n");
    const { result } = JSON.parse(line as string);
    const [tasks] = inquest([dump, "--json", "-c", "ps"]).stdout.trimEnd().split("\n");
    expect(result.stacks.length).toBe(JSON.parse(tasks as string).result.tasks.length);
  });

  it("runs command files with -i, -c and start-up files in their order", () => {
    const script = join(directory, "script");
    writeFileSync(script, "eval 2\n");
    writeFileSync(join(directory, ".inquestrc"), 'alias three "eval 3"\nset radix 16\n');
    const run = inquest([dump, "-i", script, "-c", "three", "-c", "set radix"]);
    expect(run.stdout.match(/hexadecimal: \d|radix: \d+/g)).toEqual(["radix: 16", "hexadecimal: 2", "hexadecimal: 3", "radix: 16"]);
    expect(inquest([dump, "--no-rc", "-c", "set radix"]).stdout).toContain("radix: 10");
    rmSync(join(directory, ".inquestrc"));
  });

  it("writes everything before it ends, also into a slow pipe", () => {
    const count = "sym -l | wc -l";
    const direct = inquest([dump, "-c", count]).stdout.trim();
    const slow = spawnSync("/bin/sh", ["-c", `"${process.execPath}" ${PROGRAM} "${dump}" -c "sym -l" | (sleep 1; wc -l)`], {
      encoding: "utf8",
    });
    expect(slow.stdout.trim()).toBe(direct);
    expect(Number(direct)).toBeGreaterThan(10_000);
  });
});
