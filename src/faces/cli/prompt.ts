/**
 * The prompt: reads lines with node:readline, keeps the history, hands each line to the runner one after the other.
 *
 *   terminal   editing, completion, history; Ctrl-C clears the line or interrupts the command, Ctrl-D leaves
 *   pipe       each line is shown after the prompt, so that the output reads as a transcript
 */
import { createInterface, type Interface } from "node:readline";
import type { ReadStream } from "node:tty";
import type { History } from "./history.ts";
import { isComment, prompt } from "./input-lines.ts";
import type { Runner } from "./runner.ts";

export interface PromptOptions {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly terminal: boolean;
  readonly history: History;
  readonly complete: (line: string) => readonly [candidates: readonly string[], fragment: string];
  /** Prints what the prompt itself has to say: the history, the echo of lines from a pipe. */
  readonly print: (text: string) => void;
  readonly echo: boolean;
  /** A person types and the output is no terminal (`inquest vmcore | tee log`): the prompt is printed, without editing. */
  readonly ask?: boolean;
}

/** Shows the prompt until `exit`, Ctrl-D or the end of input. True when every line succeeded. */
export function runPrompt(runner: Runner, options: PromptOptions): Promise<boolean> {
  return new Promise((resolve) => new Prompt(runner, options, resolve).start());
}

class Prompt {
  readonly #runner: Runner;
  readonly #options: PromptOptions;
  readonly #resolve: (ok: boolean) => void;
  readonly #readline: Interface;
  readonly #queue: string[] = [];
  #busy = false;
  #closed = false;
  #ended = false;
  #ok = true;

  constructor(runner: Runner, options: PromptOptions, resolve: (ok: boolean) => void) {
    this.#runner = runner;
    this.#options = options;
    this.#resolve = resolve;
    this.#readline = createInterface({
      input: options.input,
      ...(options.terminal ? { output: options.output } : {}),
      terminal: options.terminal,
      prompt,
      history: options.history.entries.toReversed(),
      historySize: 2000,
      completer: (line: string) => options.complete(line),
    });
  }

  start(): void {
    this.#readline.on("line", (line) => {
      this.#queue.push(line);
      void this.#work();
    });
    this.#readline.on("SIGINT", () => this.#clearLine());
    this.#readline.on("close", () => {
      this.#closed = true;
      void this.#work();
    });
    process.on("SIGINT", this.#onSignal);
    this.#show();
  }

  /** Ctrl-C while a command waits for its pager or a shell; while it computes, `interruptible` sees it. */
  readonly #onSignal = (): void => {
    this.#queue.length = 0;
    this.#runner.interrupt();
  };

  async #work(): Promise<void> {
    if (this.#busy || this.#ended) return;
    this.#busy = true;
    try {
      let ahead = false;
      for (let line = this.#queue.shift(); line !== undefined; line = this.#queue.shift()) {
        const text = line.trim();
        // Typed or pasted while the command before it ran: its prompt was not shown.
        if (ahead && this.#options.terminal) this.#options.print(`${prompt}${text}\n`);
        ahead = true;
        await this.#run(text);
        if (this.#options.echo && !this.#options.terminal && text !== "" && !isComment(text)) this.#options.print("\n");
        if (this.#runner.session.finished || this.#runner.outputClosed) break;
      }
    } finally {
      this.#busy = false;
    }
    if (this.#runner.session.finished || this.#runner.outputClosed || this.#closed) this.#end();
    else this.#show();
  }

  async #run(typed: string): Promise<void> {
    const { history, print, echo, terminal } = this.#options;
    if (echo && !terminal) print(`${prompt}${typed}\n`);
    if (typed === "" || isComment(typed)) return;
    if (typed === "h" || typed === "history") {
      print(`${listing(history.entries)}\n`);
      return;
    }
    const line = history.expand(typed);
    if (line === undefined) {
      this.#ok = false;
      print(`${typed}: nothing like it in the history; h lists it\n`);
      return;
    }
    if (line !== typed) print(`${prompt}${line}\n`);
    history.add(line);
    this.#rawMode(false);
    this.#readline.pause();
    try {
      this.#ok = (await this.#runner.line(line)) && this.#ok;
    } finally {
      this.#rawMode(true);
    }
  }

  #show(): void {
    if (this.#closed) return;
    this.#readline.resume();
    if (this.#options.terminal) this.#readline.prompt();
    else if (this.#options.ask === true) this.#options.print(prompt);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    process.off("SIGINT", this.#onSignal);
    if (this.#options.terminal && this.#closed && !this.#runner.session.finished) this.#options.print("\n");
    this.#readline.close();
    this.#resolve(this.#ok);
  }

  #clearLine(): void {
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
    this.#options.print("^C\n");
    this.#readline.prompt();
  }

  /** In raw mode the terminal sends Ctrl-C as a character; a command must get it as a signal, and a pager wants its own mode. */
  #rawMode(on: boolean): void {
    if (this.#options.terminal && !this.#closed) (this.#options.input as Partial<ReadStream>).setRawMode?.(on);
  }
}

function listing(entries: readonly string[]): string {
  return entries.map((entry, index) => `[${index + 1}] ${entry}`).join("\n");
}
