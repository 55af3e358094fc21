/**
 * The language of a trace event's print_fmt: a format string and C expressions over the record (include/trace/stages/, what libtraceevent
 * reads from an event's format file).
 *
 *   "prev_comm=%s prev_state=%s", REC->prev_comm, (REC->prev_state & 3) ? __print_flags(REC->prev_state & 3, "|", { 1, "S" }) : "R"
 *
 * Parsed once a kind of event; what is not understood throws UnsupportedError, and the caller then shows the fields instead.
 */
import { UnsupportedError } from "../../bytes/errors.ts";

export type FormatNode =
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "index"; readonly base: FormatNode; readonly index: FormatNode }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly FormatNode[] }
  /** `{ value, "name" }` of __print_flags and __print_symbolic. */
  | { readonly kind: "pair"; readonly items: readonly FormatNode[] }
  | { readonly kind: "unary"; readonly operator: string; readonly operand: FormatNode }
  | { readonly kind: "binary"; readonly operator: string; readonly left: FormatNode; readonly right: FormatNode }
  | { readonly kind: "choice"; readonly test: FormatNode; readonly yes: FormatNode; readonly no: FormatNode }
  /** bits 0: a pointer or a type of unknown width. */
  | { readonly kind: "cast"; readonly bits: number; readonly signed: boolean; readonly operand: FormatNode };

export interface PrintFormat {
  readonly text: string;
  readonly args: readonly FormatNode[];
}

const MAX_DEPTH = 64;
const MAX_TOKENS = 1 << 16;

/** By falling strength. */
const OPERATORS: readonly (readonly string[])[] = [
  ["*", "/", "%"],
  ["+", "-"],
  ["<<", ">>"],
  ["<", "<=", ">", ">="],
  ["==", "!="],
  ["&"],
  ["^"],
  ["|"],
  ["&&"],
  ["||"],
];

const TOKEN =
  /\s+|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)+)'|(0[xX][0-9a-fA-F]+|\d+)[uUlL]*|([A-Za-z_]\w*)|(->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>?:()[\]{},.])/y;

type Token =
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "name" | "mark"; readonly text: string };

/** Parses a print_fmt. Throws UnsupportedError. */
export function parsePrintFormat(source: string): PrintFormat {
  const parser = new Parser(tokens(source));
  const text = parser.text();
  const args: FormatNode[] = [];
  while (parser.take(",")) args.push(parser.expression());
  parser.end();
  return { text, args };
}

function tokens(source: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new UnsupportedError(`print_fmt: ${JSON.stringify(source.slice(at, at + 20))} is not understood`);
    if (found.length > MAX_TOKENS) throw new UnsupportedError("print_fmt: too long");
    const [, text, character, number, name, mark] = match;
    if (text !== undefined) found.push({ kind: "string", text: unescaped(text) });
    else if (character !== undefined) found.push({ kind: "number", value: BigInt(unescaped(character).charCodeAt(0)) });
    else if (number !== undefined)
      found.push({ kind: "number", value: /^0\d/.test(number) ? BigInt(`0o${number.slice(1)}`) : BigInt(number) });
    else if (name !== undefined) found.push({ kind: "name", text: name });
    else if (mark !== undefined) found.push({ kind: "mark", text: mark });
  }
  return found;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v", "0": "\0" };

function unescaped(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)/g, (_, code: string) => {
    if (/^x./.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8) & 0xff);
    return ESCAPES[code] ?? code;
  });
}

/** Types by their words in any order; widths of the kernel's 64-bit machines. */
function castOf(words: readonly string[], pointer: boolean): { bits: number; signed: boolean } | undefined {
  if (pointer) return { bits: 64, signed: false };
  const plain = words.filter((word) => word !== "const" && word !== "volatile");
  if (plain[0] === "struct" || plain[0] === "union") return undefined;
  if (plain[0] === "enum") return { bits: 32, signed: false };
  const single = plain.length === 1 ? /^(?:__)?([us])(8|16|32|64)$/.exec(plain[0] as string) : null;
  if (single !== null) return { bits: Number(single[2]), signed: single[1] === "s" };
  const known: Readonly<Record<string, readonly [number, boolean]>> = {
    bool: [8, false],
    size_t: [64, false],
    ssize_t: [64, true],
    loff_t: [64, true],
    sector_t: [64, false],
    dev_t: [32, false],
    pid_t: [32, true],
    gfp_t: [32, false],
    uintptr_t: [64, false],
    ino_t: [64, false],
    __le16: [16, false],
    __le32: [32, false],
    __le64: [64, false],
    __be16: [16, false],
    __be32: [32, false],
    __be64: [64, false],
  };
  const other = plain.length === 1 ? known[plain[0] as string] : undefined;
  if (other !== undefined) return { bits: other[0], signed: other[1] };
  const basic = new Set(["unsigned", "signed", "int", "long", "short", "char"]);
  if (plain.length === 0 || !plain.every((word) => basic.has(word))) return undefined;
  const bits = plain.includes("char") ? 8 : plain.includes("short") ? 16 : plain.includes("long") ? 64 : 32;
  return { bits, signed: !plain.includes("unsigned") };
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  /** Adjacent strings are one. */
  text(): string {
    let text: string | undefined;
    for (let token = this.#tokens[this.#at]; token?.kind === "string"; token = this.#tokens[++this.#at]) text = (text ?? "") + token.text;
    if (text === undefined) throw this.#wrong();
    return text;
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#wrong();
  }

  take(mark: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "mark" || token.text !== mark) return false;
    this.#at++;
    return true;
  }

  /** A whole expression. */
  expression(): FormatNode {
    if (++this.#depth > MAX_DEPTH) throw new UnsupportedError("print_fmt: nested too deep");
    const test = this.#binary(OPERATORS.length - 1);
    let node = test;
    if (this.take("?")) {
      const yes = this.expression();
      this.#need(":");
      node = { kind: "choice", test, yes, no: this.expression() };
    }
    this.#depth--;
    return node;
  }

  #binary(level: number): FormatNode {
    if (level < 0) return this.#unary();
    let left = this.#binary(level - 1);
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== "mark" || !(OPERATORS[level] as readonly string[]).includes(token.text)) return left;
      this.#at++;
      left = { kind: "binary", operator: token.text, left, right: this.#binary(level - 1) };
    }
  }

  #unary(): FormatNode {
    if (++this.#depth > MAX_DEPTH) throw new UnsupportedError("print_fmt: nested too deep");
    try {
      for (const operator of ["!", "~", "-", "+", "*", "&"])
        if (this.take(operator)) return { kind: "unary", operator, operand: this.#unary() };
      return this.#cast() ?? this.#postfix();
    } finally {
      this.#depth--;
    }
  }

  /** `(unsigned long)x`: a parenthesis that holds a type. */
  #cast(): FormatNode | undefined {
    const start = this.#at;
    if (!this.take("(")) return undefined;
    const words: string[] = [];
    for (let token = this.#tokens[this.#at]; token?.kind === "name"; token = this.#tokens[++this.#at]) words.push(token.text);
    let pointer = false;
    while (this.take("*")) pointer = true;
    const type = words.length > 0 && this.take(")") ? castOf(words, pointer) : undefined;
    if (type !== undefined) return { kind: "cast", ...type, operand: this.#unary() };
    this.#at = start;
    return undefined;
  }

  #postfix(): FormatNode {
    let node = this.#primary();
    while (this.take("[")) {
      const index = this.expression();
      this.#need("]");
      node = { kind: "index", base: node, index };
    }
    return node;
  }

  #primary(): FormatNode {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw this.#wrong();
    if (token.kind === "string") return { kind: "string", value: this.text() };
    this.#at++;
    if (token.kind === "number") return { kind: "number", value: token.value };
    if (token.kind === "mark") {
      if (token.text === "(") {
        const inner = this.expression();
        this.#need(")");
        return inner;
      }
      if (token.text === "{") return { kind: "pair", items: this.#list("}") };
      this.#at--;
      throw this.#wrong();
    }
    if (token.text === "REC") {
      this.#need("->");
      return { kind: "field", name: this.#name() };
    }
    if (this.take("(")) return { kind: "call", name: token.text, args: this.#list(")") };
    // The name of a field as an argument of __get_str() and its like.
    return { kind: "field", name: token.text };
  }

  #list(end: string): FormatNode[] {
    const items: FormatNode[] = [];
    if (this.take(end)) return items;
    for (;;) {
      items.push(this.expression());
      if (this.take(end)) return items;
      this.#need(",");
      // A table may end in a comma.
      if (this.take(end)) return items;
    }
  }

  #name(): string {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "name") throw this.#wrong();
    this.#at++;
    return token.text;
  }

  #need(mark: string): void {
    if (!this.take(mark)) throw this.#wrong();
  }

  #wrong(): UnsupportedError {
    const token = this.#tokens[this.#at];
    const found = token === undefined ? "its end" : token.kind === "number" ? token.value : JSON.stringify(token.text);
    return new UnsupportedError(`print_fmt: ${found} is not understood`);
  }
}
