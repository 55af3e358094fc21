/**
 * A command's lines in slices of text: large enough that writing costs little, soon enough that the first lines are seen while the rest is
 * made, and that Ctrl-C between two of them keeps what was shown.
 */

/** A slice of output ends at this many characters or after this time, whichever comes first. */
const SLICE_CHARACTERS = 1 << 16;
const SLICE_MS = 50;

/** Pulls lines and collects them; lines that came before an error are kept. */
export class TextSlices {
  /** All lines were pulled. */
  done = false;
  readonly #text: () => Iterable<string>;
  #lines: Iterator<string> | undefined;
  #slice = "";

  /** @param text makes the lines when the first is pulled, so that what it throws is thrown there */
  constructor(text: () => Iterable<string>) {
    this.#text = text;
  }

  /** Pulls lines until the slice is full, its time is over or the lines end. Throws what the lines throw. */
  pull(): void {
    this.#lines ??= this.#text()[Symbol.iterator]();
    const until = Date.now() + SLICE_MS;
    while (this.#slice.length < SLICE_CHARACTERS) {
      const next = this.#lines.next();
      if (next.done === true) {
        this.done = true;
        return;
      }
      this.#slice += `${next.value}\n`;
      if (Date.now() >= until) return;
    }
  }

  /** Is there text to take? */
  get waiting(): boolean {
    return this.#slice !== "";
  }

  /** The text pulled since the last time. */
  take(): string {
    const text = this.#slice;
    this.#slice = "";
    return text;
  }
}
