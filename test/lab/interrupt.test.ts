/**
 * Ctrl-C on a real terminal: a command that works ends within 0.2 s and the prompt comes back. `script` (bsdutils) gives the terminal;
 * `repeat` makes any command long. The time is taken from the key to the prompt.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { dumpNamed, loadCase } from "../../lab/case-record.ts";

const CTRL_C = "\x03";
/** Of the requirement; a machine that runs tests beside this one gets twice as much. */
const WITHIN_MS = 400;
const lab = loadCase("6.1-amd64-null");
const home = mkdtempSync(join(tmpdir(), "inquest-interrupt-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Lines that work for long, each in its own way. */
const LINES = [
  "repeat -0 -n 1000000 foreach bt > /dev/null",
  "repeat -0 -n 1000000 ps -a > /dev/null",
  "repeat -0 -n 1000000 kmem -s > /dev/null",
  "repeat -0 -n 1000000 kmem -S > /dev/null",
  "repeat -0 -n 1000000 kmem -p > /dev/null",
  "repeat -0 -n 1000000 kmem -i > /dev/null",
  "repeat -0 -n 1000000 kmem -f > /dev/null",
  "repeat -0 -n 1000000 search -p 123456789abcdef > /dev/null",
  "repeat -0 -n 1000000 search -k 123456789abcdef > /dev/null",
  "repeat -0 -n 1000000 search -t 123456789abcdef > /dev/null",
  "repeat -0 -n 1000000 foreach vm -p > /dev/null",
  "repeat -0 -n 1000000 foreach files > /dev/null",
  "repeat -0 -n 1000000 net --sockets > /dev/null",
  "repeat -0 -n 1000000 lock > /dev/null",
  "repeat -0 -n 1000000 foreach bt --group > /dev/null",
  "repeat -0 -n 1000000 bt --annotate > /dev/null",
  "repeat -0 -n 1000000 irq -s > /dev/null",
  "repeat -0 -n 1000000 timer > /dev/null",
  "repeat -0 -n 1000000 wq > /dev/null",
  "repeat -0 -n 1000000 sym -l > /dev/null",
  "repeat -0 -n 1000000 whatis -r 64 > /dev/null",
  "repeat -60 ptob 1",
  "js while (true) {}",
];

/** The program on a terminal. */
class Terminal {
  readonly #child: ChildProcessWithoutNullStreams;
  #seen = "";
  #waiting: (() => void) | undefined;

  constructor(dump: string) {
    const command = `'${process.execPath}' bin/inquest '${dump}' -s --no-rc`;
    const env = { ...process.env, HOME: home, TERM: "dumb", SHELL: "/bin/sh" };
    this.#child = spawn("script", ["-qfec", command, "/dev/null"], { env });
    this.#child.stdout.on("data", (bytes: Buffer) => {
      this.#seen += bytes.toString("latin1");
      this.#waiting?.();
    });
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  has(text: string): boolean {
    return this.#seen.includes(text);
  }

  /** Waits for text in what came since the last wait; what it gives is the time that took. */
  async until(text: string, timeoutMs: number): Promise<number> {
    const before = performance.now();
    while (!this.#seen.includes(text)) {
      const left = timeoutMs - (performance.now() - before);
      if (left <= 0)
        throw new Error(`no ${JSON.stringify(text)} within ${timeoutMs} ms; there is ${JSON.stringify(this.#seen.slice(-300))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#seen = this.#seen.slice(this.#seen.indexOf(text) + text.length);
    return performance.now() - before;
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

const hasScript = spawnSync("script", ["--version"]).status === 0;

describe.skipIf(lab === undefined || !hasScript)("Ctrl-C", () => {
  test("ends every command at once, and the prompt comes back", async () => {
    const terminal = new Terminal(dumpNamed(lab!, "elf").files[0] as string);
    const slow: string[] = [];
    const times: number[] = [];
    try {
      await terminal.until("inquest> ", 20_000);
      for (const line of LINES) {
        terminal.type(`${line}\r`);
        await terminal.until("\n", 5000);
        // Far enough to be in the middle of its work.
        await new Promise((resolve) => setTimeout(resolve, 700));
        if (terminal.has("inquest> ")) slow.push(`${line}: ended by itself`);
        terminal.type(CTRL_C);
        const took = await terminal.until("inquest> ", 10_000);
        times.push(Math.round(took));
        if (took > WITHIN_MS) slow.push(`${line}: ${took.toFixed(0)} ms`);
        terminal.type("ptob 512a\r");
        await terminal.until("\n512a", 5000);
        await terminal.until("inquest> ", 5000);
      }
    } finally {
      terminal.end();
    }
    console.log(`milliseconds from Ctrl-C to the prompt, in the order of LINES: ${times.join(" ")}`);
    expect(slow).toEqual([]);
  });
});
