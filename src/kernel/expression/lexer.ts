/**
 * Splits a C expression into tokens. Names may hold `$` (registers, convenience variables), and a history reference (`$`, `$3`, `$$2`) is
 * one token, as in gdb; so is a source file in single quotes.
 *
 *   ((struct list_head *)0xffff888003a4c890)->next    →   ( ( struct list_head * ) 0xffff888003a4c890 ) -> next
 */
import { UsageError } from "../../bytes/errors.ts";

export type Token =
  | {
      readonly kind: "number";
      readonly value: bigint;
      readonly decimal: boolean;
      readonly unsigned: boolean;
      readonly long: boolean;
      readonly at: number;
      readonly text: string;
    }
  | { readonly kind: "float"; readonly value: number; readonly single: boolean; readonly at: number; readonly text: string }
  | { readonly kind: "character"; readonly value: bigint; readonly at: number; readonly text: string }
  /** Bytes of a string without its NUL, or a source file in single quotes: 'kernel/sched/core.c'. */
  | { readonly kind: "string" | "file"; readonly content: string; readonly at: number; readonly text: string }
  | { readonly kind: "name" | "history" | "operator" | "end"; readonly at: number; readonly text: string };

/** A line longer than this is no expression that a person typed. */
const MAX_LENGTH = 10_000;

const OPERATORS = /->|<<|>>|<=|>=|==|!=|&&|\|\||::|\.\.|[-+*/%&|^~!<>?:()[\]{}.,=@]/y;
const BLANK = /\s*/y;
const WORD = /[A-Za-z0-9_$]+/y;
/** 2.5, 1e3 is left out: it may be an address pasted without 0x. The dot of `a[2..5]` and of `sym.16` is none of a number. */
const FLOAT = /\d+\.\d+(?:e[+-]?\d+)?f?(?![\w.])/iy;
const STRING = /"((?:[^"\\]|\\(?:[0-7]{1,3}|x[0-9a-fA-F]{1,2}|.))*)"/y;
const FILE = /'([^'\\]{2,})'/y;
const CHARACTER = /'(?:[^'\\]|\\(?:[0-7]{1,3}|x[0-9a-fA-F]{1,2}|.))'/y;
const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 };

/** An error at a place of the text, in one line: "column 7" counts from 1. */
export function errorAt(text: string, at: number, what: string): UsageError {
  const column = at - (text.length - text.trimStart().length) + 1;
  return new UsageError(`"${text.trim()}", column ${column}: ${what}`.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, " "));
}

/** Tokens of a text, ended by one of kind "end". Throws UsageError with the column. */
export function tokenize(text: string): Token[] {
  if (text.length > MAX_LENGTH) throw new UsageError(`an expression may have ${MAX_LENGTH} characters`);
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  for (;;) {
    at += match(BLANK)?.length ?? 0;
    if (at >= text.length) break;
    const float = match(FLOAT);
    const word = float ?? match(WORD);
    const found = word ?? match(CHARACTER) ?? match(FILE) ?? match(STRING) ?? match(OPERATORS);
    if (text.startsWith("''", at)) throw errorAt(text, at, "a character is missing between the quotes");
    if (found === undefined)
      throw errorAt(text, at, `"${text[at]}" ${/["']/.test(text[at] as string) ? "is not closed" : "is not understood"}`);
    if (float !== undefined) tokens.push({ kind: "float", value: Number.parseFloat(float), single: /f$/i.test(float), at, text: float });
    else if (word !== undefined) tokens.push(wordToken(text, word, at));
    else if (found.startsWith("'")) tokens.push(quotedToken(found, at));
    else if (found.startsWith('"')) tokens.push({ kind: "string", content: unescaped(found.slice(1, -1)), at, text: found });
    else tokens.push({ kind: "operator", at, text: found });
    at += found.length;
  }
  tokens.push({ kind: "end", at: text.trimEnd().length, text: "" });
  return tokens;
}

function wordToken(text: string, word: string, at: number): Token {
  if (/^\$(\$?\d*)$/.test(word)) return { kind: "history", at, text: word };
  if (!/^\d/.test(word)) return { kind: "name", at, text: word };
  const number = /^(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)(u|ll?|ull?|ll?u)?$/i.exec(word);
  if (number !== null) {
    const [, digits = "", suffix = ""] = number;
    const octal = /^0[0-7]+$/.test(digits);
    const value = octal ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
    if (value >= 1n << 64n) throw errorAt(text, at, `${word} does not fit 64 bits`);
    return { kind: "number", value, decimal: /^[1-9]/.test(digits), unsigned: /u/i.test(suffix), long: /l/i.test(suffix), at, text: word };
  }
  // An address pasted from other output comes without 0x.
  if (/^[0-9a-f]{9,16}$/i.test(word)) {
    return { kind: "number", value: BigInt(`0x${word}`), decimal: false, unsigned: false, long: true, at, text: word };
  }
  throw errorAt(text, at, `"${word}" is no number${/^[0-9a-f]+$/i.test(word) ? `; hexadecimal is 0x${word}` : ""}`);
}

function quotedToken(text: string, at: number): Token {
  CHARACTER.lastIndex = 0;
  if (CHARACTER.exec(text)?.[0] === text) return { kind: "character", value: characterValue(text.slice(1, -1)), at, text };
  return { kind: "file", content: text.slice(1, -1), at, text };
}

/** A string's bytes, one character (0 … 255) each. */
function unescaped(body: string): string {
  const bytes = new TextEncoder().encode(body);
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return latin1.replace(/\\(?:[0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)/gs, (one) =>
    String.fromCharCode(Number(BigInt.asUintN(8, characterValue(one)))),
  );
}

function characterValue(body: string): bigint {
  if (!body.startsWith("\\")) return BigInt.asIntN(8, BigInt((body.codePointAt(0) as number) & 0xff));
  const rest = body.slice(1);
  if (/^[0-7]/.test(rest)) return BigInt.asIntN(8, BigInt(`0o${rest}`));
  if (/^x[0-9a-f]/i.test(rest)) return BigInt.asIntN(8, BigInt(`0${rest}`));
  return BigInt(ESCAPES[rest] ?? rest.charCodeAt(0));
}
