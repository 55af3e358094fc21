/**
 * Runs input lines: comments, `!`, aliases, redirections, command files, then the command itself with its text going out slice by slice.
 *
 *   line ─► alias ─► redirection ─► resolve ─► run ─► lines ──slices──► sanitize ─► sink
 *                                                  └► JSON line ───────────────────►
 */

import { InquestError, UsageError } from "../../bytes/errors.ts";
import { prepareZstd } from "../../bytes/zstd.ts";
import type { CommandOutcome, Session } from "../../commands/command.ts";
import { errorJson, outcomeJson } from "../../commands/json.ts";
import { expandAlias, needsDisassembler, type ResolvedLine, resolveLine, runResolved } from "../../commands/run-line.ts";
import { ExtensibleRegistry, prepareExtensions } from "./extend.ts";
import { isComment, prompt, readLines } from "./input-lines.ts";
import { Interrupted, interruptible } from "./interrupt.ts";
import { javascript } from "./js.ts";
import { libraryUrl } from "./library-url.ts";
import { PagerSink } from "./pager-sink.ts";
import type { ProgressLine } from "./progress.ts";
import { loadsSharedObject, type RcFile } from "./rc-files.ts";
import { splitRedirection } from "./redirection.ts";
import { errorText } from "./report-error.ts";
import { sanitize } from "./sanitize.ts";
import { savedBytes, writeSaved } from "./save-bytes.ts";
import { shell, shellCommand } from "./shell-command.ts";
import { DescriptorSink, FileSink, nowhere, ShellSink, type Sink, writeLine } from "./sink.ts";
import { TextSlices } from "./text-slices.ts";
import { UnsaidNotes } from "./unsaid-notes.ts";
import { writeAll } from "./write-all.ts";

const MAX_FILE_DEPTH = 10;

export interface RunnerOptions {
  readonly json: boolean;
  /** Ctrl-C ends the command and not the program. */
  readonly interactive: boolean;
  /** Command files show each command before its output, as crash does. */
  readonly echo: boolean;
  /** Makes the sink of a command without redirection. */
  readonly output?: () => Sink;
  readonly errors?: (text: string) => void;
  /** Columns of the screen that the standard output goes to; undefined when it goes to none. */
  readonly columns?: () => number | undefined;
  readonly progress?: ProgressLine | undefined;
  /** Awaited before a command that disassembles. */
  readonly loadDisassembler?: () => Promise<unknown>;
}

export class Runner {
  readonly session: Session;
  readonly #options: RunnerOptions;
  readonly #output: () => Sink;
  readonly #errors: (text: string) => void;
  #fileDepth = 0;
  /** False while a start-up file of the working directory runs: it may not use the shell or write files. */
  #trusted = true;
  readonly #notes: UnsaidNotes;
  /** Output is dropped: start-up files while JSON is wanted. */
  #muted = false;
  /** Set by Ctrl-C while no JavaScript runs. */
  #interrupted = false;
  /** Nobody reads the standard output any more. */
  outputClosed = false;

  constructor(session: Session, options: RunnerOptions) {
    this.session = session;
    this.#options = options;
    const standard = new DescriptorSink(1);
    const output = options.output ?? (() => standard);
    this.#output = () => (this.#muted ? nowhere : output());
    this.#errors = options.errors ?? ((text) => void writeAll(2, text));
    this.#notes = new UnsaidNotes(session.kernel);
  }

  /** Ctrl-C arrived between slices. */
  interrupt(): void {
    this.#interrupted = true;
  }

  /** Runs one input line; true when all it asked for succeeded. Never throws. */
  async line(text: string): Promise<boolean> {
    this.#interrupted = false;
    const line = text.trim();
    if (line === "" || isComment(line)) return true;
    try {
      // No file, program or symbol has one in its name, and the system's calls refuse it in words of their own.
      if (line.includes("\0")) throw new UsageError("the line holds a zero byte: this is no text");
      const external = shellCommand(this.session, line);
      if (external !== undefined) {
        this.#requireTrust("start programs");
        return shell(external);
      }
      const { command, redirection } = splitRedirection(expandAlias(this.session, line));
      if (redirection.kind !== "none") this.#requireTrust("use pipes and redirections");
      switch (redirection.kind) {
        case "none":
          return await this.#command(command, this.#output());
        case "pipe":
          return await this.#command(command, new ShellSink(redirection.shell));
        case "write":
        case "append":
          return await this.#command(command, new FileSink(redirection.file, redirection.kind === "write" ? "w" : "a"));
        case "script":
          return await this.file(redirection.file, this.#options.echo);
        case "operands":
          return await this.#perLine(command, readLines(redirection.file));
      }
    } catch (error) {
      return this.#failed("inquest", [line], error, undefined);
    }
  }

  /** `-i`: a file of input lines; true when all succeeded. Never throws. */
  async script(path: string): Promise<boolean> {
    try {
      return await this.file(path, this.#options.echo);
    } catch (error) {
      return this.#failed("inquest", ["-i", path], error, undefined);
    }
  }

  /** Runs a start-up file. Its failures are shown and do not count; what it aliases is marked as its own. */
  async rcFile({ path, trusted }: RcFile): Promise<void> {
    const before = new Map(this.session.aliases);
    this.#trusted = trusted;
    javascript.allowed = trusted;
    this.#muted = this.#options.json;
    try {
      for (const text of readLines(path)) {
        if (!loadsSharedObject(text)) await this.line(text);
        else if (!this.session.settings.silent)
          this.#errors(`${sanitize(path)}: "${sanitize(text.trim())}" is left out: crash's extensions cannot be loaded\n`);
        if (this.session.finished) break;
      }
    } catch (error) {
      this.#errors(`${errorText("inquest", error)}\n`);
    } finally {
      this.#trusted = true;
      javascript.allowed = true;
      this.#muted = false;
    }
    for (const [name, alias] of this.session.aliases) {
      if (before.get(name) !== alias) this.session.aliases.set(name, { ...alias, origin: "rc" });
    }
  }

  /** Shows what the last command found incomplete, not even -s keeps it back. */
  showNotes(): void {
    for (const note of this.#notes.take()) this.#errors(`inquest: note: ${sanitize(note)}\n`);
  }

  #requireTrust(what: string): void {
    if (!this.#trusted) throw new UsageError(`a start-up file of the working directory may not ${what}; put it into the home directory's`);
  }

  /** Runs a file of input lines; ends early at `exit`. Throws UsageError when it cannot be read. */
  async file(path: string, echo: boolean): Promise<boolean> {
    if (this.#fileDepth >= MAX_FILE_DEPTH) throw new UsageError(`${path}: command files are nested more than ${MAX_FILE_DEPTH} deep`);
    const lines = readLines(path);
    this.#fileDepth++;
    try {
      let ok = true;
      for (const line of lines) {
        await this.#turn();
        if (this.session.finished || this.#interrupted || this.outputClosed) break;
        const text = line.trim();
        if (text === "") continue;
        if (echo && !this.#options.json) await this.#print(`${prompt}${text}\n`);
        ok = (await this.line(text)) && ok;
        if (echo && !this.#options.json && !isComment(text)) await this.#print("\n");
      }
      return ok;
    } finally {
      this.#fileDepth--;
    }
  }

  async #perLine(command: string, lines: readonly string[]): Promise<boolean> {
    let ok = true;
    for (const operands of lines) {
      await this.#turn();
      if (this.#interrupted || this.outputClosed) break;
      if (operands.trim() !== "") ok = (await this.#command(`${command} ${operands.trim()}`, this.#output())) && ok;
    }
    return ok;
  }

  async #command(text: string, sink: Sink): Promise<boolean> {
    let resolved: ResolvedLine | undefined;
    let ok: boolean;
    this.#options.progress?.begin();
    try {
      resolved = resolveLine(this.session, text);
      if (needsDisassembler(resolved)) await this.#options.loadDisassembler?.();
      if (resolved.command.spec.unpacks === true) await prepareZstd();
      await this.#loadExtensions(resolved);
      const known = resolved;
      const outcome = this.#guard(() => runResolved(this.session, known));
      const saved = savedBytes(outcome.result);
      if (saved !== undefined) {
        this.#requireTrust("write files");
        this.#guard(() => writeSaved(saved));
      }
      await (this.#options.json ? this.#json(outcome, sink) : this.#text(outcome, sink));
      ok = true;
    } catch (error) {
      const name = resolved?.command.spec.name ?? "inquest";
      const args = resolved?.words.map((word) => word.text) ?? text.split(/\s+/);
      ok = await this.#failed(name, args, error, sink);
    } finally {
      this.#options.progress?.clear();
    }
    const finished = await sink.finish();
    this.showNotes();
    if (sink.closed && sink instanceof DescriptorSink) this.outputClosed = true;
    return ok && finished;
  }

  /** Command files are imported before `extend` runs. */
  async #loadExtensions({ command, line }: ResolvedLine): Promise<void> {
    const { registry } = this.session;
    if (command.spec.name !== "extend" || !(registry instanceof ExtensibleRegistry)) return;
    this.#requireTrust("load command files");
    await prepareExtensions(registry, line, () => libraryUrl(import.meta.url));
  }

  async #json(outcome: CommandOutcome, sink: Sink): Promise<void> {
    const chunks = this.#guard(() => outcomeJson(outcome.command.spec.name, outcome.args, outcome.result));
    await writeLine(sink, chunks);
  }

  async #text(outcome: CommandOutcome, sink: Sink): Promise<void> {
    // Behind a redirection or a pipe nobody knows who reads.
    const columns = () => (sink instanceof PagerSink || sink instanceof DescriptorSink ? this.#options.columns?.() : undefined);
    const slices = new TextSlices(() => outcome.text({ radix: this.session.settings.radix, columns: columns() }));
    const put = () => {
      const text = slices.take();
      this.#options.progress?.clear();
      return sink.write(sanitize(text));
    };
    for (;;) {
      let failure: unknown;
      try {
        // In one piece where writing takes no waiting: between two pieces Node loses a Ctrl-C that came as the first one ended.
        this.#guard(() => {
          slices.pull();
          while (sink.direct === true && !slices.done && !sink.closed) {
            void put();
            slices.pull();
          }
        });
      } catch (error) {
        failure = error;
      }
      // What was known before the failure is shown in any case.
      if (slices.waiting) await put();
      if (failure !== undefined) throw failure;
      await this.#turn();
      if (this.#interrupted) throw new Interrupted();
      if (slices.done || sink.closed) return;
    }
  }

  /**
   * Lets the event loop turn: a Ctrl-C that came between two slices is seen only there, and `interruptible` would drop it. Files and
   * descriptors are written without waiting, so nothing else would.
   */
  async #turn(): Promise<void> {
    if (this.#options.interactive) await new Promise((resolve) => setImmediate(resolve));
  }

  #guard<T>(work: () => T): T {
    if (!this.#options.interactive) return work();
    try {
      return interruptible(work);
    } catch (error) {
      if (error instanceof Interrupted) this.session.kernel.forget();
      throw error;
    }
  }

  async #failed(name: string, args: readonly string[], error: unknown, sink: Sink | undefined): Promise<false> {
    this.#options.progress?.clear();
    if (this.#options.json) {
      const target = sink ?? this.#output();
      await writeLine(target, errorJson(name, args, error instanceof Interrupted ? new UsageError("interrupted") : error));
      if (error instanceof InquestError || error instanceof Interrupted) return false;
    }
    this.#errors(`${errorText(name, error)}\n`);
    return false;
  }

  async #print(text: string): Promise<void> {
    const sink = this.#output();
    await sink.write(sanitize(text));
    await sink.finish();
    if (sink.closed) this.outputClosed = true;
  }
}
