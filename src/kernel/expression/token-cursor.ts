/** A place among the tokens of an expression: looking at the next one, taking it, and errors that point at it. */
import { errorAt, type Token, tokenize } from "./lexer.ts";

/** Stands before a token; what a parser is built on. */
export class TokenCursor {
  protected readonly text: string;
  protected readonly tokens: readonly Token[];
  /** Number of the next token. */
  protected next = 0;

  constructor(text: string) {
    this.text = text;
    this.tokens = tokenize(text);
  }

  /** The next token, which stays; the last one is of kind "end". */
  protected peek(): Token {
    return this.tokens[this.next] as Token;
  }

  /** The next token; the end is never passed. */
  protected take(): Token {
    const token = this.peek();
    if (token.kind !== "end") this.next++;
    return token;
  }

  /** Is the next token this operator? */
  protected is(text: string): boolean {
    return this.peek().kind === "operator" && this.peek().text === text;
  }

  /** Takes this operator when it is next. */
  protected accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.next++;
    return true;
  }

  protected expect(text: string): void {
    if (!this.accept(text)) throw this.error(`"${text}" is expected`);
  }

  /** An error at the next token. */
  protected error(what: string): Error {
    return this.errorAt(this.peek().at, this.peek().kind === "end" ? `${what}, and the expression ends` : what);
  }

  protected errorAt(at: number, what: string): Error {
    return errorAt(this.text, at, what);
  }

  /** Takes a name. @param what what the error says is expected */
  protected name(what: string): string {
    const token = this.take();
    if (token.kind !== "name") throw this.errorAt(token.at, `${what} is expected`);
    return token.text;
  }

  /** Source text up to the closing bracket that matches the one already taken. */
  protected textUpTo(close: ")" | "}" | ","): string {
    const start = this.peek().at;
    for (let depth = 0; ; this.next++) {
      const token = this.peek();
      if (token.kind === "end") throw this.error(`"${close}" is expected after the type`);
      if (token.kind !== "operator") continue;
      if (token.text === close && depth === 0) {
        this.next++;
        return this.text.slice(start, token.at).trim();
      }
      if ("([{".includes(token.text)) depth++;
      else if (")]}".includes(token.text)) depth--;
    }
  }
}
