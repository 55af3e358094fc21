/**
 * `inquest analyze VMCORE… [VMLINUX]`: the verdict of a dump, without opening a prompt; of several dumps also whether they are one bug. Files
 * that are dumps each by itself are several dumps; the parts of a split dump are one.
 */
import { loadDisassembler } from "../../arch/disassembler.ts";
import { FormatError, UsageError } from "../../bytes/errors.ts";
import { jsonChunks } from "../../commands/json.ts";
import { comparisonLines, type NamedDiagnosis } from "../../commands/support/comparison-text.ts";
import { diagnosisLines } from "../../commands/support/diagnosis-text.ts";
import { oneLine } from "../../commands/support/prose.ts";
import { type Comparison, compareDiagnoses, likeness } from "../../diagnosis/compare.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import { openDump } from "../../dump/open.ts";
import { type OpenedDump, openWithDebugInfo } from "../../library/open-dump.ts";
import { type SortedFiles, sortFiles } from "../../library/sort-files.ts";
import { registerDisassemblers } from "./disassemblers.ts";
import { ProgressLine } from "./progress.ts";
import { sanitize } from "./sanitize.ts";
import { writeAll } from "./write-all.ts";

export const ANALYZE_USAGE = `\
Usage: inquest analyze VMCORE... [VMLINUX] [MODULE.ko]... [options]

Says what killed the kernel, or stopped it: the verdict with its story, its
evidence and the commands that show it. Of several dumps the first is compared
with each of the others, the likest first: one bug or not, and what they show
together.

  --json            one line: the diagnosis; of several dumps
                    {"dumps": [...], "comparisons": [...]}
  -v, --verbose     every hypothesis with what refuted it, and whole stacks
  --debug-dir DIR   look for the vmlinux and for modules' debug files here
                    first; may be repeated
  --no-debug-info   do not look for debug files
  --force-vmlinux   use the given vmlinux although it is of another build
  --zero-excluded   memory that was left out of the dump reads as zeroes

The exit status is 0 when there is a verdict, 1 when it is "unknown".`;

export interface AnalyzeOptions {
  readonly files: readonly string[];
  readonly json: boolean;
  readonly verbose: boolean;
  readonly debugDirectories: readonly string[];
  readonly search: boolean;
  readonly forceVmlinux: boolean;
  readonly zeroExcluded: boolean;
}

const SWITCHES = ["--json", "-v", "--verbose", "--no-debug-info", "--force-vmlinux", "--zero-excluded"];

/** Parses the words after `analyze`. Throws UsageError. */
export function parseAnalyzeOptions(words: readonly string[]): AnalyzeOptions {
  const files: string[] = [];
  const debugDirectories: string[] = [];
  const flags = new Set<string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === "--debug-dir") {
      const directory = words[++i];
      if (directory === undefined) throw new UsageError("analyze: --debug-dir wants a directory");
      debugDirectories.push(directory);
    } else if (SWITCHES.includes(word)) flags.add(word);
    else if (word.startsWith("-"))
      throw new UsageError(`analyze: unknown option ${word}; "inquest analyze --help" shows what is understood`);
    else files.push(word);
  }
  if (files.length === 0) throw new UsageError("analyze: the dump's file is missing");
  return {
    files,
    json: flags.has("--json"),
    verbose: flags.has("-v") || flags.has("--verbose"),
    debugDirectories,
    search: !flags.has("--no-debug-info"),
    forceVmlinux: flags.has("--force-vmlinux"),
    zeroExcluded: flags.has("--zero-excluded"),
  };
}

/** Analyzes and prints; true when every dump has a verdict. */
export async function analyze(options: AnalyzeOptions, write: (text: string) => boolean = (text) => writeAll(1, text)): Promise<boolean> {
  registerDisassemblers();
  const sorted = sortFiles(options.files);
  const dumps: NamedDiagnosis[] = [];
  for (const files of await dumpsOf(sorted.dump)) dumps.push(await diagnosisOf({ ...sorted, dump: files }, options));
  const [first, ...others] = dumps as [NamedDiagnosis, ...NamedDiagnosis[]];
  const compared = others
    .map((other) => ({ other, comparison: compareDiagnoses(first.diagnosis, other.diagnosis) }))
    .sort((a, b) => likeness(b.comparison) - likeness(a.comparison));
  const ordered = [first, ...compared.map(({ other }) => other)];
  const comparisons = compared.map(({ comparison }) => comparison);
  if (options.json) writeJson(ordered, comparisons, write);
  else writeText(ordered, comparisons, options.verbose, write);
  return dumps.every(({ diagnosis }) => diagnosis.verdict.class !== "unknown");
}

/** Which files are one dump: each that opens alone; else all are the parts of one. */
async function dumpsOf(files: readonly string[]): Promise<readonly (readonly string[])[]> {
  if (files.length === 1) return [files];
  for (const file of files) {
    try {
      (await openDump(file)).close();
    } catch (error) {
      // A part of a split dump says so itself.
      if (error instanceof FormatError) return [files];
      throw error;
    }
  }
  return files.map((file) => [file]);
}

async function diagnosisOf(files: SortedFiles, options: AnalyzeOptions): Promise<NamedDiagnosis> {
  const progress = process.stderr.isTTY && !options.json ? new ProgressLine() : undefined;
  const { kernel, remarks }: OpenedDump = await openWithDebugInfo(files, {
    debugDirectories: options.debugDirectories,
    search: options.search,
    forceVmlinux: options.forceVmlinux,
    zeroExcluded: options.zeroExcluded,
  });
  try {
    await loadDisassembler(kernel.arch.name);
    progress?.begin();
    const diagnosis = diagnose(kernel, progress?.report);
    for (const remark of remarks) writeAll(2, `inquest: note: ${sanitize(remark)}\n`);
    return { file: files.dump.join(" "), diagnosis };
  } finally {
    progress?.clear();
    kernel.dump.close();
  }
}

/** What programs read. */
export function writeJson(dumps: readonly NamedDiagnosis[], comparisons: readonly Comparison[], write: (text: string) => boolean): void {
  const [first] = dumps as [NamedDiagnosis];
  const answer =
    dumps.length === 1 ? first.diagnosis : { dumps: dumps.map(({ file, diagnosis }) => ({ file, ...diagnosis })), comparisons };
  for (const chunk of jsonChunks(answer)) write(chunk);
  write("\n");
}

/** What people read. */
export function writeText(
  dumps: readonly NamedDiagnosis[],
  comparisons: readonly Comparison[],
  verbose: boolean,
  write: (text: string) => boolean,
): void {
  const [first, ...others] = dumps as [NamedDiagnosis, ...NamedDiagnosis[]];
  const lines: string[] = [];
  for (const [index, comparison] of comparisons.entries()) {
    lines.push(...comparisonLines(first, others[index] as NamedDiagnosis, comparison), "");
  }
  for (const { file, diagnosis } of dumps) {
    if (dumps.length > 1) lines.push(oneLine(`== ${file}`));
    lines.push(...diagnosisLines(diagnosis, { verbose, columns: process.stdout.isTTY === true ? process.stdout.columns : undefined }));
    if (dumps.length > 1) lines.push("");
  }
  write(`${lines.map((line) => sanitize(line)).join("\n")}\n`);
}
