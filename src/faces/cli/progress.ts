/** Shows on a terminal's error output how far long work is; nothing for work below a second, and nothing is left behind. */
import type { Progress } from "../../commands/command.ts";
import { writeAll } from "./write-all.ts";

const PATIENCE_MS = 1000;
const EVERY_MS = 100;

export class ProgressLine {
  readonly #write: (text: string) => void;
  readonly #now: () => number;
  #started: number;
  #shown = 0;

  constructor(write: (text: string) => void = (text) => void writeAll(2, text), now: () => number = Date.now) {
    this.#write = write;
    this.#now = now;
    this.#started = now();
  }

  /** A command begins: its patience starts anew. */
  begin(): void {
    this.#started = this.#now();
    this.#shown = 0;
  }

  /** To be called often; hands out at most ten updates a second. */
  readonly report: Progress = (what, done, total) => {
    const now = this.#now();
    if (now - this.#started < PATIENCE_MS || now - this.#shown < EVERY_MS) return;
    this.#shown = now;
    const share = total > 0 ? ` ${Math.min(100, Math.floor((done / total) * 100))}%` : ` ${done}`;
    this.#write(`\r\x1b[K${what}${share}`);
  };

  /** Wipes the line before other output. */
  clear(): void {
    if (this.#shown === 0) return;
    this.#shown = 0;
    this.#write("\r\x1b[K");
  }
}
