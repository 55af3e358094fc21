/**
 * Output to a terminal through a pager, when it does not fit the screen: a screenful is held back; more starts the pager, less is
 * printed as it is. Output that comes slowly is not held back; what comes after it is held back again.
 */
import { spawnSync } from "node:child_process";
import { DescriptorSink, ShellSink, type Sink } from "./sink.ts";

/** What stands before the screen size is known to be enough. */
const HOLD_MS = 500;

export interface Screen {
  readonly rows: number;
  readonly columns: number;
}

export class PagerSink implements Sink {
  readonly #pager: string;
  readonly #screen: Screen;
  #started = Date.now();
  #pagerSink: ShellSink | undefined;
  readonly #terminal = new DescriptorSink(1);
  #held = "";
  #rows = 0;

  constructor(pager: string, screen: Screen) {
    this.#pager = pager;
    this.#screen = screen;
  }

  get closed(): boolean {
    return this.#pagerSink?.closed ?? this.#terminal.closed;
  }

  write(text: string): Promise<void> | void {
    if (this.#pagerSink !== undefined) return this.#pagerSink.write(text);
    this.#held += text;
    this.#rows += rowsOf(text, this.#screen.columns);
    if (this.#rows >= this.#screen.rows - 1 && exists(this.#pager)) {
      this.#pagerSink = new ShellSink(this.#pager);
      return this.#pagerSink.write(this.#take());
    }
    if (Date.now() - this.#started > HOLD_MS) this.#terminal.write(this.#take());
  }

  finish(): Promise<boolean> | boolean {
    if (this.#pagerSink !== undefined) return this.#pagerSink.finish();
    this.#terminal.write(this.#take());
    return true;
  }

  #take(): string {
    const text = this.#held;
    this.#held = "";
    this.#rows = 0;
    this.#started = Date.now();
    return text;
  }
}

const found = new Map<string, boolean>();

/** Whether the shell can run the pager: a machine without less must not lose the output. */
function exists(command: string): boolean {
  let known = found.get(command);
  if (known === undefined) {
    const program = command.trim().split(/\s+/)[0] as string;
    known = spawnSync("/bin/sh", ["-c", 'command -v -- "$1"', "sh", program], { stdio: "ignore" }).status === 0;
    found.set(command, known);
  }
  return known;
}

/** Rows that the text takes on a screen of this width; a tab counts as eight columns, which errs towards the pager. */
export function rowsOf(text: string, columns: number): number {
  let rows = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    const width = line.length + 7 * (line.split("\t").length - 1);
    rows += Math.max(1, Math.ceil(width / Math.max(1, columns)));
  }
  return rows;
}

/** The pager's command line: what `set scroll` chose, $CRASHPAGER, $PAGER, or less as crash calls it. */
export function pagerCommand(chosen: string | undefined, environment: NodeJS.ProcessEnv): string {
  if (chosen === "less") return "less -E -X";
  if (chosen === "more") return "more";
  return environment.CRASHPAGER || environment.PAGER || "less -E -X";
}
