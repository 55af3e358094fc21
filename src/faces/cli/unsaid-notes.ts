/**
 * What a command found incomplete on first use (tasks that cannot be read, a broken list of modules): its answer is then short of something,
 * which must not stay unsaid, and need not be said twice.
 */
import type { Kernel } from "../../kernel/kernel.ts";

/** Gives each of the kernel's notes once. */
export class UnsaidNotes {
  readonly #kernel: Kernel;
  #said: number;

  /** Notes that the kernel has already are those of the opening: the banner shows them. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#said = kernel.notes.length;
  }

  /** Notes that came since the last time. */
  take(): readonly string[] {
    const fresh = this.#kernel.notes.slice(this.#said);
    this.#said += fresh.length;
    return fresh;
  }
}
