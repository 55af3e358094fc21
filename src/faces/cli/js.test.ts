import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jsonChunks } from "../../commands/json.ts";
import { createSession } from "../../commands/session.ts";
import { commandManual } from "../../commands/support/manual.ts";
import { openKernel } from "../../kernel/open.ts";
import { javascript, programRegistry } from "./js.ts";

const session = createSession(await openKernel(["samples/x86-64-null-pointer/vmcore"]), { registry: programRegistry });

function js(line: string): string {
  return [...session.execute(`js ${line}`).text({ radix: 10 })].join("\n");
}

describe("js", () => {
  it("knows the kernel, its variables and its tasks", () => {
    expect(js("kernel.task(1).comm")).toBe("init");
    expect(js("$.init_task.pid")).toBe("0");
    expect(js("$.init_task.pid + 1")).toBe("1");
    expect(js("tasks.length")).toBe(String([...(session.execute("ps").result as { tasks: Iterable<unknown> }).tasks].length));
  });

  it("shows bigints in hexadecimal, values as p does, objects readably", () => {
    expect(js("4096n")).toBe("0x1000");
    expect(js("$.init_task.tasks")).toContain("next = 0x");
    expect(js("{ a: 1n, b: ['x'] }")).toBe("{ a: 0x1, b: [ 'x' ] }");
  });

  it("shows a type and the kernel itself in bounded time", () => {
    const before = performance.now();
    expect(js("kernel.type('struct task_struct')")).toContain("task_struct");
    expect(js("kernel")).toContain("6.1.0");
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it("keeps names from line to line, and prints what console.log is given", () => {
    expect(js("const pid = 40; let more = 2")).toBe("");
    expect(js("pid + more")).toBe("42");
    expect(js("for (const n of [1n, 2n]) console.log('n', n)")).toBe("n 0x1\nn 0x2");
  });

  it("says what it leaves out, and what cannot be read", () => {
    expect(js("Array.from({ length: 1500 }, (_, i) => i)")).toMatch(/999,\s+… 500 more elements\s*\]$/);
    expect(js("Array.from({ length: 1000 }, (_, i) => i)")).not.toContain("more elements");
    expect(js("(function* () { for (;;) yield 1 })()")).toContain("… more elements");
    expect(js("({ get a() { throw new Error('not there') }, b: 1 })")).toBe("{ a: <not there>, b: 1 }");
    const lines = js("for (let i = 0; i < 100001; i++) console.log(i)").split("\n");
    expect([lines.length, lines.at(-2), lines.at(-1)]).toEqual([100001, "99999", "(only the first 100000 lines of console.log are kept)"]);
  });

  it("is data as JSON", () => {
    const { result } = session.execute("js ({ head: kernel.variable('init_task').get('tasks'), first: kernel.task(1) })");
    expect(JSON.parse(jsonChunks(result).join(""))).toMatchObject({
      value: { head: { next: expect.stringMatching(/^0x/) }, first: { pid: 1, comm: "init" } },
    });
  });

  it("prints a module for inquest script", () => {
    expect(js("tasks.length --api").split("\n").at(-2)).toBe("  return tasks.length;");
    expect(js("console.log(1); let x = 2 --api").split("\n").at(-2)).toBe("  console.log(1); let x = 2");
  });

  it("tells errors in one line", () => {
    expect(() => js("nothing.here")).toThrow("ReferenceError: nothing is not defined");
    expect(() => js("kernel.symbol('no_such_symbol')")).toThrow(/no symbol named "no_such_symbol"/);
    expect(() => js("throw 1n")).toThrow("threw 0x1");
    expect(() => js("1 +")).toThrow(/SyntaxError/);
    expect(() => js("")).toThrow(/usage/);
  });

  it("is refused where the runner does not trust the line, also behind gdb", () => {
    javascript.allowed = false;
    try {
      expect(() => js("1")).toThrow(/may not run JavaScript/);
      expect(() => session.execute("gdb js 1")).toThrow(/may not run JavaScript/);
    } finally {
      javascript.allowed = true;
    }
  });
});

describe("the manual", () => {
  it("is up to date (npm run docs makes it anew)", () => {
    expect(readFileSync("docs/commands.md", "utf8")).toBe(commandManual(programRegistry.all()));
  });
});
