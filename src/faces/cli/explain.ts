/**
 * `inquest explain FILE…|-`: the kernel reports in logs of any size, each with its verdict. Files are read in pieces, so a log may be larger
 * than memory; "-" is the standard input.
 */
import { type Disassembler, loadDisassembler } from "../../arch/disassembler.ts";
import { UnsupportedError, UsageError } from "../../bytes/errors.ts";
import { jsonChunks } from "../../commands/json.ts";
import { diagnosisLines } from "../../commands/support/diagnosis-text.ts";
import { oneLine } from "../../commands/support/prose.ts";
import { explainReport } from "../../diagnosis/log-report/explain.ts";
import { codeMachine } from "../../diagnosis/log-report/faulting-instruction.ts";
import type { LogReport } from "../../diagnosis/log-report/report.ts";
import type { Diagnosis, VerdictFrame } from "../../diagnosis/verdict.ts";
import { registerDisassemblers } from "./disassemblers.ts";
import { kernelOfReports } from "./explain-kernel.ts";
import { logsIn } from "./explain-logs.ts";
import { sanitize } from "./sanitize.ts";
import { writeAll } from "./write-all.ts";

export const EXPLAIN_USAGE = `\
Usage: inquest explain FILE... [options]

Finds every kernel report in logs (dmesg, serial consoles, journals, crash
mails; "-" is the standard input) and says what each means: class, place,
access and object, how sure that is, and a signature. The first report of a
boot is the one to look at; later ones are given in one line each.

  --vmlinux FILE  the kernel's vmlinux with debug information: files, lines,
                  inlined functions, the member that was touched; repeated, a
                  module's file (.ko, .ko.debug, packed or not)
  --modules DIR   modules' files are looked for below it; may be repeated
  --dump FILE     the same from a dump of that kernel (with --vmlinux, if its
                  debug information is not found)
  --json          one line of JSON for each report
  -v, --verbose   all reports in full

Exit status: 0 when a report was found, 1 when none was, 2 for wrong usage or
a file that cannot be read.`;

const SHOWN_FRAMES = 8;

export interface ExplainOptions {
  readonly files: readonly string[];
  readonly json: boolean;
  readonly verbose: boolean;
  /** A vmlinux, and modules' files. */
  readonly vmlinux: readonly string[];
  readonly modules: readonly string[];
  readonly dump?: string;
}

/** Parses the words after `explain`. Throws UsageError. */
export function parseExplainOptions(words: readonly string[]): ExplainOptions {
  const files: string[] = [];
  const flags = new Set<string>();
  const named = new Map<string, string[]>();
  let options = true;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const [, name, joined] = /^--(vmlinux|modules|dump)(?:=(.*))?$/.exec(word) ?? [];
    if (options && word === "--") options = false;
    else if (options && name !== undefined) {
      const value = joined ?? words[++at];
      if (value === undefined || value === "")
        throw new UsageError(`explain: --${name} needs a ${name === "modules" ? "directory" : "file"}`);
      named.set(name, [...(named.get(name) ?? []), value]);
    } else if (options && (word === "--json" || word === "-v" || word === "--verbose")) flags.add(word);
    else if (options && word.startsWith("-") && word !== "-")
      throw new UsageError(`explain: unknown option ${word}; "inquest explain --help" shows what is understood`);
    else files.push(word);
  }
  if (files.length === 0) throw new UsageError("explain: the log's file is missing");
  const dump = named.get("dump")?.at(-1);
  return {
    files,
    json: flags.has("--json"),
    verbose: flags.has("-v") || flags.has("--verbose"),
    vmlinux: named.get("vmlinux") ?? [],
    modules: named.get("modules") ?? [],
    ...(dump === undefined ? {} : { dump }),
  };
}

/** Explains all logs; returns how many reports were found. */
export async function explain(options: ExplainOptions, write: (text: string) => boolean = (text) => writeAll(1, text)): Promise<number> {
  let found = 0;
  const source = await kernelOfReports(options);
  const logs = logsIn(options.files);
  for (const { name, reports } of logs) {
    let inLog = 0;
    for (const report of reports()) {
      inLog++;
      for (const remark of source?.prepare(report) ?? []) writeAll(2, `inquest: ${sanitize(remark)}\n`);
      const diagnosis = explainReport(report, await disassemblerOf(report), source?.kernel);
      const text = options.json ? json(name, report, diagnosis) : shown(report, diagnosis, options.verbose || inLog === 1);
      const heading = !options.json && logs.length > 1 && inLog === 1 ? `${sanitize(oneLine(name))}:\n` : "";
      if (!write(heading + text)) return found + inLog;
    }
    if (inLog === 0 && !options.json) write(`${name === "-" ? "standard input" : sanitize(oneLine(name))}: no kernel report in it\n`);
    found += inLog;
  }
  return found;
}

/** Loaded when the first report with code needs it; without it the report is explained all the same. */
async function disassemblerOf(report: LogReport): Promise<Disassembler | undefined> {
  const machine = codeMachine(report);
  if (machine === undefined) return undefined;
  registerDisassemblers();
  try {
    return await loadDisassembler(machine);
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  }
}

function json(file: string, report: LogReport, diagnosis: Diagnosis): string {
  const parts: string[] = [];
  for (const part of jsonChunks({
    file,
    line: report.first.number,
    offset: report.first.offset,
    family: report.family,
    ...diagnosis,
    fields: report.fields,
  }))
    parts.push(part);
  return `${parts.join("").trimEnd()}\n`;
}

/** One report for people, as `analyze` tells a dump; where it stands in the log comes last. */
function shown(report: LogReport, diagnosis: Diagnosis, full: boolean): string {
  const { verdict, signature, frames, context, subject } = diagnosis;
  const where = `line ${report.first.number}${subject.time === undefined ? "" : `, at ${subject.time.toFixed(6)} s`}`;
  if (!full) return `${sanitize(oneLine(`also (${where}): ${verdict.title}    confidence: ${verdict.confidence}   ${signature.hash}`))}\n`;
  const machine = [context.release, context.machine, context.hardware].filter((each) => each !== undefined).join(", ");
  const { taint, ...others } = context;
  const lines = [
    ...diagnosisLines(
      {
        ...diagnosis,
        frames: fromTheGuilty(frames),
        context: taint === undefined || taint === "Not tainted" ? others : context,
      },
      { verbose: false, columns: process.stdout.isTTY === true ? process.stdout.columns : undefined },
    ),
    ...(machine === "" ? [] : [oneLine(`  Machine    ${machine}`)]),
    `  Found      ${where}`,
    "",
  ];
  return sanitize(`${lines.join("\n")}\n`);
}

/** What the trace tells for certain, without what only printed it. */
function fromTheGuilty(frames: readonly VerdictFrame[]): readonly VerdictFrame[] {
  const certain = frames.filter((frame) => frame.doubtful !== true);
  const guilty = certain.findIndex((frame) => frame.guilty === true);
  return certain.slice(Math.max(0, guilty)).slice(0, SHOWN_FRAMES);
}
