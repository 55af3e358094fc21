/**
 * Pratt parser for C expressions: a table of binding powers, one function for what starts an expression and one for what continues it.
 *
 *   comma < ?: < || < && < | < ^ < & < == != < < > <= >= < << >> < @ < + - < * / % < unary, cast, sizeof < -> . []
 *
 * `a@n` is gdb's "n of them, from a on". Assignment and calls are recognised and refused: the kernel is dead.
 */
import { BASE_WORDS } from "../../debug-info/c-base-types.ts";
import { errorAt, type Token, tokenize } from "./lexer.ts";

export type Expression = { readonly at: number } & (
  | { readonly kind: "number"; readonly value: bigint; readonly decimal: boolean; readonly unsigned: boolean; readonly long: boolean }
  | { readonly kind: "character"; readonly value: bigint }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "history"; readonly text: string }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "conditional"; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly kind: "member"; readonly base: Expression; readonly name: string }
  | { readonly kind: "index"; readonly base: Expression; readonly index: Expression }
  | { readonly kind: "cast"; readonly type: string; readonly operand: Expression }
  | { readonly kind: "sizeofType"; readonly type: string }
  | { readonly kind: "sizeof"; readonly operand: Expression }
);

export type UnaryOperator = "-" | "+" | "!" | "~" | "*" | "&";

/** What the parser must ask about names to tell a cast from parentheses. */
export interface NameClasses {
  /** True when the word names a typedef and no variable. */
  isTypeName(name: string): boolean;
}

const BINARY: Readonly<Record<string, number>> = {
  ",": 1,
  "||": 4,
  "&&": 5,
  "|": 6,
  "^": 7,
  "&": 8,
  "==": 9,
  "!=": 9,
  "<": 10,
  ">": 10,
  "<=": 10,
  ">=": 10,
  "<<": 11,
  ">>": 11,
  "@": 12,
  "+": 13,
  "-": 13,
  "*": 14,
  "/": 14,
  "%": 14,
};
const CONDITIONAL = 3;
const UNARY = 15;
const POSTFIX = 16;
const MAX_DEPTH = 200;
/** Each operator may make the tree one level deeper (1+1+1…), and evaluating walks it recursively. */
const MAX_OPERATORS = 1000;

const TYPE_WORDS = new Set(["struct", "union", "enum", "const", "volatile", ...BASE_WORDS]);

/** Syntax tree of an expression. Throws UsageError with the column. */
export function parseExpression(text: string, names: NameClasses): Expression {
  return new Parser(text, names).whole();
}

class Parser {
  readonly #text: string;
  readonly #names: NameClasses;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;
  #operators = 0;

  constructor(text: string, names: NameClasses) {
    this.#text = text;
    this.#names = names;
    this.#tokens = tokenize(text);
  }

  whole(): Expression {
    if (this.#peek().kind === "end") throw this.#error("an expression is missing");
    const expression = this.#expression(0);
    if (this.#peek().kind !== "end") throw this.#error(`"${this.#peek().text}" is not expected here`);
    return expression;
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #take(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#next++;
    return token;
  }

  #is(text: string): boolean {
    return this.#peek().kind === "operator" && this.#peek().text === text;
  }

  #expect(text: string): void {
    if (!this.#is(text)) throw this.#error(`"${text}" is expected`);
    this.#next++;
  }

  #error(what: string): Error {
    return errorAt(this.#text, this.#peek().at, this.#peek().kind === "end" ? `${what}, and the expression ends` : what);
  }

  #expression(power: number): Expression {
    if (++this.#depth > MAX_DEPTH) throw this.#error("nested too deeply");
    let left = this.#prefix();
    for (;;) {
      const token = this.#peek();
      if (token.kind !== "operator") break;
      if (++this.#operators > MAX_OPERATORS) throw this.#error(`more than ${MAX_OPERATORS} operators`);
      const postfix = this.#postfix(left, token, power);
      if (postfix !== undefined) {
        left = postfix;
        continue;
      }
      if (token.text === "=") throw this.#error("a dump cannot be changed: there is no assignment");
      if (token.text === "?" && CONDITIONAL >= power) {
        this.#next++;
        const yes = this.#expression(0);
        this.#expect(":");
        left = { kind: "conditional", at: token.at, test: left, yes, no: this.#expression(CONDITIONAL) };
        continue;
      }
      const strength = BINARY[token.text];
      if (strength === undefined || strength < power) break;
      this.#next++;
      left = { kind: "binary", at: token.at, operator: token.text, left, right: this.#expression(strength + 1) };
    }
    this.#depth--;
    return left;
  }

  #postfix(base: Expression, token: Token, power: number): Expression | undefined {
    if (POSTFIX < power) return undefined;
    switch (token.text) {
      case ".":
      case "->": {
        this.#next++;
        const name = this.#take();
        if (base.kind === "number" && name.kind === "number")
          throw errorAt(this.#text, base.at, "floating-point numbers are not supported");
        // Digits after a dot belong to a compiler-made symbol: __already_done.16
        if (name.kind !== "name" && !(name.kind === "number" && token.text === "."))
          throw errorAt(this.#text, name.at, "a member's name is expected");
        return { kind: "member", at: name.at, base, name: name.text };
      }
      case "[": {
        this.#next++;
        const index = this.#expression(0);
        this.#expect("]");
        return { kind: "index", at: token.at, base, index };
      }
      case "(":
        throw this.#error("functions of a dead kernel cannot be called");
      default:
        return undefined;
    }
  }

  #prefix(): Expression {
    const token = this.#take();
    const { at } = token;
    switch (token.kind) {
      case "number":
        return { kind: "number", at, value: token.value, decimal: token.decimal, unsigned: token.unsigned, long: token.long };
      case "character":
        return { kind: "character", at, value: token.value };
      case "history":
        return { kind: "history", at, text: token.text };
      case "name":
        return token.text === "sizeof" ? this.#sizeof(at) : { kind: "name", at, name: token.text };
      case "operator":
        return this.#prefixOperator(token.text, at);
      default:
        throw this.#error("a value is expected");
    }
  }

  #prefixOperator(operator: string, at: number): Expression {
    switch (operator) {
      case "-":
      case "+":
      case "!":
      case "~":
      case "*":
      case "&":
        return { kind: "unary", at, operator, operand: this.#expression(UNARY) };
      case "(": {
        if (this.#startsType()) {
          const type = this.#typeText(")");
          return { kind: "cast", at, type, operand: this.#expression(UNARY) };
        }
        const inner = this.#expression(0);
        this.#expect(")");
        return inner;
      }
      case "{": {
        // gdb's {type} address: the object of that type at the address.
        const type = this.#typeText("}");
        const address: Expression = { kind: "cast", at, type: `${type} *`, operand: this.#expression(UNARY) };
        return { kind: "unary", at, operator: "*", operand: address };
      }
      default:
        throw errorAt(this.#text, at, `"${operator}" is not expected here`);
    }
  }

  #sizeof(at: number): Expression {
    if (this.#is("(")) {
      this.#next++;
      if (this.#startsType()) return { kind: "sizeofType", at, type: this.#typeText(")") };
      this.#next--;
    }
    return { kind: "sizeof", at, operand: this.#expression(UNARY) };
  }

  /** True when the words from here on spell a type: a type keyword, or a typedef followed by `*`, `)` or `[`. */
  #startsType(): boolean {
    const token = this.#peek();
    if (token.kind !== "name") return false;
    if (TYPE_WORDS.has(token.text)) return true;
    const after = this.#tokens[this.#next + 1];
    return after?.kind === "operator" && "*)[}(".includes(after.text) && this.#names.isTypeName(token.text);
  }

  /** Source text up to the closing bracket that matches the one already taken. */
  #typeText(close: ")" | "}"): string {
    const start = this.#peek().at;
    for (let depth = 0; ; this.#next++) {
      const token = this.#peek();
      if (token.kind === "end") throw this.#error(`"${close}" is expected after the type`);
      if (token.kind !== "operator") continue;
      if (token.text === close && depth === 0) {
        this.#next++;
        return this.#text.slice(start, token.at).trim();
      }
      if ("([{".includes(token.text)) depth++;
      else if (")]}".includes(token.text)) depth--;
    }
  }
}
