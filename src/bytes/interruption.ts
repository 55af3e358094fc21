/**
 * Work that was ended from outside. Ctrl-C and time limits end JavaScript at any call or turn of a loop (V8's TerminateExecution), and no
 * `catch` or `finally` runs then. What outlives a command must therefore be sound at every step:
 *
 *   what is kept        is made aside and set when it is whole: `this.#x ??= make()`, never `this.#x = []; … push`
 *   "I am at it" marks  are BusyMarks, which an interruption takes away; a plain flag would stay set, and answer wrongly for ever
 *   Kernel.memo()       is emptied by Kernel.forget(), so answers that live there need no care
 *   foreign state       (WebAssembly memories) is made anew when `interruptions.count` has moved on
 */

/** Grows with each piece of work that was ended in its midst. */
export const interruptions = { count: 0 };

/** Guards against asking oneself: set while the work goes on, and no more once the work was ended from outside. */
export class BusyMark {
  #since = -1;

  get set(): boolean {
    return this.#since === interruptions.count;
  }

  begin(): void {
    this.#since = interruptions.count;
  }

  end(): void {
    this.#since = -1;
  }
}
