/**
 * `inquest explain FILE…|-`: the kernel reports in logs of any size, each with its verdict. Files are read in pieces, so a log may be larger
 * than memory; "-" is the standard input.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { type Disassembler, loadDisassembler } from "../../arch/disassembler.ts";
import { UnsupportedError, UsageError } from "../../bytes/errors.ts";
import { jsonChunks } from "../../commands/json.ts";
import { diagnosisLines } from "../../commands/support/diagnosis-text.ts";
import { debugDirectories } from "../../debug-info/debug-file-paths.ts";
import { explainReport } from "../../diagnosis/log-report/explain.ts";
import { codeMachine } from "../../diagnosis/log-report/faulting-instruction.ts";
import { ReportFinder } from "../../diagnosis/log-report/find-reports.ts";
import type { LogReport } from "../../diagnosis/log-report/report.ts";
import type { Diagnosis, VerdictFrame } from "../../diagnosis/verdict.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { openVmlinux } from "../../kernel/vmlinux-file.ts";
import { kernelOfVmlinux } from "../../kernel/vmlinux-kernel.ts";
import { openWithDebugInfo } from "../../library/open-dump.ts";
import { sortFiles } from "../../library/sort-files.ts";
import { registerDisassemblers } from "./disassemblers.ts";
import { sanitize } from "./sanitize.ts";
import { writeAll } from "./write-all.ts";

export const EXPLAIN_USAGE = `\
Usage: inquest explain FILE... [options]

Finds every kernel report in logs (dmesg, serial consoles, journals, crash
mails; "-" is the standard input) and says what each means: class, place,
access and object, how sure that is, and a signature. The first report of a
boot is the one to look at; later ones are given in one line each.

  --vmlinux FILE  the kernel's vmlinux with debug information: files, lines,
                  inlined functions, the member that was touched
  --dump FILE     the same from a dump of that kernel (with --vmlinux, if its
                  debug information is not found)
  --json          one line of JSON for each report
  -v, --verbose   all reports in full

Exit status: 0 when a report was found, 1 when none was, 2 for wrong usage or
a file that cannot be read.`;

const PIECE = 1 << 22;
const SHOWN_FRAMES = 8;

export interface ExplainOptions {
  readonly files: readonly string[];
  readonly json: boolean;
  readonly verbose: boolean;
  readonly vmlinux?: string;
  readonly dump?: string;
}

/** Parses the words after `explain`. Throws UsageError. */
export function parseExplainOptions(words: readonly string[]): ExplainOptions {
  const files: string[] = [];
  const flags = new Set<string>();
  const named = new Map<string, string>();
  let options = true;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const [, name, joined] = /^--(vmlinux|dump)(?:=(.*))?$/.exec(word) ?? [];
    if (options && word === "--") options = false;
    else if (options && name !== undefined) {
      const value = joined ?? words[++at];
      if (value === undefined || value === "") throw new UsageError(`explain: --${name} needs a file`);
      named.set(name, value);
    } else if (options && (word === "--json" || word === "-v" || word === "--verbose")) flags.add(word);
    else if (options && word.startsWith("-") && word !== "-")
      throw new UsageError(`explain: unknown option ${word}; "inquest explain --help" shows what is understood`);
    else files.push(word);
  }
  if (files.length === 0) throw new UsageError("explain: the log's file is missing");
  const [vmlinux, dump] = [named.get("vmlinux"), named.get("dump")];
  return {
    files,
    json: flags.has("--json"),
    verbose: flags.has("-v") || flags.has("--verbose"),
    ...(vmlinux === undefined ? {} : { vmlinux }),
    ...(dump === undefined ? {} : { dump }),
  };
}

/** Explains all files; returns how many reports were found. */
export async function explain(options: ExplainOptions, write: (text: string) => boolean = (text) => writeAll(1, text)): Promise<number> {
  let found = 0;
  const kernel = await kernelOf(options);
  for (const file of options.files) {
    let inFile = 0;
    for (const report of reportsOf(file)) {
      inFile++;
      const diagnosis = explainReport(report, await disassemblerOf(report), kernel);
      const text = options.json ? json(file, report, diagnosis) : shown(report, diagnosis, options.verbose || inFile === 1);
      const heading = !options.json && options.files.length > 1 && inFile === 1 ? `${file}:\n` : "";
      if (!write(heading + text)) return found + inFile;
    }
    if (inFile === 0 && !options.json) write(`${file}: no kernel report in it\n`);
    found += inFile;
  }
  return found;
}

/** What the reports come from, opened once; its disassembler is loaded too, for functions are followed in it. */
async function kernelOf({ vmlinux, dump }: ExplainOptions): Promise<Kernel | undefined> {
  if (vmlinux === undefined && dump === undefined) return undefined;
  registerDisassemblers();
  const kernel =
    dump === undefined
      ? kernelOfVmlinux(await openVmlinux(vmlinux as string, { directories: debugDirectories([]) }))
      : (await openWithDebugInfo(sortFiles(vmlinux === undefined ? [dump] : [dump, vmlinux]))).kernel;
  await loadDisassembler(kernel.arch.name);
  return kernel;
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

function* reportsOf(file: string): Generator<LogReport> {
  let descriptor: number;
  try {
    descriptor = file === "-" ? 0 : openSync(file, "r");
  } catch (error) {
    throw new UsageError(`explain: ${file} cannot be opened: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  try {
    const finder = new ReportFinder();
    for (;;) {
      const piece = new Uint8Array(PIECE);
      const length = readPiece(descriptor, piece, file);
      if (length === 0) break;
      yield* finder.push(piece.subarray(0, length));
    }
    yield* finder.finish();
  } finally {
    if (descriptor !== 0) closeSync(descriptor);
  }
}

function readPiece(descriptor: number, piece: Uint8Array, file: string): number {
  for (;;) {
    try {
      return readSync(descriptor, piece);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN" && code !== "EINTR") throw new UsageError(`explain: ${file} cannot be read: ${code ?? String(error)}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
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
  if (!full) return sanitize(`also (${where}): ${verdict.title}    confidence: ${verdict.confidence}   ${signature.hash}\n`);
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
    ...(machine === "" ? [] : [`  Machine    ${machine}`]),
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
