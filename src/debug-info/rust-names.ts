/**
 * Names of Rust symbols in readable form. Two manglings exist: v0 (RFC 2603, what the kernel is built with) and the legacy one
 * (rust-legacy-names.ts).
 *
 *   _RNvNtCs1234_6kernel5print4call       kernel::print::call
 *
 * v0 is a prefix grammar: a path is C crate, N namespace path name, M and X impl blocks, Y trait methods, I generic arguments, B a
 * reference back to an earlier byte. Hashes and disambiguators are left out. What is no such name is undefined; nothing is guessed.
 */
import { demangleLegacy } from "./rust-legacy-names.ts";

const MAX_DEPTH = 128;
const MAX_OUTPUT = 4096;

const BASIC: Readonly<Record<string, string>> = {
  a: "i8",
  b: "bool",
  c: "char",
  d: "f64",
  e: "str",
  f: "f32",
  h: "u8",
  i: "isize",
  j: "usize",
  l: "i32",
  m: "u32",
  n: "i128",
  o: "u128",
  p: "_",
  s: "i16",
  t: "u16",
  u: "()",
  v: "...",
  x: "i64",
  y: "u64",
  z: "!",
};

/** The readable name of a mangled one; undefined when it is none. */
export function demangleRust(symbol: string): string | undefined {
  if (symbol.startsWith("_R")) {
    try {
      return new Reader(symbol.slice(2)).symbol();
    } catch (error) {
      if (error instanceof NoName) return undefined;
      throw error;
    }
  }
  return symbol.startsWith("_ZN") ? demangleLegacy(symbol) : undefined;
}

/** Replaces every mangled name in a text. */
export function demangleRustIn(text: string): string {
  return text.replace(/\b_(?:R|ZN)[A-Za-z0-9_.$]+/g, (name) => {
    // The linker and the compiler add suffixes such as .llvm.1234 behind the name.
    const dot = name.startsWith("_R") ? name.indexOf(".") : -1;
    const plain = demangleRust(dot < 0 ? name : name.slice(0, dot));
    return plain === undefined ? name : `${plain}${dot < 0 ? "" : name.slice(dot)}`;
  });
}

/** The text is no v0 name, or too large for one. */
class NoName extends Error {}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #written = 0;

  constructor(text: string) {
    this.#text = text;
  }

  symbol(): string {
    if (!/[A-Z]/.test(this.#text[0] ?? "")) throw new NoName();
    const name = this.#path(true);
    // An instantiating crate may follow.
    if (this.#at < this.#text.length && /[A-Z]/.test(this.#peek())) this.#path(false);
    if (this.#at < this.#text.length) throw new NoName();
    return name;
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #next(): string {
    const char = this.#text[this.#at++];
    if (char === undefined) throw new NoName();
    return char;
  }

  #eat(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }

  /** Runs one production, bounded in depth and in what it writes. */
  #bounded(read: () => string): string {
    if (++this.#depth > MAX_DEPTH) throw new NoName();
    const text = read();
    this.#depth--;
    this.#written += text.length;
    if (this.#written > MAX_OUTPUT * MAX_DEPTH || text.length > MAX_OUTPUT) throw new NoName();
    return text;
  }

  /** "_" is 0, otherwise digits, then "_": one more than their value. */
  #base62(): number {
    if (this.#eat("_")) return 0;
    let value = 0;
    for (let char = this.#next(); char !== "_"; char = this.#next()) {
      const digit = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(char);
      // Crate hashes are 64 bits; they are left out, so that what a double loses does not matter.
      if (digit < 0 || value > 2 ** 64) throw new NoName();
      value = value * 62 + digit;
    }
    return value + 1;
  }

  /** A reference back to a byte behind "_R"; it always points before itself. */
  #backReference(read: () => string): string {
    const here = this.#at - 1;
    const target = this.#base62();
    if (target >= here) throw new NoName();
    const resume = this.#at;
    this.#at = target;
    const text = read();
    this.#at = resume;
    return text;
  }

  #identifier(): { readonly name: string; readonly disambiguator: number } {
    const disambiguator = this.#eat("s") ? this.#base62() + 1 : 0;
    return { name: this.#undisambiguated(), disambiguator };
  }

  #undisambiguated(): string {
    const punycode = this.#eat("u");
    const digits = /^(?:0|[1-9]\d{0,4})/.exec(this.#text.slice(this.#at, this.#at + 6))?.[0];
    if (digits === undefined) throw new NoName();
    this.#at += digits.length;
    this.#eat("_");
    const end = this.#at + Number(digits);
    if (end > this.#text.length) throw new NoName();
    const name = this.#text.slice(this.#at, end);
    this.#at = end;
    return punycode ? `punycode{${name}}` : name;
  }

  #path(inValue: boolean): string {
    return this.#bounded(() => {
      switch (this.#next()) {
        case "C":
          return this.#identifier().name;
        case "M":
          this.#implPath();
          return `<${this.#type()}>`;
        case "X": {
          this.#implPath();
          const self = this.#type();
          return `<${self} as ${this.#path(false)}>`;
        }
        case "Y": {
          const self = this.#type();
          return `<${self} as ${this.#path(false)}>`;
        }
        case "N":
          return this.#nested(inValue);
        case "I": {
          const base = this.#path(inValue);
          const args = this.#listTo(() => this.#genericArgument());
          return `${base}${inValue ? "::" : ""}<${args.join(", ")}>`;
        }
        case "B":
          return this.#backReference(() => this.#path(inValue));
        default:
          throw new NoName();
      }
    });
  }

  #implPath(): void {
    if (this.#eat("s")) this.#base62();
    this.#path(false);
  }

  #nested(inValue: boolean): string {
    const space = this.#next();
    if (!/[A-Za-z]/.test(space)) throw new NoName();
    const outer = this.#path(inValue);
    const { name, disambiguator } = this.#identifier();
    if (/[a-z]/.test(space)) return name === "" ? outer : `${outer}::${name}`;
    const kind = space === "C" ? "closure" : space === "S" ? "shim" : space;
    return `${outer}::{${kind}${name === "" ? "" : `:${name}`}#${disambiguator}}`;
  }

  #listTo(read: () => string): string[] {
    const items: string[] = [];
    while (!this.#eat("E")) items.push(read());
    return items;
  }

  #genericArgument(): string {
    if (this.#eat("L")) return this.#lifetime();
    return this.#eat("K") ? this.#constant() : this.#type();
  }

  #lifetime(): string {
    return this.#base62() === 0 ? "'_" : "'a";
  }

  #type(): string {
    return this.#bounded(() => {
      const char = this.#next();
      const basic = Object.hasOwn(BASIC, char) ? BASIC[char] : undefined;
      if (basic !== undefined) return basic;
      switch (char) {
        case "A": {
          const element = this.#type();
          return `[${element}; ${this.#constant()}]`;
        }
        case "S":
          return `[${this.#type()}]`;
        case "T": {
          const items = this.#listTo(() => this.#type());
          return `(${items.join(", ")}${items.length === 1 ? "," : ""})`;
        }
        case "R":
        case "Q": {
          if (this.#eat("L")) this.#base62();
          return `&${char === "Q" ? "mut " : ""}${this.#type()}`;
        }
        case "P":
          return `*const ${this.#type()}`;
        case "O":
          return `*mut ${this.#type()}`;
        case "F":
          return this.#functionType();
        case "D":
          return this.#dynType();
        case "B":
          return this.#backReference(() => this.#type());
        default:
          this.#at--;
          return this.#path(false);
      }
    });
  }

  #functionType(): string {
    if (this.#eat("G")) this.#base62();
    const unsafe = this.#eat("U") ? "unsafe " : "";
    let abi = "";
    if (this.#eat("K")) abi = `extern "${this.#eat("C") ? "C" : this.#undisambiguated().replaceAll("_", "-")}" `;
    const parameters = this.#listTo(() => this.#type());
    const result = this.#type();
    return `${unsafe}${abi}fn(${parameters.join(", ")})${result === "()" ? "" : ` -> ${result}`}`;
  }

  #dynType(): string {
    if (this.#eat("G")) this.#base62();
    const traits = this.#listTo(() => {
      const trait = this.#path(false);
      const bindings: string[] = [];
      while (this.#eat("p")) bindings.push(`${this.#undisambiguated()} = ${this.#type()}`);
      if (bindings.length === 0) return trait;
      return trait.endsWith(">") ? `${trait.slice(0, -1)}, ${bindings.join(", ")}>` : `${trait}<${bindings.join(", ")}>`;
    });
    if (!this.#eat("L")) throw new NoName();
    this.#base62();
    return `dyn ${traits.join(" + ")}`;
  }

  #constant(): string {
    return this.#bounded(() => {
      if (this.#eat("B")) return this.#backReference(() => this.#constant());
      if (this.#eat("p")) return "_";
      const type = this.#next();
      if (!/[abchijlmnostxy]/.test(type)) throw new NoName();
      const sign = this.#eat("n") ? "-" : "";
      let digits = "";
      for (let char = this.#next(); char !== "_"; char = this.#next()) {
        if (!/[0-9a-f]/.test(char) || digits.length >= 32) throw new NoName();
        digits += char;
      }
      const value = BigInt(`0x${digits === "" ? "0" : digits}`);
      if (type === "b") return value === 1n ? "true" : "false";
      if (type === "c") return value <= 0x10ffffn ? `'\\u{${value.toString(16)}}'` : "_";
      return `${sign}${value}`;
    });
  }
}
