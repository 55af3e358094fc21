/** `inquest script`: TypeScript and JavaScript over a sample dump, through the bundled program. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PROGRAM = "dist/test-script/inquest.js";
const DUMP = "samples/x86-64-null-pointer/vmcore";
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-script-"));
  spawnSync(process.execPath, ["scripts/bundle.mjs", PROGRAM]);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs a script of this text under this name. */
function script(name: string, text: string, words: readonly string[]) {
  const path = join(directory, name);
  writeFileSync(path, text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, "script", path, ...words], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stdout, stderr: stderr.replaceAll(path, "SCRIPT") };
}

describe("inquest script", () => {
  it("runs TypeScript that imports the library, and prints what it returns", () => {
    const text = `import { LookupError, type Kernel } from "inquest";
export default function (kernel: Kernel, args: readonly string[]): unknown {
  try {
    kernel.symbol("no_such_symbol");
  } catch (error) {
    if (error instanceof LookupError) return { args, pid: kernel.panicTask?.pid, init: kernel.symbol("init_task").address };
  }
  return "not reached";
}
`;
    const { stdout, stderr, status } = script("facts.ts", text, [DUMP, "--json", "--", "one", "-two"]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ args: ["one", "-two"], pid: 1, init: expect.stringMatching(/^0xffffffff[0-9a-f]{8}$/) });
  });

  it("runs JavaScript, also asynchronous, and shows addresses in hexadecimal and kernel values as gdb does", () => {
    const text = `export default async (kernel) => [4096n, kernel.$.panic_timeout, (await Promise.resolve(kernel)).tasks().length > 9];`;
    const { stdout } = script("values.js", text, [DUMP]);
    expect(stdout).toBe("[ 0x1000, 0, true ]\n");
  });

  it("runs a module that opens the dump itself", () => {
    const text = `import { openDump } from "inquest";
const kernel = await openDump(${JSON.stringify(DUMP)});
console.log(kernel.release);
`;
    expect(script("self.mjs", text, []).stdout).toBe("6.1.0-56-cloud-amd64\n");
  });

  it("says in one line where a script failed", () => {
    const missing = script("missing.ts", `export default (kernel: any) => {\n  kernel.symbol("panic_");\n};\n`, [DUMP]);
    expect(missing).toMatchObject({ status: 1, stdout: "" });
    expect(missing.stderr).toMatch(/^SCRIPT:2:10: no symbol named "panic_" in this dump \(nearest: .*\)\n$/);
    expect(script("thrown.js", `export default () => {\n  null.x;\n};\n`, [DUMP]).stderr).toMatch(/^SCRIPT:2:8: TypeError: .*\n$/);
    expect(script("syntax.js", "export default (((;\n", [DUMP]).stderr).toMatch(/SyntaxError: /);
  });

  it("refuses what it cannot run", () => {
    expect(script("object.js", "export default 3;\n", [DUMP])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("is no function"),
    });
    expect(script("nothing.js", "export default () => 1;\n", [])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("the dump's file is missing"),
    });
    expect(script("wrong.js", "export default () => 1;\n", [DUMP, "--nonsense"]).stderr).toContain("unknown option --nonsense");
  });
});
