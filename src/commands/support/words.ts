/**
 * Splits a command's text into words as crash users type them: blanks separate, quotes protect (and are removed, but remembered: a
 * quoted word is a regular expression to `ps` and `foreach`), and a parenthesised expression is one word with its blanks.
 *
 *   foreach 'kworker.*' bt (x + 8)   →   foreach · kworker.* (quoted) · bt · (x + 8)
 */
import { UsageError } from "../../bytes/errors.ts";

export interface Word {
  readonly text: string;
  /** The whole word stood in quotes. */
  readonly quoted: boolean;
  /** Position of its first character in the text. */
  readonly start: number;
}

/** Words of a text; throws UsageError when a quote is not closed. */
export function splitWords(text: string): Word[] {
  const words: Word[] = [];
  let at = 0;
  while (at < text.length) {
    if (isBlank(text[at] as string)) {
      at++;
      continue;
    }
    const start = at;
    let word = "";
    let depth = 0;
    const opensQuoted = isQuote(text[at] as string);
    let quotedTo = -1;
    for (; at < text.length; at++) {
      const char = text[at] as string;
      if (isBlank(char) && depth === 0) break;
      // An apostrophe inside a word ("don't") is no quote; a quote opens only at a word's start or after '=' or ','.
      if (isQuote(char) && (at === start || "=,(".includes(text[at - 1] as string))) {
        const end = text.indexOf(char, at + 1);
        if (end < 0) throw new UsageError(`the quote ${char} is not closed`);
        word += text.slice(at + 1, end);
        at = end;
        quotedTo = end;
        continue;
      }
      if (char === "(") depth++;
      else if (char === ")" && depth > 0) depth--;
      word += char;
    }
    words.push({ text: word, quoted: opensQuoted && quotedTo === at - 1, start });
  }
  return words;
}

function isBlank(char: string): boolean {
  return char === " " || char === "\t" || char === "\n" || char === "\r";
}

function isQuote(char: string): boolean {
  return char === "'" || char === '"';
}
