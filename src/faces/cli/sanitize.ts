/**
 * Makes text from a dump safe for a terminal. Process names, log lines and file names are written by whoever caused the crash: escape
 * sequences could rewrite what the reader sees, bidirectional marks reorder it.
 *
 *   C0 except TAB and LF, DEL, C1        →  \x1b
 *   bidi marks, line separators, BOM     →  \u202e
 */

const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const EACH_UNSAFE = new RegExp(UNSAFE.source, "g");

/** The text with every character that a terminal obeys replaced by its escape. */
export function sanitize(text: string): string {
  return UNSAFE.test(text) ? text.replace(EACH_UNSAFE, escaped) : text;
}

function escaped(char: string): string {
  const code = char.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
