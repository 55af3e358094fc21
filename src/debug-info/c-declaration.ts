/**
 * C declarations and type names, resolved against type information. BTF has no globals, so the kernel floor keeps their declarations as
 * C text and matches them with symbols:
 *
 *   struct list_head modules;            { name: "modules", type: struct list_head }
 *   int (*fn)(struct page *, int);       { name: "fn", type: pointer to function }
 *   const char *const [4]                a type name
 *
 * Grammar: ISO C declarations without bitfields and structure bodies. One liberty: a bare structure tag stands for the structure when
 * no typedef has the name, as people type `task_struct *`.
 */
import { LookupError, UsageError } from "../bytes/errors.ts";
import { BASE_WORDS, baseType, fixedWidthType, spellBase } from "./c-base-types.ts";
import type { CType, FunctionType, TypeKey, TypeSource } from "./c-type.ts";

export interface CDeclaration {
  readonly name: string;
  readonly type: CType;
}

const MAX_TEXT = 65536;
const MAX_DEPTH = 64;
/** The kernel's annotations and storage classes say nothing about layout. */
const IGNORED =
  /^(extern|static|inline|register|__user|__percpu|__rcu|__iomem|__force|__kernel|__ro_after_init|__read_mostly|__cacheline_aligned)$/;
const POINTER_SIZE = 8;

/** Parses one declaration; the final semicolon may be missing. Throws UsageError for bad C, LookupError for unknown names. */
export function parseDeclaration(text: string, sources: readonly TypeSource[]): CDeclaration {
  const declarations = parseDeclarations(text, sources);
  const only = declarations[0];
  if (only === undefined || declarations.length > 1) throw new UsageError(`"${text.trim()}": expected one declaration`);
  return only;
}

/** Parses any number of declarations, also several names in one: `struct list_head modules, slab_caches; int panic_timeout;`. */
export function parseDeclarations(text: string, sources: readonly TypeSource[]): readonly CDeclaration[] {
  const parser = new Parser(text, sources);
  const out: CDeclaration[] = [];
  while (!parser.atEnd()) out.push(...parser.declaration());
  return out;
}

/** Parses a type name such as `struct task_struct *` or `unsigned long [4]`. Throws UsageError for bad C, LookupError for unknown names. */
export function parseTypeName(text: string, sources: readonly TypeSource[]): CType {
  const parser = new Parser(text, sources);
  const { name, type } = parser.single();
  if (name !== undefined) parser.fail(`"${name}" is one word too many in a type`);
  return type;
}

type Wrap = (type: CType) => CType;

class Parser {
  readonly #text: string;
  readonly #sources: readonly TypeSource[];
  readonly #tokens: readonly string[];
  #next = 0;
  #depth = 0;

  constructor(text: string, sources: readonly TypeSource[]) {
    if (text.length > MAX_TEXT) throw new UsageError(`a declaration of ${text.length} characters`);
    this.#text = text.trim();
    this.#sources = sources;
    const tokens = this.#text.match(/[A-Za-z_$][\w$]*|\d\w*|\.\.\.|\S/g) ?? [];
    this.#tokens = tokens;
  }

  atEnd(): boolean {
    while (this.#peek() === ";") this.#next++;
    return this.#next >= this.#tokens.length;
  }

  fail(what: string): never {
    throw new UsageError(`"${this.#text}": ${what}`);
  }

  declaration(): CDeclaration[] {
    const base = this.#specifiers();
    const out: CDeclaration[] = [];
    do {
      const { name, wrap } = this.#declarator();
      if (name === undefined) this.fail("a declaration without a name");
      out.push({ name, type: this.#complete(wrap(base)) });
    } while (this.#take(","));
    if (!this.#take(";") && this.#next < this.#tokens.length) this.fail(`unexpected "${this.#peek()}"`);
    return out;
  }

  /** A whole text with one type and perhaps one name. */
  single(): { name: string | undefined; type: CType } {
    const base = this.#specifiers();
    const { name, wrap } = this.#declarator();
    if (this.#next < this.#tokens.length) this.fail(`unexpected "${this.#peek()}"`);
    return { name, type: this.#complete(wrap(base)) };
  }

  #peek(): string | undefined {
    return this.#tokens[this.#next];
  }

  #take(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#next++;
    return true;
  }

  /** `const unsigned long`, `struct foo`, a typedef. */
  #specifiers(): CType {
    const words: string[] = [];
    const qualifiers: ("const" | "volatile")[] = [];
    let type: CType | undefined;
    for (;;) {
      const token = this.#peek();
      if (token === undefined) break;
      if (token === "const" || token === "volatile") qualifiers.push(token);
      else if (IGNORED.test(token)) {
        // Nothing to keep.
      } else if (type === undefined && BASE_WORDS.has(token)) words.push(token);
      else if (type === undefined && words.length === 0 && (token === "struct" || token === "union" || token === "enum")) {
        this.#next++;
        type = this.#tagged(token);
      } else if (type === undefined && words.length === 0 && isName(token)) type = this.#named(token);
      else break;
      this.#next++;
    }
    if (words.length > 0) {
      const canonical = spellBase(words);
      if (canonical === undefined) this.fail(`"${words.join(" ")}" is not a type`);
      type = baseType(canonical, this.#sources);
    }
    if (type === undefined) this.fail(this.#peek() === undefined ? "expected a type" : `expected a type, found "${this.#peek()}"`);
    return qualifiers.reduce<CType>((inner, kind) => ({ kind, target: inner }), type);
  }

  /** The type of `struct NAME`, or a forward declaration, which a pointer may refer to. */
  #tagged(key: "struct" | "union" | "enum"): CType {
    const name = this.#peek();
    if (name === undefined || !isName(name)) this.fail(`expected a name after "${key}"`);
    return this.#find(key, name) ?? { kind: "forward", of: key, name };
  }

  #named(name: string): CType {
    const found =
      this.#find("typedef", name) ??
      fixedWidthType(name, this.#sources) ??
      this.#find("struct", name) ??
      this.#find("union", name) ??
      this.#find("enum", name) ??
      this.#find("base", name);
    if (found === undefined) throw new LookupError(`no type named "${name}"`, this.#nearest(["typedef", "struct", "union"], name));
    return found;
  }

  #find(key: TypeKey, name: string): CType | undefined {
    for (const source of this.#sources) {
      const found = source.find(key, name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #nearest(keys: readonly TypeKey[], name: string): readonly string[] {
    for (let length = name.length - 1; length >= 3; length--) {
      const found = keys.flatMap((key) => this.#sources.flatMap((source) => source.names(key, name.slice(0, length), 5)));
      if (found.length > 0) return [...new Set(found)].slice(0, 5);
    }
    return [];
  }

  /** Pointers, name or parentheses, then arrays and parameters; applied inside out. */
  #declarator(): { name: string | undefined; wrap: Wrap } {
    if (++this.#depth > MAX_DEPTH) this.fail("nested too deeply");
    const pointers: Wrap[] = [];
    for (;;) {
      const token = this.#peek();
      if (token === "*") pointers.push((target) => ({ kind: "pointer", size: POINTER_SIZE, target }));
      else if (token === "const" || token === "volatile" || token === "restrict" || token === "__restrict") {
        const kind = token === "__restrict" ? "restrict" : token;
        pointers.push((target) => ({ kind, target }));
      } else if (token === undefined || !IGNORED.test(token)) break;
      this.#next++;
    }
    let name: string | undefined;
    let inner: Wrap = (type) => type;
    if (this.#peek() === "(" && this.#startsGroup()) {
      this.#next++;
      const group = this.#declarator();
      if (!this.#take(")")) this.fail('expected ")"');
      name = group.name;
      inner = group.wrap;
    } else if (isName(this.#peek() ?? "")) {
      name = this.#peek();
      this.#next++;
    }
    const suffixes = this.#suffixes();
    this.#depth--;
    return {
      name,
      wrap: (base) => {
        const pointed = pointers.reduce((type, wrap) => wrap(type), base);
        return inner(suffixes.reduceRight((type, wrap) => wrap(type), pointed));
      },
    };
  }

  /** Tells `(*name)` from the parameters of a function without a name, `(int, …)`. */
  #startsGroup(): boolean {
    const next = this.#tokens[this.#next + 1];
    if (next === "*" || next === "(" || next === "[") return true;
    if (next === undefined || next === ")" || !isName(next)) return false;
    return (
      !BASE_WORDS.has(next) &&
      !/^(struct|union|enum|const|volatile)$/.test(next) &&
      this.#tokens[this.#next + 2] === ")" &&
      !this.#isTypeName(next)
    );
  }

  #isTypeName(name: string): boolean {
    return this.#find("typedef", name) !== undefined || fixedWidthType(name, []) !== undefined;
  }

  #suffixes(): Wrap[] {
    const out: Wrap[] = [];
    for (;;) {
      if (this.#take("[")) {
        const length = this.#arrayLength();
        out.push((element) => ({ kind: "array", element, length }));
      } else if (this.#take("(")) {
        const { parameters, variadic } = this.#parameters();
        out.push((returns) => ({ kind: "function", returns, parameters, variadic }));
      } else {
        return out;
      }
      if (out.length > MAX_DEPTH) this.fail("nested too deeply");
    }
  }

  #arrayLength(): number {
    if (this.#take("]")) return 0;
    const token = this.#peek() ?? "";
    this.#next++;
    let length: number | undefined;
    if (/^(0x[\da-f]+|\d+)$/i.test(token)) length = Number(token);
    else if (isName(token)) length = this.#constant(token);
    if (length === undefined || !Number.isSafeInteger(length) || length < 0) this.fail(`"${token}" is not a length`);
    if (!this.#take("]")) this.fail('expected "]"');
    return length;
  }

  #constant(name: string): number | undefined {
    for (const source of this.#sources) {
      const found = source.constant(name);
      if (found !== undefined) return Number(found.value);
    }
    return undefined;
  }

  #parameters(): Pick<FunctionType, "parameters" | "variadic"> {
    const parameters: { name: string | undefined; type: CType }[] = [];
    if (this.#take(")")) return { parameters, variadic: false };
    if (this.#peek() === "void" && this.#tokens[this.#next + 1] === ")") {
      this.#next += 2;
      return { parameters, variadic: false };
    }
    for (;;) {
      if (this.#take("...")) {
        if (!this.#take(")")) this.fail('expected ")" after "..."');
        return { parameters, variadic: true };
      }
      const base = this.#specifiers();
      const { name, wrap } = this.#declarator();
      parameters.push({ name, type: wrap(base) });
      if (this.#take(")")) return { parameters, variadic: false };
      if (!this.#take(",")) this.fail('expected "," or ")"');
    }
  }

  /** Refuses an object of a structure that no source defines. */
  #complete(type: CType): CType {
    let here = type;
    for (let depth = 0; depth < 4 * MAX_DEPTH; depth++) {
      if (here.kind === "array") here = here.element;
      else if (here.kind === "const" || here.kind === "volatile" || here.kind === "restrict" || here.kind === "tag") here = here.target;
      else break;
    }
    if (here.kind === "forward") throw new LookupError(`no ${here.of} named "${here.name}"`, this.#nearest([here.of], here.name));
    return type;
  }
}

function isName(token: string): boolean {
  return /^[A-Za-z_$]/.test(token);
}
