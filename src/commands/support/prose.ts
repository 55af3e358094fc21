/** Prose broken at blanks: what a terminal would break in the middle of a word. */

/** Columns of prose where nobody knows the reader's screen: a file, a pipe. */
export const PROSE_WIDTH = 118;
/** Narrower than this, words stand alone. */
const LEAST = 40;

/** Columns for prose on a screen of so many; unknown ones are taken for enough. */
export function proseWidth(columns: number | undefined): number {
  return columns === undefined ? PROSE_WIDTH : Math.max(LEAST, Math.min(PROSE_WIDTH, columns - 1));
}

/** A blank that does not part a number from its unit. */
const BLANK = /(?<!\d) | (?!(?:s|ms|KiB|MiB|GiB|bytes?)\b)/;

/** At blanks; a word that is longer than a line keeps its own. */
export function broken(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(BLANK)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

/** Every line behind the indent. */
export function* wrapped(text: string, indent: string, width: number): Iterable<string> {
  for (const line of broken(text, width - indent.length)) yield `${indent}${line}`;
}

/**
 * A line that stays one. Names of processes and lines of the log come from whoever caused the crash: a line end in them would let them write
 * lines of their own into an answer, or, in a command that is pasted, a second command.
 */
export function oneLine(line: string): string {
  return line.replace(/[\n\v\f\r\u0085\u2028\u2029]/g, (end) => `\\x${end.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
