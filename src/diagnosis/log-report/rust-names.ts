/**
 * Rust symbols in readable form: v0 mangling (RFC 2603, "_R…"), as far as the kernel's functions use it: paths, inherent and trait
 * impls, generic arguments, back references. What is not understood stays mangled.
 *
 *   _RNvMs3_NtCs…_11rust_binder7processNtB5_7Process10update_ref ─► <rust_binder::process::Process>::update_ref
 */

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
  s: "i16",
  t: "u16",
  u: "()",
  v: "...",
  x: "i64",
  y: "u64",
  z: "!",
  p: "_",
};

class Mangled {
  readonly #text: string;
  #at = 0;
  /** Steps taken: back references could make a short name endless. */
  #steps = 0;

  constructor(text: string) {
    this.#text = text;
  }

  path(): string {
    if (++this.#steps > 400) throw new RangeError("too deep");
    const tag = this.#next();
    switch (tag) {
      case "C":
        this.#disambiguator();
        return this.#identifier();
      case "N": {
        const space = this.#next();
        const parent = this.path();
        this.#disambiguator();
        const name = this.#identifier();
        if (space === "C") return `${parent}::{closure${name === "" ? "" : `:${name}`}}`;
        return name === "" ? parent : `${parent}::${name}`;
      }
      case "M": {
        this.#disambiguator();
        this.path();
        return `<${this.type()}>`;
      }
      case "X": {
        this.#disambiguator();
        this.path();
        const self = this.type();
        return `<${self} as ${this.path()}>`;
      }
      case "Y": {
        const self = this.type();
        return `<${self} as ${this.path()}>`;
      }
      case "I": {
        const base = this.path();
        const list: string[] = [];
        while (this.#peek() !== "E" && this.#peek() !== "") list.push(this.#argument());
        this.#next();
        return `${base}<${list.join(", ")}>`;
      }
      case "B":
        return this.#back(() => this.path());
      default:
        throw new RangeError("no path");
    }
  }

  type(): string {
    if (++this.#steps > 400) throw new RangeError("too deep");
    const tag = this.#peek();
    const basic = BASIC[tag];
    if (basic !== undefined) {
      this.#next();
      return basic;
    }
    if (tag === "R" || tag === "Q") {
      this.#next();
      if (this.#peek() === "L") this.#argument();
      return `&${tag === "Q" ? "mut " : ""}${this.type()}`;
    }
    if (tag === "P" || tag === "O") {
      this.#next();
      return `*${tag === "O" ? "mut" : "const"} ${this.type()}`;
    }
    if (tag === "S") {
      this.#next();
      return `[${this.type()}]`;
    }
    if (tag === "T") {
      this.#next();
      const list: string[] = [];
      while (this.#peek() !== "E" && this.#peek() !== "") list.push(this.type());
      this.#next();
      return `(${list.join(", ")})`;
    }
    if (tag === "B") {
      this.#next();
      return this.#back(() => this.type());
    }
    return this.path();
  }

  #argument(): string {
    if (this.#peek() === "L") {
      this.#next();
      this.#number();
      return "'_";
    }
    if (this.#peek() === "K") throw new RangeError("constants are not read");
    return this.type();
  }

  #back<T>(read: () => T): T {
    const to = this.#number();
    const saved = this.#at;
    if (to >= saved) throw new RangeError("reference forward");
    this.#at = to;
    const value = read();
    this.#at = saved;
    return value;
  }

  #disambiguator(): void {
    if (this.#peek() !== "s") return;
    this.#next();
    this.#number();
  }

  /** Base 62, ended by "_"; "_" alone is 0. */
  #number(): number {
    let value = 0;
    let digits = 0;
    for (let char = this.#next(); char !== "_"; char = this.#next(), digits++) {
      const digit = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(char);
      if (char === "" || digit < 0 || digits > 20) throw new RangeError("no number");
      value = value * 62 + digit;
    }
    return digits === 0 ? 0 : value + 1;
  }

  #identifier(): string {
    const digits = /^u?(\d+)/.exec(this.#text.slice(this.#at));
    if (digits === null) throw new RangeError("no identifier");
    this.#at += digits[0].length;
    if (this.#peek() === "_") this.#at++;
    const name = this.#text.slice(this.#at, this.#at + Number(digits[1]));
    this.#at += Number(digits[1]);
    return name;
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #next(): string {
    return this.#text[this.#at++] ?? "";
  }
}

/** The readable name of a Rust function; any other name as it is. */
export function rustName(name: string): string {
  if (!name.startsWith("_R") || name.length > 1000) return name;
  try {
    return new Mangled(name.slice(2)).path();
  } catch (error) {
    if (error instanceof RangeError) return name;
    throw error;
  }
}
