/**
 * Ends commands in their midst as Ctrl-C does, at many places, and holds what the kernel answers afterwards against the answer of a process
 * that was never disturbed. V8 ends a script at any call or turn of a loop and runs no `finally` then: whatever was half made must be
 * forgotten or made anew, or the next answer is wrong in silence.
 *
 *   reference    node interruption-child.js FILE…               the answers of WITNESSES, and how many steps each of VICTIMS takes
 *   rounds       node interruption-child.js FILE… FIRST LAST    each opens the kernel, ends a victim at a step drawn from the seed (one to
 *                                                               three times), and asks the witnesses
 *
 * A step is a read of a page or a change of a Map, Set or list: what is half made is made of these. There the hook sends SIGINT to the
 * process and waits in a loop for its end, so a seed always ends at the same place. Every fourth round another thread sends SIGINT after a
 * drawn time instead, which ends the work anywhere.
 */
import { Worker } from "node:worker_threads";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { cacheSettings } from "../../src/bytes/cache-directory.ts";
import { prepareZstd } from "../../src/bytes/zstd.ts";
import { createSession } from "../../src/commands/session.ts";
import { PhysicalMemory } from "../../src/dump/physical-memory.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { programRegistry } from "../../src/faces/cli/js.ts";
import { Runner } from "../../src/faces/cli/runner.ts";
import { openWithDebugInfo } from "../../src/library/open-dump.ts";
import { sortFiles } from "../../src/library/sort-files.ts";
import { random } from "./mutation.ts";

/** What is ended in its midst. */
const VICTIMS = [
  "analyze",
  "analyze -v",
  "bt -a",
  "foreach bt -t",
  "kmem -s",
  "kmem -S dentry",
  "net --sockets",
  "lock",
  "struct sock",
  "mod -t",
  "whatis -r 64",
  "foreach files",
  "log",
  "dis schedule",
];
/** What is asked afterwards; the first always, one of the others besides. */
const WITNESSES = [
  "analyze -v",
  "foreach bt",
  "kmem -s",
  "mod",
  "struct net_device",
  "net --sockets",
  "lock -v",
  "ps -l",
  "sym schedule",
  "dis -l schedule",
  "foreach files",
  "irq",
  "log",
];

/** What one round led to. */
export interface InterruptionReport {
  readonly seed: number;
  /** Where each interruption fell: "analyze at step 1234 of 99999", or "analyze after 31 ms". */
  readonly interrupted: readonly string[];
  /** Witnesses that answered otherwise than in a fresh process, with the first line that differs. */
  readonly differences: readonly string[];
}

/** What an undisturbed process says. */
interface InterruptionReference {
  readonly steps: Readonly<Record<string, number>>;
  readonly milliseconds: Readonly<Record<string, number>>;
  readonly answers: Readonly<Record<string, string>>;
}

let steps = 0;
let limit = Number.POSITIVE_INFINITY;
let fell = false;
const SLOT = Symbol.for("inquest.interruptible");

function step(): void {
  // Only what runs under interruptible() can be ended.
  if (!(SLOT in globalThis) || ++steps < limit) return;
  limit = Number.POSITIVE_INFINITY;
  fell = true;
  process.kill(process.pid, "SIGINT");
  for (;;) if (steps < 0) return;
}

/** Counts a step before and after the method of a prototype. */
function hook(prototype: object, name: string): void {
  const holder = prototype as Record<string, (...given: unknown[]) => unknown>;
  const original = holder[name] as (...given: unknown[]) => unknown;
  Object.defineProperty(prototype, name, {
    configurable: true,
    writable: true,
    value: function (this: unknown, ...given: unknown[]): unknown {
      step();
      const result = original.apply(this, given);
      step();
      return result;
    },
  });
}

/** A terminal that collects. */
class Asker {
  readonly #runner: Runner;
  #text = "";
  #errors = "";

  constructor(runner: (output: (text: string) => void, errors: (text: string) => void) => Runner) {
    this.#runner = runner(
      (text) => {
        this.#text += text;
      },
      (text) => {
        this.#errors += text;
      },
    );
  }

  /** What the line prints, errors last; notes are left out, as they come once. */
  async ask(line: string): Promise<string> {
    this.#text = "";
    this.#errors = "";
    await this.#runner.line(line);
    return `${this.#text}${this.#errors.replace(/^inquest: note: .*\n/gm, "")}`;
  }
}

async function open(files: readonly string[]): Promise<Asker> {
  const { kernel } = await openWithDebugInfo(sortFiles(files), { search: false });
  await loadDisassembler(kernel.arch.name);
  const session = createSession(kernel, { registry: programRegistry, interactive: true });
  return new Asker(
    (output, errors) =>
      new Runner(session, {
        json: false,
        interactive: true,
        echo: false,
        errors,
        output: () => ({ closed: false, direct: true, write: output, finish: () => true }),
        loadDisassembler: () => loadDisassembler(kernel.arch.name),
      }),
  );
}

async function reference(files: readonly string[]): Promise<InterruptionReference> {
  const result = { steps: {} as Record<string, number>, milliseconds: {} as Record<string, number>, answers: {} as Record<string, string> };
  for (const line of VICTIMS) {
    const asker = await open(files);
    const started = performance.now();
    steps = 0;
    await asker.ask(line);
    result.steps[line] = steps;
    result.milliseconds[line] = performance.now() - started;
  }
  for (const line of WITNESSES) result.answers[line] = await (await open(files)).ask(line);
  return result;
}

/** Sends SIGINT after a time, from another thread; done when that has ended. */
function alarm(milliseconds: number): Promise<void> {
  const text = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${milliseconds}); process.kill(process.pid, "SIGINT");`;
  return new Promise((resolve) => new Worker(text, { eval: true }).once("exit", () => resolve()));
}

function firstDifference(expected: string, found: string): string {
  const before = expected.split("\n");
  const after = found.split("\n");
  const at = before.findIndex((line, index) => line !== after[index]);
  return at < 0 ? `${after.length - before.length} lines more` : `line ${at + 1}: "${before[at]}" became "${after[at]}"`;
}

async function round(files: readonly string[], known: InterruptionReference, seed: number): Promise<InterruptionReport> {
  const next = random(seed * 104729 + 5);
  const pick = (lines: readonly string[]): string => lines[Math.floor(next() * lines.length)] as string;
  const asker = await open(files);
  const interrupted: string[] = [];
  const times = 1 + Math.floor(next() * 3);
  for (let i = 0; i < times; i++) {
    const line = next() < 0.4 ? (VICTIMS[0] as string) : pick(VICTIMS);
    if (seed % 4 === 3) {
      const after = Math.round(next() * (known.milliseconds[line] ?? 0));
      const sent = alarm(after);
      await asker.ask(line);
      await sent;
      interrupted.push(`${line} after ${after} ms`);
    } else {
      const total = known.steps[line] ?? 0;
      // Half of them early, where what is kept for long is made.
      steps = 0;
      fell = false;
      limit = 1 + Math.floor(total * (next() < 0.5 ? next() : next() ** 4));
      const at = limit;
      await asker.ask(line);
      limit = Number.POSITIVE_INFINITY;
      if (fell) interrupted.push(`${line} at step ${at} of ${total}`);
    }
  }
  const differences: string[] = [];
  for (const line of [WITNESSES[0] as string, pick(WITNESSES.slice(1))]) {
    let answer = await asker.ask(line);
    // A signal that came as the line before ended falls into this one.
    if (answer.endsWith(": interrupted\n")) answer = await asker.ask(line);
    const expected = known.answers[line] as string;
    if (answer !== expected) differences.push(`${line}: ${firstDifference(expected, answer)}`);
  }
  return { seed, interrupted, differences };
}

const words = process.argv.slice(2);
const numbers = words.filter((word) => /^\d+$/.test(word)).map(Number);
const files = words.filter((word) => !/^\d+$/.test(word));
// What one run keeps for the next would hide the making of it.
cacheSettings.enabled = false;
registerDisassemblers();
await prepareZstd();
process.on("SIGINT", () => {});
for (const name of ["get", "has", "set", "delete"]) hook(Map.prototype, name);
for (const name of ["has", "add", "delete"]) hook(Set.prototype, name);
hook(Array.prototype, "push");
hook(PhysicalMemory.prototype, "page");
const say = (message: unknown): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
if (numbers.length === 0) say(await reference(files));
else {
  const { readFileSync } = await import("node:fs");
  const known = JSON.parse(readFileSync(0, "utf8")) as InterruptionReference;
  for (let seed = numbers[0] as number; seed < (numbers[1] as number); seed++) say(await round(files, known, seed));
}
