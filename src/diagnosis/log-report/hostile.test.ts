/** Any input: bounded time and memory, nothing thrown, the same reports whatever the pieces. Seeded, so that a failure comes again. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explainReport } from "./explain.ts";
import { ReportFinder, reportsIn } from "./find-reports.ts";
import type { LogReport } from "./report.ts";

const SAMPLES = new URL("./families/samples/", import.meta.url);
const LINES = readdirSync(SAMPLES)
  .flatMap((file) => readFileSync(new URL(file, SAMPLES), "utf8").split("\n"))
  .filter((line) => !line.startsWith("== "));

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Lines of real layouts in any order, cut, doubled, with prefixes and bytes that do not belong there. */
function mess(next: () => number, lines: number): string {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const out: string[] = [];
  for (let i = 0; i < lines; i++) {
    let line = pick(LINES);
    const kind = next();
    if (kind < 0.1) line = line.slice(0, Math.floor(next() * line.length));
    else if (kind < 0.15) line = line.slice(Math.floor(next() * line.length));
    else if (kind < 0.2) line += pick(LINES);
    else if (kind < 0.22) line = line.replace(/[0-9a-f]/g, () => Math.floor(next() * 16).toString(16));
    else if (kind < 0.24) line = String.fromCharCode(...Array.from({ length: 40 }, () => Math.floor(next() * 0x300)));
    else if (kind < 0.25) line = `${"(".repeat(3000)}${line}`;
    const stamp = next();
    const prefix =
      stamp < 0.4
        ? ""
        : stamp < 0.8
          ? `[${(i * next()).toFixed(6).padStart(12)}][${pick(["    T1", "    C1", " T2222"])}] `
          : pick(["> ", "<4>", "\t"]);
    out.push(prefix + line);
  }
  return out.join(pick(["\n", "\r\n", "\n\n"]));
}

const essence = (reports: readonly LogReport[]): unknown =>
  reports.map(({ head, first, last, damage }) => [head, first.offset, last.offset, damage]);

test("whatever comes, reports are made and explained", () => {
  for (let seed = 1; seed <= 40; seed++) {
    for (const report of reportsIn(mess(random(seed), 400))) {
      const { verdict, signature } = explainReport(report);
      expect(verdict.title.length).toBeGreaterThan(0);
      expect(signature.hash).toMatch(/^[0-9a-f]{12}$/);
    }
  }
}, 60_000);

test("pieces make no difference", () => {
  for (let seed = 100; seed < 106; seed++) {
    const next = random(seed);
    const bytes = new TextEncoder().encode(mess(next, 150));
    const wanted = essence(reportsIn(bytes));
    const finder = new ReportFinder();
    const reports: LogReport[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + Math.floor(next() * 300);
      reports.push(...finder.push(bytes.subarray(at, at + size)));
      at += size;
    }
    reports.push(...finder.finish());
    expect(essence(reports.sort((a, b) => a.first.offset - b.first.offset))).toEqual(wanted);
  }
}, 60_000);

/** Memory that a finder holds while it reads, after the input has been seen `times` times. */
function heldAfter(piece: Uint8Array, times: number): { readonly reports: number; readonly lines: number } {
  const finder = new ReportFinder();
  let reports = 0;
  let lines = 0;
  for (let i = 0; i < times; i++)
    for (const report of finder.push(piece)) {
      reports++;
      lines = Math.max(lines, report.lines.length);
    }
  reports += finder.finish().length;
  return { reports, lines };
}

test("one report that never ends is cut into pieces of bounded length", () => {
  const head = new TextEncoder().encode(
    `[   10.000000] BUG: KASAN: use-after-free in f+0x1/0x2\n${"[   10.000001]  f+0x1/0x2\n".repeat(20_000)}`,
  );
  expect(heldAfter(head, 4).lines).toBeLessThanOrEqual(6000);
});

test.each([
  ["no line ends", new Uint8Array(1 << 20).fill(0x42)],
  ["zeroes", new Uint8Array(1 << 20)],
  ["only line ends", new Uint8Array(1 << 20).fill(10)],
  ["half a head again and again", new TextEncoder().encode("BUG: BUG: ".repeat(100_000))],
  ["brackets", new TextEncoder().encode("[[[[[[[[ 1.0".repeat(80_000))],
  ["digits", new TextEncoder().encode(`${"0123456789abcdef".repeat(1000)}\n`.repeat(60))],
  ["heads without end", new TextEncoder().encode("[    1.000000] Oops: 0000 [#1] SMP\n".repeat(20_000))],
])(
  "%s: time stays in proportion",
  (_, piece) => {
    const start = process.cpuUsage().user;
    heldAfter(piece, 2);
    // Micro-seconds for 2 MiB; a quadratic search takes minutes.
    expect(process.cpuUsage().user - start).toBeLessThan(20_000_000);
  },
  60_000,
);
