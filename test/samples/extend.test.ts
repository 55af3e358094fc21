/** `extend`: command files as the program loads them. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const directory = mkdtempSync(join(tmpdir(), "inquest-extend-"));
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

/** Output and error lines of the program. */
function inquest(lines: readonly string[], ...options: string[]): { out: string; errors: string; status: number | null } {
  const commands = lines.flatMap((line) => ["-c", line]);
  const words = ["bin/inquest", "samples/x86-64-hung-tasks/vmcore", "-s", "--no-rc", ...options, ...commands];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: "utf8", cwd: process.cwd() });
  return { out: stdout, errors: stderr, status };
}

test("the example adds a command with options, help and JSON", () => {
  const { out, errors } = inquest(["extend examples/commands/threads.ts", "threads -n 2", "help threads"]);
  expect(errors).toBe("");
  expect(out).toMatch(/threads\.ts: threads\n+THREADS {5}PID {2}COMM\n/);
  expect(out.split("\n").filter((line) => /^ +\d+ +\d+ {2}\S/.test(line))).toHaveLength(2);
  expect(out).toContain("processes by their number of threads");
  const [, json] = inquest(["extend examples/commands/threads.ts", "threads -n 1"], "--json").out.trim().split("\n");
  expect(JSON.parse(json as string).result[0]).toMatchObject({
    pid: expect.any(Number),
    comm: expect.any(String),
    threads: expect.any(Number),
  });
});

test("JavaScript, several commands in a file, results without a text, loading again, unloading", () => {
  const file = write(
    "two.js",
    `export default [
      { name: "first", summary: "1", run: (kernel) => ({ tasks: kernel.tasks().length > 0, at: 4096n }) },
      { name: "second", summary: "2", run: (kernel, args) => args.operands },
    ];`,
  );
  const { out, errors } = inquest([`extend ${file}`, `extend ${file}`, "first", "second a b", "extend", `extend -u ${file}`, "first"]);
  expect(out).toContain("{ tasks: true, at: 0x1000 }");
  expect(out).toContain("[ 'a', 'b' ]");
  expect(out).toContain("no command files are loaded");
  expect(errors).toContain("command not found: first");
});

test.each([
  ["a shared object", "trace.so", undefined, /crash's extensions cannot be loaded/],
  ["a file that is not there", "none.ts", undefined, /no such file/],
  ["a module without a command", "empty.js", "export const x = 1;", /default export is no command/],
  ["a name that is taken", "taken.js", "export default { name: 'bt', summary: '', run() {} };", /a command called bt already/],
  ["text that is no module", "broken.js", "export default {", /broken\.js/],
])("%s is refused in one line", (_what, name, text, message) => {
  const file = text === undefined ? join(directory, name) : write(name, text);
  const { errors, status } = inquest([`extend ${file}`]);
  expect(errors.trim().split("\n")).toHaveLength(1);
  expect(errors).toMatch(message);
  expect(status).not.toBe(0);
});

test("a fault of the file is told with its line, and errors of the engine as they are", () => {
  const file = write(
    "faulty.ts",
    `import { defineExtension } from "inquest";
export default [
  defineExtension({ name: "faulty", summary: "", run: (kernel): number => (kernel as any).nothing.there }),
  defineExtension({ name: "unknown", summary: "", run: (kernel) => kernel.symbol("no_such_symbol") }),
];`,
  );
  const { errors } = inquest([`extend ${file}`, "faulty", "unknown", "sys"]);
  expect(errors).toMatch(/faulty: .*faulty\.ts:3:\d+: TypeError: /);
  expect(errors).toMatch(/unknown: .*no_such_symbol/);
});
