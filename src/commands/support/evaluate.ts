/**
 * Integer arithmetic as `eval` and every `(expression)` operand understand it: C's operators and precedence over 64-bit words,
 * symbols of the kernel, and the suffixes k, m, g and t for powers of 1024.
 *
 *   or    := xor ('|' xor)*          sum   := term (('+'|'-') term)*
 *   xor   := and ('^' and)*          term  := unary (('*'|'/'|'%') unary)*
 *   and   := shift ('&' shift)*      unary := ('-'|'+'|'~')* primary
 *   shift := sum (('<<'|'>>') sum)*  primary := number suffix? | symbol | '(' or ')'
 */
import { LookupError, UsageError } from "../../bytes/errors.ts";

export interface EvaluateOptions {
  /** Radix of digits without 0x: addresses are hexadecimal, everything else decimal. Words with a-f are hexadecimal in any case. */
  readonly radix: 10 | 16;
  /** Value of a symbol. */
  readonly symbol?: (name: string) => bigint | undefined;
}

/** Value of an expression, not wrapped: it may be negative or wider than 64 bits. Throws UsageError or LookupError. */
export function evaluate(text: string, options: EvaluateOptions): bigint {
  const parser = new Parser(text, options);
  return parser.whole();
}

const TOKEN = /\s*(<<|>>|[-+&|^*%/~()]|[A-Za-z0-9_.$]+)/y;
const MAX_DEPTH = 200;

class Parser {
  readonly #text: string;
  readonly #options: EvaluateOptions;
  #at = 0;
  #token: string | undefined;
  #depth = 0;

  constructor(text: string, options: EvaluateOptions) {
    this.#text = text;
    this.#options = options;
    this.#next();
  }

  whole(): bigint {
    const value = this.#level(0);
    if (this.#token !== undefined) throw this.#unexpected();
    return value;
  }

  #next(): void {
    TOKEN.lastIndex = this.#at;
    const found = TOKEN.exec(this.#text);
    if (found !== null) {
      this.#token = found[1];
      this.#at = TOKEN.lastIndex;
      return;
    }
    const rest = this.#text.slice(this.#at).trim();
    if (rest !== "") throw new UsageError(`"${this.#text.trim()}" is no expression: "${rest}" is not understood`);
    this.#token = undefined;
    this.#at = this.#text.length;
  }

  #unexpected(): UsageError {
    const what = this.#token === undefined ? "it ends too early" : `"${this.#token}" is not expected there`;
    return new UsageError(`"${this.#text.trim()}" is no expression: ${what}`);
  }

  #level(level: number): bigint {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let value = this.#level(level + 1);
    while (this.#token !== undefined && operators.includes(this.#token)) {
      const operator = this.#token;
      this.#next();
      value = this.#apply(operator, value, this.#level(level + 1));
    }
    return value;
  }

  #apply(operator: string, left: bigint, right: bigint): bigint {
    switch (operator) {
      case "|":
        return left | right;
      case "^":
        return left ^ right;
      case "&":
        return left & right;
      case "<<":
      case ">>":
        if (right < 0n || right > 127n) throw new UsageError(`shift by ${right}: a shift is by 0 to 127 bits`);
        return operator === "<<" ? left << right : BigInt.asUintN(64, left) >> right;
      case "+":
        return left + right;
      case "-":
        return left - right;
      case "*":
        return left * right;
      default:
        if (right === 0n) throw new UsageError(`"${this.#text.trim()}" divides by zero`);
        return operator === "/" ? left / right : left % right;
    }
  }

  #unary(): bigint {
    if (++this.#depth > MAX_DEPTH) throw new UsageError("the expression is nested too deeply");
    try {
      const token = this.#token;
      switch (token) {
        case "-":
          this.#next();
          return -this.#unary();
        case "+":
          this.#next();
          return this.#unary();
        case "~":
          this.#next();
          return ~this.#unary();
        case "(": {
          this.#next();
          const value = this.#level(0);
          if ((this.#token as string | undefined) !== ")") throw this.#unexpected();
          this.#next();
          return value;
        }
        default:
          if (token === undefined || !/^[\w.$]/.test(token)) throw this.#unexpected();
          this.#next();
          return this.#primary(token);
      }
    } finally {
      this.#depth--;
    }
  }

  #primary(word: string): bigint {
    const number = parseNumber(word, this.#options.radix);
    // A name such as "add" or "face" is hexadecimal and may be a symbol: digits and 0x decide for the number, a known symbol wins else.
    if (number !== undefined && /^\d/.test(word)) return number;
    const symbol = this.#options.symbol?.(word);
    if (symbol !== undefined) return symbol;
    if (number !== undefined) return number;
    throw new LookupError(`"${word}" is neither a number nor a symbol`);
  }
}

const LEVELS: readonly (readonly string[])[] = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]];
const SUFFIX: Readonly<Record<string, bigint>> = { k: 10n, m: 20n, g: 30n, t: 40n };

/**
 * A number without operators: 0x1f, 1f, 31, 4k, 2g. In radix 10 a word of digits is decimal and one with a-f hexadecimal, as crash
 * reads it. undefined when it is no number.
 */
export function parseNumber(word: string, radix: 10 | 16): bigint | undefined {
  const found = /^(0x)?([0-9a-f]+)(?:([kmgt])b?)?$/i.exec(word);
  if (found === null) return undefined;
  const [, prefix, digits = "", suffix] = found;
  if (digits.length > 64) return undefined;
  const decimal = prefix === undefined && /^\d+$/.test(digits) && (radix === 10 || suffix !== undefined);
  const value = BigInt(decimal ? digits : `0x${digits}`);
  return suffix === undefined ? value : value << (SUFFIX[suffix.toLowerCase()] as bigint);
}
