/** One byte as gdb writes it in a string or a character: named escapes, octal for what is not printable. */

const ESCAPES: Readonly<Record<number, string>> = { 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\" };

export function escapeByte(byte: number, quote: "'" | '"'): string {
  const named = ESCAPES[byte];
  if (named !== undefined) return named;
  if (byte < 0x20 || byte >= 0x7f) return `\\${byte.toString(8).padStart(3, "0")}`;
  const char = String.fromCharCode(byte);
  return char === quote ? `\\${char}` : char;
}

/** Bytes (one character, 0 … 255, each) in quotes. */
export function quoteString(raw: string): string {
  let text = '"';
  for (let i = 0; i < raw.length; i++) text += escapeByte(raw.charCodeAt(i), '"');
  return `${text}"`;
}
