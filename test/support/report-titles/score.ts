/** Scores `explain` on a directory of labelled logs: `npm run score:reports -- DIR [--json] [-v] [--mutations]`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { explainReport } from "../../../src/diagnosis/log-report/explain.ts";
import { ReportFinder } from "../../../src/diagnosis/log-report/find-reports.ts";
import type { LogReport } from "../../../src/diagnosis/log-report/report.ts";
import { mutationRates } from "./mutations.ts";
import { type Titled, titled } from "./titles.ts";

interface Label {
  readonly title: string | undefined;
  readonly alternatives: readonly string[];
  readonly type: string;
  readonly frame: string | undefined;
  readonly corrupted: boolean;
}

/** Header lines "KEY: value" and comments, an empty line, then the log; a file without TITLE begins with an empty line. */
function split(text: string): { label: Label; log: string } {
  const end = text.startsWith("\n") ? 0 : text.indexOf("\n\n");
  const header = text.slice(0, Math.max(0, end));
  const values = (key: string): string[] => [...header.matchAll(new RegExp(`^${key}:(.*)$`, "gm"))].map((match) => (match[1] ?? "").trim());
  const title = values("TITLE")[0];
  const label: Label = {
    title: title === "" ? undefined : title,
    alternatives: values("ALT"),
    type: values("TYPE")[0] ?? "",
    frame: values("FRAME")[0],
    corrupted: values("CORRUPTED")[0] === "Y",
  };
  let log = text.slice(end < 0 ? 0 : end + (end === 0 ? 1 : 2));
  // REPORT: repeats the expected report after the log.
  const repeated = log.search(/^REPORT:$/m);
  if (repeated >= 0) log = log.slice(0, repeated);
  return { label, log };
}

/** The function of a title: what follows the last " in ". */
function functionOf(title: string): string | undefined {
  const at = title.lastIndexOf(" in ");
  if (at < 0) return undefined;
  return title
    .slice(at + 4)
    .split(" ")[0]
    ?.replace(/\/usb_submit_urb$/, "");
}

/** A system call's function has many names, and which of them the compiler left is chance: __x64_sys_x, __se_sys_x, __do_sys_x, SyS_x. */
function bare(name: string): string {
  return name.replace(/^(?:__(?:x64|ia32|arm64|s390x?|riscv|se|do)_)?(?:compat_)?(?:__)?(?:sys|SyS)_/, "");
}

/** The labels know no report of these families: killing a process for memory, and the hardware, are no bugs of the kernel there. */
const isLabelled = ({ family }: LogReport): boolean => family !== "oom" && family !== "machine-check";

function firstReport(log: string): LogReport | undefined {
  const finder = new ReportFinder();
  const reports = [...finder.push(new TextEncoder().encode(log)), ...finder.finish()];
  return reports.filter(isLabelled).sort((a, b) => a.first.offset - b.first.offset)[0];
}

const words = process.argv.slice(2);
const directory = words.find((word) => !word.startsWith("-"));
if (directory === undefined) {
  process.stderr.write("usage: npm run score:reports -- DIRECTORY [--json] [-v] [--mutations]\n");
  process.exit(2);
}
const score = {
  titled: { total: 0, type: 0, function: 0, title: 0 },
  negatives: { total: 0, silent: 0 },
  corrupted: { total: 0, flagged: 0 },
};
let falselyFlagged = 0;
const logs: string[] = [];
for (const name of readdirSync(directory)
  .filter((each) => /^\d+$/.test(each))
  .sort((a, b) => Number(a) - Number(b))) {
  const { label, log } = split(readFileSync(join(directory, name), "utf8"));
  logs.push(log);
  const report = firstReport(log);
  if (label.title === undefined) {
    score.negatives.total++;
    if (report === undefined) score.negatives.silent++;
    else process.stdout.write(`${name}: must be silent, found ${report.head}\n`);
    continue;
  }
  score.titled.total++;
  const ours: Titled | undefined = report === undefined ? undefined : titled(report);
  const expected = functionOf(label.title);
  const functions = [expected, label.frame, ...label.alternatives.map(functionOf)].filter((each) => each !== undefined);
  const right = {
    type: ours !== undefined && ours.type === label.type,
    function:
      ours !== undefined &&
      (functions.length === 0
        ? ours.function === undefined || ours.corrupted
        : functions.map(bare).includes(bare(ours.function ?? "")) || (expected === "corrupted" && ours.corrupted)),
    title: ours !== undefined && [label.title, ...label.alternatives].includes(ours.title),
  };
  for (const key of ["type", "function", "title"] as const) if (right[key]) score.titled[key]++;
  if (label.corrupted) {
    score.corrupted.total++;
    if (ours?.corrupted === true) score.corrupted.flagged++;
  } else if (ours?.corrupted === true) falselyFlagged++;
  const wrong = [
    ...(["type", "function", "title"] as const).filter((key) => !right[key]),
    ...(label.corrupted && ours?.corrupted !== true ? ["not flagged"] : []),
    ...(!label.corrupted && ours?.corrupted === true ? ["flagged"] : []),
  ];
  if (wrong.length > 0) {
    process.stdout.write(
      `${name}: ${wrong.join(", ")}\n   want ${label.title} | ${label.type}\n   have ${ours === undefined ? "nothing" : `${ours.title} | ${ours.type}${ours.corrupted ? " | damaged" : ""}`}\n`,
    );
    if (words.includes("-v") && report !== undefined)
      process.stdout.write(`   ${explainReport(report).verdict.title}; ${report.damage.join("; ")}\n`);
  }
}
const share = (part: number, total: number): string =>
  `${part} of ${total}${total === 0 ? "" : ` (${((100 * part) / total).toFixed(1)} %)`}`;
process.stdout.write(`
class (TYPE) right    ${share(score.titled.type, score.titled.total)}
function right        ${share(score.titled.function, score.titled.total)}
title exact           ${share(score.titled.title, score.titled.total)}
negatives silent      ${share(score.negatives.silent, score.negatives.total)}
corrupted flagged     ${share(score.corrupted.flagged, score.corrupted.total)}; whole ones flagged: ${falselyFlagged}
`);
if (words.includes("--mutations")) process.stdout.write(`\n${mutationRates(logs, isLabelled).join("\n")}\n`);
if (words.includes("--json")) process.stdout.write(`${JSON.stringify(score)}\n`);
