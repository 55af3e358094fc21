/**
 * Pratt parser for C expressions: a table of binding powers, one function for what starts an expression and one for what continues it.
 *
 *   comma < = < ?: < || < && < | < ^ < & < == != < < > <= >= < << >> < @ < + - < * / % < unary, cast, sizeof < -> . []
 *
 * Beyond C, as gdb has it: `a@n` is "n of them, from a on", `a[2..5]` a slice (both ends included), `{type} address` the object there,
 * `'fs/read_write.c'::name` and `function::name` a static variable, `$name` a register or a convenience variable (the only thing that may
 * be assigned). `offsetof`, `container_of`, `typeof` and the per-CPU accessors are the kernel's own words. Calls are recognised and
 * refused: the kernel is dead.
 */
import { BASE_WORDS } from "../../debug-info/c-base-types.ts";
import type { Token } from "./lexer.ts";
import type { Expression, PathStep, PerCpuAccessor, TypeName } from "./syntax-tree.ts";
import { TokenCursor } from "./token-cursor.ts";

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
const ASSIGNMENT = 2;
const CONDITIONAL = 3;
const UNARY = 15;
const POSTFIX = 16;
const MAX_DEPTH = 200;
/** Each operator may make the tree one level deeper (1+1+1…), and evaluating walks it recursively. */
const MAX_OPERATORS = 1000;

const TYPEOF = new Set(["typeof", "__typeof__", "__typeof"]);
const TYPE_WORDS = new Set(["struct", "union", "enum", "const", "volatile", ...BASE_WORDS, ...TYPEOF]);
/** Words of the kernel that look like calls. */
const ACCESSORS: Readonly<Record<string, PerCpuAccessor>> = { per_cpu: "per_cpu", per_cpu_ptr: "per_cpu_ptr" };

/** Syntax tree of an expression. Throws UsageError with the column. */
export function parseExpression(text: string, names: NameClasses): Expression {
  return new Parser(text, names).whole();
}

class Parser extends TokenCursor {
  readonly #names: NameClasses;
  #depth = 0;
  #operators = 0;

  constructor(text: string, names: NameClasses) {
    super(text);
    this.#names = names;
  }

  whole(): Expression {
    if (this.peek().kind === "end") throw this.error("an expression is missing");
    const expression = this.#expression(0);
    if (this.peek().kind !== "end") throw this.error(`"${this.peek().text}" is not expected here`);
    return expression;
  }

  #expression(power: number): Expression {
    if (++this.#depth > MAX_DEPTH) throw this.error("nested too deeply");
    let left = this.#prefix();
    for (;;) {
      const token = this.peek();
      if (token.kind !== "operator") break;
      if (++this.#operators > MAX_OPERATORS) throw this.error(`more than ${MAX_OPERATORS} operators`);
      const postfix = this.#postfix(left, token, power);
      if (postfix !== undefined) {
        left = postfix;
        continue;
      }
      if (token.text === "=" && ASSIGNMENT >= power) {
        left = this.#assignment(left, token);
        continue;
      }
      if (token.text === "?" && CONDITIONAL >= power) {
        this.next++;
        const yes = this.#expression(0);
        this.expect(":");
        left = { kind: "conditional", at: token.at, test: left, yes, no: this.#expression(CONDITIONAL) };
        continue;
      }
      const strength = BINARY[token.text];
      if (strength === undefined || strength < power) break;
      this.next++;
      left = { kind: "binary", at: token.at, operator: token.text, left, right: this.#expression(strength + 1) };
    }
    this.#depth--;
    return left;
  }

  /** `$name = value`; the dead kernel's own variables stay as they are. */
  #assignment(left: Expression, token: Token): Expression {
    if (left.kind !== "name" || !left.name.startsWith("$"))
      throw this.error("a dump cannot be changed: only a convenience variable ($name) can be set");
    this.next++;
    return { kind: "assign", at: token.at, name: left.name, value: this.#expression(ASSIGNMENT) };
  }

  #postfix(base: Expression, token: Token, power: number): Expression | undefined {
    if (POSTFIX < power) return undefined;
    switch (token.text) {
      case ".":
      case "->": {
        this.next++;
        const name = this.take();
        // Digits after a dot belong to a compiler-made symbol: __already_done.16
        if (name.kind !== "name" && !(name.kind === "number" && token.text === "."))
          throw this.errorAt(name.at, "a member's name is expected");
        return { kind: "member", at: name.at, base, name: name.text };
      }
      case "[": {
        this.next++;
        const index = this.#expression(0);
        if (this.accept("..")) {
          const last = this.#expression(0);
          this.expect("]");
          return { kind: "slice", at: token.at, base, first: index, last };
        }
        this.expect("]");
        return { kind: "index", at: token.at, base, index };
      }
      case "::": {
        if (base.kind !== "name") throw this.error("a function's name or a 'file' is expected before \"::\"");
        this.next++;
        return { kind: "static", at: base.at, within: { function: base.name }, name: this.name("a variable's name") };
      }
      case "(":
        throw this.error("functions of a dead kernel cannot be called");
      default:
        return undefined;
    }
  }

  #prefix(): Expression {
    const token = this.take();
    const { at } = token;
    switch (token.kind) {
      case "number":
        return { kind: "number", at, value: token.value, decimal: token.decimal, unsigned: token.unsigned, long: token.long };
      case "float":
        return { kind: "float", at, value: token.value, single: token.single };
      case "character":
        return { kind: "character", at, value: token.value };
      case "string":
        return { kind: "string", at, content: token.content };
      case "file":
        this.expect("::");
        return { kind: "static", at, within: { file: token.content }, name: this.name("a variable's name") };
      case "history":
        return { kind: "history", at, text: token.text };
      case "name":
        return this.#named(token.text, at);
      case "operator":
        return this.#prefixOperator(token.text, at);
      default:
        throw this.error("a value is expected");
    }
  }

  #named(name: string, at: number): Expression {
    if (name === "sizeof") return this.#sizeof(at);
    if (TYPE_WORDS.has(name)) throw this.errorAt(at, "a type is no value; whatis and ptype show types");
    if (!this.is("(")) return { kind: "name", at, name };
    const accessor = Object.hasOwn(ACCESSORS, name) ? ACCESSORS[name] : undefined;
    if (name === "offsetof" || name === "__builtin_offsetof") {
      this.next++;
      return { kind: "offsetof", at, ...this.#typeAndPath() };
    }
    if (name === "container_of" || name === "list_entry" || name === "rb_entry") {
      this.next++;
      const pointer = this.#expression(ASSIGNMENT);
      this.expect(",");
      return { kind: "containerOf", at, pointer, ...this.#typeAndPath() };
    }
    if (accessor !== undefined) {
      this.next++;
      const variable = this.#expression(ASSIGNMENT);
      this.expect(",");
      const cpu = this.#expression(ASSIGNMENT);
      this.expect(")");
      return { kind: "perCpu", at, accessor, variable, cpu };
    }
    return { kind: "name", at, name };
  }

  /** `struct task_struct, se.avg)`: what offsetof and container_of end with. */
  #typeAndPath(): { readonly type: TypeName; readonly path: readonly PathStep[] } {
    const type = this.#typeName(",");
    const path = this.#path();
    this.expect(")");
    return { type, path };
  }

  /** `a.b[2].c` of offsetof. */
  #path(): readonly PathStep[] {
    const start = this.peek().at;
    const path: PathStep[] = [{ at: start, member: this.name("a member's name") }];
    for (;;) {
      const { at } = this.peek();
      if (path.length > MAX_DEPTH) throw this.error("too many members");
      if (this.accept(".")) path.push({ at: this.peek().at, member: this.name("a member's name") });
      else if (this.accept("[")) {
        path.push({ at, index: this.#expression(0) });
        this.expect("]");
      } else return path;
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
          const type = this.#typeName(")");
          return { kind: "cast", at, type, operand: this.#expression(UNARY) };
        }
        const inner = this.#expression(0);
        this.expect(")");
        return inner;
      }
      case "{": {
        // gdb's {type} address: the object of that type at the address.
        const type = this.#typeName("}");
        const address: Expression = { kind: "cast", at, type: { ...type, text: `${type.text} *` }, operand: this.#expression(UNARY) };
        return { kind: "unary", at, operator: "*", operand: address };
      }
      default:
        throw this.errorAt(at, `"${operator}" is not expected here`);
    }
  }

  #sizeof(at: number): Expression {
    if (this.is("(")) {
      this.next++;
      if (this.#startsType()) return { kind: "sizeofType", at, type: this.#typeName(")") };
      this.next--;
    }
    return { kind: "sizeof", at, operand: this.#expression(UNARY) };
  }

  /** True when the words from here on spell a type: a type keyword, or a typedef followed by `*`, `)` or `[`. */
  #startsType(): boolean {
    const token = this.peek();
    if (token.kind !== "name") return false;
    if (TYPE_WORDS.has(token.text)) return true;
    const after = this.tokens[this.next + 1];
    return after?.kind === "operator" && "*)[}(".includes(after.text) && this.#names.isTypeName(token.text);
  }

  /** A type up to the closing bracket that matches the one already taken, or up to a comma. */
  #typeName(close: ")" | "}" | ","): TypeName {
    const { at, text, kind } = this.peek();
    if (kind !== "name" || !TYPEOF.has(text)) return { at, text: this.textUpTo(close) };
    this.next++;
    this.expect("(");
    if (this.#startsType()) {
      const inner = this.#typeName(")");
      const rest = this.textUpTo(close);
      return { ...inner, text: `${inner.text} ${rest}`.trim() };
    }
    const of = this.#expression(0);
    this.expect(")");
    return { at, of, text: this.textUpTo(close) };
  }
}
