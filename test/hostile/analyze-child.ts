/**
 * `analyze` over one dump with seeded damage, a line of JSON a seed; the parent watches the clock and judges. A process of its own, because a
 * hang in synchronous code can only be ended from outside.
 *
 *   node analyze-child.js DUMP FIRST LAST
 *
 *   noise       pages that the diagnosis reads hold random bytes: damage that is really in the dump
 *   bits        bits in such pages are flipped
 *   excluded    such pages are left out, as makedumpfile leaves out pages
 *   cut         the file ends early, as when the disk was full
 *   hole        a range of physical memory is not there, as in a part that was not given
 */
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { InquestError } from "../../src/bytes/errors.ts";
import { openFile } from "../../src/bytes/file-source.ts";
import { jsonChunks } from "../../src/commands/json.ts";
import { createSession } from "../../src/commands/session.ts";
import { diagnose } from "../../src/diagnosis/diagnose.ts";
import type { Verdict } from "../../src/diagnosis/verdict.ts";
import type { Dump, PageFault } from "../../src/dump/dump.ts";
import { openDump } from "../../src/dump/open.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { openKernelOf } from "../../src/kernel/open.ts";
import { DamagedSource, keepPages, overlay, random, recordPages } from "./mutation.ts";

const ANALYZE_DAMAGE = ["noise", "bits", "excluded", "cut", "hole"] as const;

/** What one seed led to. */
export interface AnalyzeReport {
  readonly seed: number | "intact";
  readonly damage: (typeof ANALYZE_DAMAGE)[number] | "none";
  /** "20 pages left out". */
  readonly what: string;
  /** Absent when the dump could not be opened. */
  readonly verdict?: Pick<Verdict, "class" | "confidence" | "function" | "title">;
  /** "BUG: …" for anything that is no InquestError. */
  readonly error?: string;
  /** Of processor time. */
  readonly milliseconds: number;
  readonly residentMiB: number;
}

/** The verdict, after all of it was shown as text and as JSON. */
function ask(dump: Dump, seen: { kernel: boolean } = { kernel: false }): AnalyzeReport["verdict"] {
  const session = createSession(openKernelOf(dump));
  seen.kernel = true;
  let text = "";
  const { result, text: lines } = session.execute("analyze -v");
  for (const line of lines({ radix: 10 })) text += `${line}\n`;
  JSON.parse([...jsonChunks(result)].join(""));
  if (text.length > 1 << 20) throw new Error(`${text.length} characters`);
  const { class: kind, confidence, function: name, title } = diagnose(session.kernel).verdict;
  return { class: kind, confidence, ...(name === undefined ? {} : { function: name }), title };
}

type Damaged = { readonly what: string; readonly dump: Dump };

function withPages(base: Dump, chosen: ReadonlySet<number>, change: (target: Uint8Array, pfn: number) => PageFault | undefined): Dump {
  const readPage = (pfn: number, target: Uint8Array): PageFault | undefined => {
    const fault = base.readPage(pfn, target);
    return fault !== undefined || !chosen.has(pfn) ? fault : change(target, pfn);
  };
  return { ...overlay(base), readPage };
}

async function damaged(
  kind: (typeof ANALYZE_DAMAGE)[number],
  file: string,
  base: Dump,
  pages: readonly number[],
  seed: number,
): Promise<Damaged> {
  const next = random(seed * 6151 + 11);
  const some = (share: number): Set<number> => {
    const count = Math.max(1, Math.floor(pages.length * share));
    return new Set(Array.from({ length: count }, () => pages[Math.floor(next() * pages.length)] as number));
  };
  switch (kind) {
    case "noise": {
      const chosen = some(next() < 0.5 ? 0 : next() * 0.03);
      const noise = (target: Uint8Array, pfn: number): undefined => {
        const bytes = random(pfn + seed);
        for (let i = 0; i < target.length; i++) target[i] = Math.floor(bytes() * 256);
      };
      return { what: `${chosen.size} pages of noise`, dump: withPages(base, chosen, noise) };
    }
    case "bits": {
      const chosen = some(next() * 0.2);
      const flip = (target: Uint8Array, pfn: number): undefined => {
        const at = random(pfn + seed)() * target.length;
        target[Math.floor(at)] = (target[Math.floor(at)] as number) ^ (1 << (pfn % 8));
      };
      return { what: `a bit flipped in ${chosen.size} pages`, dump: withPages(base, chosen, flip) };
    }
    case "excluded": {
      const chosen = some(next() < 0.7 ? next() * 0.005 : next() ** 3);
      return { what: `${chosen.size} of ${pages.length} pages left out`, dump: withPages(base, chosen, () => ({ reason: "excluded" })) };
    }
    case "cut": {
      const source = openFile(file);
      const size = Math.floor(source.size * (1 - next() ** 4));
      return { what: `cut to ${size} of ${source.size} bytes`, dump: await openDump([new DamagedSource(source, new Map(), size)]) };
    }
    case "hole": {
      const from = Math.floor(next() * base.maxPfn);
      const to = from + Math.floor(next() ** 2 * base.maxPfn);
      const inside = (pfn: number): boolean => pfn >= from && pfn < to;
      const readPage = (pfn: number, target: Uint8Array): PageFault | undefined =>
        inside(pfn) ? { reason: "absent" } : base.readPage(pfn, target);
      return { what: `pages ${from} to ${to} of ${base.maxPfn} missing`, dump: { ...overlay(base), readPage } };
    }
  }
}

const [file, first, last] = process.argv.slice(2) as [string, string, string];
const say = (message: unknown): void => void process.stdout.write(`${JSON.stringify(message)}\n`);

async function round(seed: number | "intact", damage: AnalyzeReport["damage"], make: () => Promise<Damaged>): Promise<void> {
  const before = process.cpuUsage();
  let what = "";
  let verdict: AnalyzeReport["verdict"];
  let error: string | undefined;
  const seen = { kernel: false };
  try {
    const made = await make();
    what = made.what;
    verdict = ask(made.dump, seen);
  } catch (thrown) {
    // A dump that cannot be opened is told so; one that can has a verdict.
    error =
      thrown instanceof InquestError && !seen.kernel ? thrown.message : `BUG: ${thrown instanceof Error ? thrown.stack : String(thrown)}`;
  }
  const used = process.cpuUsage(before);
  const report: AnalyzeReport = {
    seed,
    damage,
    what,
    ...(verdict === undefined ? {} : { verdict }),
    ...(error === undefined ? {} : { error }),
    milliseconds: Math.round((used.user + used.system) / 1000),
    residentMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
  say(report);
}

registerDisassemblers();
// Errors are what damage leads to, and their stacks half of their cost: of a bug the innermost frames are enough.
Error.stackTraceLimit = 4;
const base = keepPages(await openDump([file]));
await loadDisassembler(openKernelOf(base).arch.name);
const pages = new Set<number>();
await round("intact", "none", async () => ({ what: "", dump: recordPages(base, pages) }));
const touched = [...pages];
for (let seed = Number(first); seed < Number(last); seed++) {
  const kind = ANALYZE_DAMAGE[seed % ANALYZE_DAMAGE.length] as (typeof ANALYZE_DAMAGE)[number];
  say({ start: seed });
  await round(seed, kind, () => damaged(kind, file, base, touched, seed));
}
