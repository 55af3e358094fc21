/**
 * Numbers among the operands, read as crash users write them: an address is hexadecimal with or without 0x, a count is decimal unless
 * it has 0x, either may be a parenthesised expression, and an address may be a symbol with an offset.
 *
 *   ffff888003a4c000   0xffff888003a4c000   jiffies   schedule+0x20   &init_task   (init_task + 8)      parseAddress
 *   16   0x10   (4*4)                                                                                  parseCount
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { LookupError, UsageError } from "../../bytes/errors.ts";
import { evaluate, parseNumber } from "./evaluate.ts";

/** What parseAddress needs of a kernel. */
export interface SymbolAddresses {
  readonly symbols: { byName(name: string): { readonly address: VirtualAddress } | undefined };
  nearestSymbols(name: string): readonly string[];
  /** The error for a name that is no symbol; the real Kernel knows why variables may be missing. */
  unknownSymbol?(name: string): LookupError;
}

const MAX_64 = (1n << 64n) - 1n;

/** Address from hex digits, a symbol, symbol±offset, &symbol or (expression). Throws UsageError or LookupError with nearest names. */
export function parseAddress(kernel: SymbolAddresses, text: string): VirtualAddress {
  const word = text.trim();
  if (word === "") throw new UsageError("an address or a symbol is missing");
  const symbol = (name: string) => kernel.symbols.byName(name)?.address;
  if (word.startsWith("(")) return address(evaluate(word, { radix: 10, symbol }), word);
  const number = parseNumber(word, 16);
  if (number !== undefined && /^(\d|.{9,}$)/.test(word)) return address(number, word);
  const name = word.startsWith("&") ? word.slice(1) : word;
  const known = symbol(name);
  if (known !== undefined) return known;
  if (number !== undefined) return address(number, word);
  const sum = /^&?([A-Za-z_$.][\w$.]*|(?:0x)?[0-9a-f]+)([-+])((?:0x)?[0-9a-f]+)$/i.exec(word);
  if (sum !== null) {
    const [, base = "", sign, digits = ""] = sum;
    const start = symbol(base) ?? parseNumber(base, 16);
    // After a symbol the offset is decimal unless it looks hexadecimal (bt -s prints schedule+0x20); after hex digits it is hexadecimal.
    const offset = parseNumber(digits, symbol(base) === undefined ? 16 : 10);
    if (start !== undefined && offset !== undefined) return virtual(sign === "+" ? start + offset : start - offset);
    throw unknownSymbol(kernel, base);
  }
  if (/^[A-Za-z_$.][\w$.]*$/.test(name)) throw unknownSymbol(kernel, name);
  throw new UsageError(`"${word}" is neither an address nor a symbol`);
}

function unknownSymbol(kernel: SymbolAddresses, name: string): LookupError {
  return kernel.unknownSymbol?.(name) ?? new LookupError(`no symbol named "${name}" in this dump`, kernel.nearestSymbols(name));
}

/** True when the text is written as a number that can be an address: hex digits with or without 0x, or a parenthesised expression. */
export function looksLikeAddress(text: string): boolean {
  return parseNumber(text, 16) !== undefined || text.startsWith("(");
}

/** Hexadecimal digits with or without 0x, or (expression); for operands where a symbol makes no sense (`vtop`, `pte`). */
export function parseHex(text: string): bigint {
  if (text.startsWith("(")) return address(evaluate(text, { radix: 10 }), text);
  const number = parseNumber(text, 16);
  if (number === undefined) throw new UsageError(`"${text}" is no hexadecimal number`);
  return address(number, text);
}

/** A count: decimal digits, 0x hex, or (expression); may be negative. Throws UsageError. */
export function parseCount(text: string): number {
  const negative = text.startsWith("-");
  const digits = negative ? text.slice(1) : text;
  const value = digits.startsWith("(") ? evaluate(digits, { radix: 10 }) : parseNumber(digits, 10);
  if (value === undefined) throw new UsageError(`"${text}" is no number`);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new UsageError(`${text} is too large`);
  return negative ? -number : number;
}

function address(value: bigint, text: string): VirtualAddress {
  if (value > MAX_64 || value < -(1n << 63n)) throw new UsageError(`${text} does not fit 64 bits`);
  return virtual(value);
}
