/** The program: opens the dump, runs what the command line asks for, else shows the prompt. */

import { loadDisassembler } from "../../arch/disassembler.ts";
import { cacheSettings } from "../../bytes/cache-directory.ts";
import type { Session } from "../../commands/command.ts";
import { complete } from "../../commands/completion.ts";
import { createSession } from "../../commands/session.ts";
import { builtinAliases } from "../../commands/support/builtin-aliases.ts";
import { commandPage } from "../../commands/support/help-page.ts";
import { TOPICS } from "../../commands/support/help-topics.ts";
import { openWithDebugInfo } from "../../library/open-dump.ts";
import { sortFiles } from "../../library/sort-files.ts";
import { bannerLines } from "./banner.ts";
import { completeFile } from "./complete-file.ts";
import { cachedDebugInfo, downloadDebugInfo } from "./debuginfod.ts";
import { registerDisassemblers } from "./disassemblers.ts";
import { History, historyPath } from "./history.ts";
import { programRegistry } from "./js.ts";
import { PagerSink, pagerCommand } from "./pager-sink.ts";
import { type ProgramOptions, ProgramUsageError, parseProgramOptions, USAGE } from "./program-options.ts";
import { ProgressLine } from "./progress.ts";
import { rcFiles } from "./rc-files.ts";
import { Runner } from "./runner.ts";
import { sanitize } from "./sanitize.ts";
import { DescriptorSink } from "./sink.ts";
import { verdictLine } from "./verdict-line.ts";
import { version } from "./version.ts";
import { writeAll } from "./write-all.ts";

/** Exit statuses. */
export const EXIT = { ok: 0, failed: 1, misused: 2, internal: 70 } as const;

const SHOWN_NOTES = 4;

/** Runs the program. Throws what main.ts reports: ProgramUsageError, InquestError, or a bug. */
export async function program(words: readonly string[]): Promise<number> {
  if (words[0] === "script") return script(words.slice(1));
  if (words[0] === "explain") return explainLogs(words.slice(1));
  if (words[0] === "analyze") return analyzeDumps(words.slice(1));
  const options = parseProgramOptions(words);
  if (options.version) {
    writeAll(1, `inquest ${version}\n`);
    return EXIT.ok;
  }
  if (options.help !== undefined) return showHelp(options.help);
  if (options.files.length === 0) throw new ProgramUsageError("the dump's file is missing");

  if (!options.cache) cacheSettings.enabled = false;
  const progress = process.stderr.isTTY && !options.json ? new ProgressLine() : undefined;
  const files = sortFiles(options.files);
  const { kernel, namelist, remarks } = await openWithDebugInfo(files, {
    debugDirectories: options.debugDirectories,
    search: options.searchDebugInfo && options.fact === undefined,
    forceVmlinux: options.forceVmlinux,
    server: {
      cached: (buildId) => cachedDebugInfo(buildId, process.env),
      ...(options.debuginfod ? { download: (buildId: string) => downloadDebugInfo(buildId, process.env, progress?.report) } : {}),
    },
    zeroExcluded: options.zeroExcluded,
    ...(progress === undefined ? {} : { progress: (share: number) => progress.report("looking through memory for the kernel:", share, 1) }),
  });
  progress?.clear();
  if (options.fact !== undefined) {
    const value = kernel.vmcoreinfo?.get(options.fact === "osrelease" ? "OSRELEASE" : "BUILD-ID");
    writeAll(1, `${sanitize(value ?? "unknown")}\n`);
    return value === undefined ? EXIT.failed : EXIT.ok;
  }
  const session = createSession(kernel, {
    registry: programRegistry,
    minimal: options.minimal,
    files: { dump: files.dump, namelist },
    settings: {
      silent: options.silent,
      scroll: options.scroll && !options.silent,
      ...(options.radix === undefined ? {} : { radix: options.radix }),
      ...(options.offline === undefined ? {} : { offline: options.offline }),
      ...(options.src === undefined ? {} : { src: options.src }),
    },
    ...(progress === undefined ? {} : { progress: progress.report }),
    interactive: isInteractive(options),
  });
  for (const remark of remarks) writeAll(2, `inquest: note: ${sanitize(remark)}\n`);
  return run(session, options, progress);
}

async function script(words: readonly string[]): Promise<number> {
  const { parseScriptOptions, runScript, SCRIPT_USAGE } = await import("./script.ts");
  if (words.length === 0 || words.some((word) => word === "-h" || word === "--help")) {
    writeAll(words.length === 0 ? 2 : 1, `${SCRIPT_USAGE}\n`);
    return words.length === 0 ? EXIT.misused : EXIT.ok;
  }
  const { libraryUrl } = await import("./library-url.ts");
  await runScript(parseScriptOptions(words), libraryUrl(import.meta.url));
  return EXIT.ok;
}

/** `inquest explain`: fails when a log holds no report, as grep does. */
async function explainLogs(words: readonly string[]): Promise<number> {
  const { EXPLAIN_USAGE, explain, parseExplainOptions } = await import("./explain.ts");
  if (words.length === 0 || words.some((word) => word === "-h" || word === "--help")) {
    writeAll(words.length === 0 ? 2 : 1, `${EXPLAIN_USAGE}\n`);
    return words.length === 0 ? EXIT.misused : EXIT.ok;
  }
  return (await explain(parseExplainOptions(words))) > 0 ? EXIT.ok : EXIT.failed;
}

/** `inquest analyze`: fails when a dump has no verdict. */
async function analyzeDumps(words: readonly string[]): Promise<number> {
  const { ANALYZE_USAGE, analyze, parseAnalyzeOptions } = await import("./analyze.ts");
  if (words.length === 0 || words.some((word) => word === "-h" || word === "--help")) {
    writeAll(words.length === 0 ? 2 : 1, `${ANALYZE_USAGE}\n`);
    return words.length === 0 ? EXIT.misused : EXIT.ok;
  }
  return (await analyze(parseAnalyzeOptions(words))) ? EXIT.ok : EXIT.failed;
}

/** Someone sits at a terminal. */
function onTerminal(options: ProgramOptions): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true && !options.json;
}

/** The prompt will come, and on a terminal. */
function isInteractive(options: ProgramOptions): boolean {
  return onTerminal(options) && options.commands.length === 0;
}

async function run(session: Session, options: ProgramOptions, progress: ProgressLine | undefined): Promise<number> {
  const terminal = onTerminal(options);
  const prompts = options.commands.length === 0 && (options.inputFile === undefined || terminal);
  const standard = new DescriptorSink(1);
  registerDisassemblers();
  const runner = new Runner(session, {
    json: options.json,
    interactive: isInteractive(options),
    echo: !options.silent,
    progress,
    errors: (text) =>
      void writeAll(2, process.stderr.isTTY && !process.env.NO_COLOR ? `\x1b[31m${text.replace(/\n$/, "")}\x1b[0m\n` : text),
    output: () =>
      terminal && prompts && session.settings.scroll
        ? new PagerSink(pagerCommand(session.settings.pager, process.env), screen())
        : standard,
    columns: screenColumns,
    loadDisassembler: () => loadDisassembler(session.kernel.arch.name),
  });
  const notes = [...session.kernel.dump.warnings];
  if (prompts && !options.json && !options.silent) {
    notes.push(...session.kernel.notes);
    for (const line of bannerLines(session)) standard.write(`${sanitize(line)}\n`);
    if (session.minimal !== true) {
      await loadDisassembler(session.kernel.arch.name);
      standard.write(`${sanitize(verdictLine(session.kernel, screenColumns()))}\n`);
    }
    standard.write("\n");
  }
  if (!options.silent) showNotes(notes);
  runner.showNotes();
  if (options.rcFiles) for (const rc of rcFiles(process.env)) await runner.rcFile(rc);
  let ok = true;
  if (options.inputFile !== undefined) ok = await runner.script(options.inputFile);
  for (const [index, command] of options.commands.entries()) {
    if (session.finished || runner.outputClosed) break;
    if (index > 0 && !options.json) standard.write("\n");
    ok = (await runner.line(command)) && ok;
  }
  if (prompts && !session.finished && !runner.outputClosed) {
    const { runPrompt } = await import("./prompt.ts");
    if (process.stdin.isTTY === true) session.kernel.debugInfo.vmlinux?.info.prepare?.();
    const succeeded = await runPrompt(runner, {
      input: process.stdin,
      output: process.stdout,
      terminal,
      history: new History(terminal ? historyPath(process.env) : undefined),
      complete: (line) => {
        const { candidates, fragment } = completeFile(line) ?? complete(session, line);
        return [candidates, fragment];
      },
      print: (text) => standard.write(sanitize(text)),
      echo: !options.silent && !options.json && process.stdin.isTTY !== true,
      ask: process.stdin.isTTY === true && !options.json,
    });
    // At a terminal a mistyped command is no failure of the program.
    ok &&= succeeded || terminal;
  }
  return ok ? EXIT.ok : EXIT.failed;
}

/** What a user must know of this dump; the rest is in `help -D`. */
function showNotes(notes: readonly string[]): void {
  for (const note of notes.slice(0, SHOWN_NOTES)) writeAll(2, `inquest: note: ${sanitize(note)}\n`);
  if (notes.length > SHOWN_NOTES) writeAll(2, `inquest: note: ${notes.length - SHOWN_NOTES} more: help -D\n`);
}

/** undefined when the output goes to a file or a pipe. */
function screenColumns(): number | undefined {
  return process.stdout.isTTY === true ? process.stdout.columns || undefined : undefined;
}

function screen(): { rows: number; columns: number } {
  return { rows: process.stdout.rows || 24, columns: process.stdout.columns || 80 };
}

function showHelp(name: string | true): number {
  const alias = builtinAliases().get(String(name))?.line.split(" ")[0] ?? "";
  const command = name === true ? undefined : (programRegistry.find(name) ?? programRegistry.find(alias));
  const pages = name === "all" ? programRegistry.all() : command === undefined ? [] : [command];
  const lines = name === true ? USAGE.split("\n") : (TOPICS[name]?.lines ?? pages.flatMap(({ spec }) => [...commandPage(spec), ""]));
  if (lines.length === 0) throw new ProgramUsageError(`no command is called "${name}"`);
  writeAll(1, `${lines.join("\n")}\n`);
  return EXIT.ok;
}
