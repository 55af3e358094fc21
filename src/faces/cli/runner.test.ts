import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LookupError } from "../../bytes/errors.ts";
import { alias } from "../../commands/alias.ts";
import type { Command } from "../../commands/command.ts";
import { complete } from "../../commands/completion.ts";
import { exit } from "../../commands/exit.ts";
import { echoCommand, fakeSession } from "../../commands/testing/fake-session.ts";
import { History } from "./history.ts";
import { ProgressLine } from "./progress.ts";
import { runPrompt } from "./prompt.ts";
import { Runner, type RunnerOptions } from "./runner.ts";
import type { Sink } from "./sink.ts";

/** Prints lines until nobody reads, or fails after as many as asked. */
const count: Command = {
  spec: { name: "count", summary: "", synopsis: [""], description: [], options: [{ flag: "-f", help: "" }] },
  run: (_session, args) => ({ n: Number(args.operands[0] ?? 3), fails: args.has("-f"), rows: [1n] }),
  *text(result) {
    const { n, fails } = result as { n: number; fails: boolean };
    for (let i = 0; i < n; i++) yield `line ${i} \x1b[0m`;
    if (fails) throw new LookupError("gone");
  },
};
const broken: Command = { ...count, spec: { ...count.spec, name: "broken" }, run: () => (undefined as never as { x: { y: 1 } }).x.y };
const spin: Command = {
  ...count,
  spec: { ...count.spec, name: "spin" },
  *text() {
    yield "before";
    process.kill(process.pid, "SIGINT");
    for (;;);
  },
};

class Collector implements Sink {
  text = "";
  closed = false;
  limit = Number.POSITIVE_INFINITY;
  write(text: string) {
    this.text += text;
    if (this.text.length > this.limit) this.closed = true;
  }
  finish() {
    return true;
  }
}

let directory: string;
let output: Collector;
let errors: string;
const session = () => fakeSession({ commands: [count, broken, spin, alias, exit, echoCommand("echo1", { rawLine: true })], symbols: {} });
function runner(options: Partial<RunnerOptions> = {}, on = session()) {
  return new Runner(on, {
    json: false,
    interactive: false,
    echo: true,
    output: () => output,
    errors: (text) => (errors += text),
    ...options,
  });
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-runner-"));
  output = new Collector();
  errors = "";
});
afterEach(() => rmSync(directory, { recursive: true }));

const learns: Command = {
  ...count,
  spec: { ...count.spec, name: "learns" },
  run: (on) => {
    (on.kernel.notes as string[]).push("3 tasks cannot be read\x1b");
    return { n: 1, fails: false };
  },
};

describe("what a command finds incomplete", () => {
  it("is told once behind its answer, and notes of the opening are not", async () => {
    const on = fakeSession({ commands: [learns, count], symbols: {} });
    (on.kernel.notes as string[]).push("of the opening");
    const run = runner({}, on);
    await run.line("learns");
    await run.line("count");
    expect(errors).toBe("inquest: note: 3 tasks cannot be read\\x1b\n");
  });
});

describe("running a line", () => {
  it("prints sanitized text", async () => {
    expect(await runner().line("count 2")).toBe(true);
    expect(output.text).toBe("line 0 \\x1b[0m\nline 1 \\x1b[0m\n");
  });

  it("keeps what was printed before a failure", async () => {
    expect(await runner().line("count -f 1")).toBe(false);
    expect(output.text).toBe("line 0 \\x1b[0m\n");
    expect(errors).toBe("count: gone\n");
  });

  it("skips comments and blank lines", async () => {
    for (const line of ["", "   ", "# count", "// count"]) expect(await runner().line(line)).toBe(true);
    expect(output.text).toBe("");
  });

  it("calls a bug a bug", async () => {
    expect(await runner().line("broken")).toBe(false);
    expect(errors).toMatch(/^broken: internal error: TypeError: .* please report it[^\n]*\n$/);
  });

  it("stops quietly when nobody reads", async () => {
    output.limit = 100_000;
    expect(await runner().line("count 1000000000")).toBe(true);
    expect(output.text.length).toBeLessThan(400_000);
    expect(errors).toBe("");
  });

  it("writes, appends, pipes and reads operands and scripts", async () => {
    const file = join(directory, "out put");
    const run = runner();
    expect(await run.line(`count 1 > "${file}"`)).toBe(true);
    expect(await run.line(`count 2 >> "${file}"`)).toBe(true);
    expect(readFileSync(file, "utf8")).toBe("line 0 \\x1b[0m\nline 0 \\x1b[0m\nline 1 \\x1b[0m\n");
    expect(await run.line(`count 100000 | head -1 > '${file}'`)).toBe(true);
    expect(readFileSync(file, "utf8")).toBe("line 0 \\x1b[0m\n");
    expect(await run.line(`count 2 | cat > '${file}'; exit 3`)).toBe(true);
    expect(await run.line("count | nosuchprogram 2>/dev/null")).toBe(false);
    writeFileSync(file, "a 1\n\nb\n");
    expect(await run.line(`echo1 -x < "${file}"`)).toBe(true);
    expect(output.text).toBe("echo1: -x a 1\necho1: -x b\n");
    output.text = "";
    writeFileSync(file, "# note\ncount 1\nnosuch\nexit\ncount 5\n");
    expect(await run.line(`< "${file}"`)).toBe(false);
    expect(output.text).toBe("inquest> # note\ninquest> count 1\nline 0 \\x1b[0m\n\ninquest> nosuch\n\ninquest> exit\n\n");
    expect(errors).toContain("inquest: command not found: nosuch");
  });

  it("says so of a line with a zero byte, whatever it asks for", async () => {
    for (const line of ["count 1 | ca\0t", "!ec\0ho", "count 1 > a\0b", "< a\0b", "co\0unt"]) {
      errors = "";
      expect(await runner({ echo: false }).line(line)).toBe(false);
      expect(errors).toBe("inquest: the line holds a zero byte: this is no text\n");
    }
  });

  it("ends files that call themselves", async () => {
    const file = join(directory, "loop");
    writeFileSync(file, `< ${file}\n`);
    expect(await runner({ echo: false }).line(`< ${file}`)).toBe(false);
    expect(errors).toContain("nested more than 10 deep");
  });

  it("names files that cannot be opened", async () => {
    expect(await runner().line("< /nonexistent/x")).toBe(false);
    expect(await runner().line("count > /nonexistent/x")).toBe(false);
    expect(errors).toBe("inquest: /nonexistent/x: no such file or directory\n".repeat(2));
  });

  it("runs the shell", async () => {
    const file = join(directory, "shell");
    expect(await runner().line(`!echo hello > ${file}`)).toBe(true);
    expect(readFileSync(file, "utf8")).toBe("hello\n");
    expect(await runner().line("!false")).toBe(false);
    expect(await runner().line(`ls / > ${file}`)).toBe(true);
    expect(readFileSync(file, "utf8")).toContain("etc");
  });
});

describe("JSON", () => {
  it("prints one object a command, failures too", async () => {
    const run = runner({ json: true });
    await run.line("count -f 1");
    await run.line("nosuch x");
    await run.line("broken");
    const lines = output.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { command: "count", args: ["-f", "1"], ok: true, result: { n: 1, fails: true, rows: ["0x1"] } },
      { command: "inquest", args: ["nosuch", "x"], ok: false, error: { kind: "lookup", message: "command not found: nosuch" } },
      { command: "broken", ok: false, error: { kind: "internal" } },
    ]);
  });
});

describe("start-up files", () => {
  const run = async (text: string, trusted: boolean, options: Partial<RunnerOptions> = {}) => {
    const path = join(directory, ".rc");
    writeFileSync(path, text);
    const on = session();
    await runner(options, on).rcFile({ path, trusted });
    return on;
  };

  it("run commands, mark aliases, leave extensions out", async () => {
    const on = await run("# mine\nextend trace.so\nalias c3 count 3\ncount 1\n", true);
    expect(on.aliases.get("c3")).toEqual({ line: "count 3", origin: "rc" });
    expect(output.text).toContain("line 0");
    expect(errors).toContain('"extend trace.so" is left out');
  });

  it("of the working directory may not use the shell or write files", async () => {
    const file = join(directory, "stolen");
    await run(`!touch ${file}\ncount 1 > ${file}\ncount 1 | tee ${file}\nls > ${file}\ncount 1`, false);
    expect(() => readFileSync(file)).toThrow();
    expect(errors.split("\n").filter((line) => line.includes("may not"))).toHaveLength(4);
    expect(output.text).toBe("line 0 \\x1b[0m\n");
  });

  it("print nothing when JSON is wanted", async () => {
    await run("count 1\n", true, { json: true });
    expect(output.text).toBe("");
  });
});

describe("the prompt", () => {
  const start = (options: { terminal?: boolean } = {}, on = session()) => {
    const input = new PassThrough();
    const screen = new PassThrough();
    let shown = "";
    screen.on("data", (chunk) => (shown += String(chunk)));
    const history = new History(undefined);
    const done = runPrompt(runner({ interactive: true }, on), {
      input,
      output: screen,
      terminal: options.terminal ?? false,
      history,
      complete: (line) => {
        const { candidates, fragment } = complete(on, line);
        return [candidates, fragment];
      },
      print: (text) => output.write(text),
      echo: true,
    });
    return { input, done, history, shown: () => shown };
  };

  it("runs lines from a pipe as a transcript", async () => {
    const { input, done } = start();
    input.end("count 1\nnosuch\n!!\nh\n");
    expect(await done).toBe(false);
    expect(output.text).toBe(
      "inquest> count 1\nline 0 \\x1b[0m\n\ninquest> nosuch\n\ninquest> !!\ninquest> nosuch\n\ninquest> h\n[1] count 1\n[2] nosuch\n\n",
    );
  });

  it("ends at exit and leaves the rest", async () => {
    const { input, done } = start();
    input.write("exit\ncount 1\n");
    expect(await done).toBe(true);
    expect(output.text).not.toContain("line 0");
  });

  it("completes and edits on a terminal", async () => {
    const { input, done, history, shown } = start({ terminal: true });
    input.write("cou\t");
    input.write("2\r");
    await new Promise((resolve) => setTimeout(resolve, 50));
    input.write("garbage");
    input.write("\x03");
    input.write("exit\r");
    expect(await done).toBe(true);
    expect(history.entries).toEqual(["count 2", "exit"]);
    expect(output.text).toContain("line 1");
    expect(output.text).toContain("^C");
    expect(shown()).toContain("inquest> ");
  });

  it("interrupts a command and goes on", async () => {
    const { input, done } = start();
    input.end("spin\ncount 1\n");
    await done;
    expect(output.text).toContain("before\n");
    expect(errors).toBe("spin: interrupted\n");
    expect(output.text).toContain("line 0");
  });
});

describe("progress", () => {
  it("appears after a second, not too often, and is wiped", () => {
    let now = 0;
    let text = "";
    const line = new ProgressLine(
      (part) => (text += part),
      () => now,
    );
    line.begin();
    for (; now < 2000; now += 10) line.report("scanning", now, 4000);
    expect(text.startsWith("\r\x1b[Kscanning 25%")).toBe(true);
    expect(text.split("\r").length - 1).toBe(10);
    line.clear();
    expect(text.endsWith("\r\x1b[K")).toBe(true);
    const before = text;
    line.clear();
    expect(text).toBe(before);
  });
});
