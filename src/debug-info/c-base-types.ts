/**
 * C's base types and their spellings. Compilers name them each in one way ("long unsigned int" of gcc, "unsigned long" of clang), people
 * write them in any order ("unsigned long int").
 */
import type { CType, FloatType, IntType, TypeSource } from "./c-type.ts";

interface Base {
  /** As gdb prints it; also clang's name. */
  readonly canonical: string;
  readonly size: number;
  readonly signed: boolean;
  readonly encoding: IntType["encoding"] | "float";
  /** Other names in debug information. */
  readonly names: readonly string[];
}

/** Sizes of LP64, which both architectures use. */
const BASES: readonly Base[] = [
  // Plain char is unsigned on arm64 by the ABI, and signed or unsigned by a kernel option (-funsigned-char since 6.2): the source decides.
  { canonical: "char", size: 1, signed: true, encoding: "char", names: [] },
  { canonical: "signed char", size: 1, signed: true, encoding: "char", names: [] },
  { canonical: "unsigned char", size: 1, signed: false, encoding: "char", names: [] },
  { canonical: "short", size: 2, signed: true, encoding: "int", names: ["short int"] },
  { canonical: "unsigned short", size: 2, signed: false, encoding: "int", names: ["short unsigned int", "unsigned short int"] },
  { canonical: "int", size: 4, signed: true, encoding: "int", names: [] },
  { canonical: "unsigned int", size: 4, signed: false, encoding: "int", names: [] },
  { canonical: "long", size: 8, signed: true, encoding: "int", names: ["long int"] },
  { canonical: "unsigned long", size: 8, signed: false, encoding: "int", names: ["long unsigned int", "unsigned long int"] },
  { canonical: "long long", size: 8, signed: true, encoding: "int", names: ["long long int"] },
  { canonical: "unsigned long long", size: 8, signed: false, encoding: "int", names: ["long long unsigned int", "unsigned long long int"] },
  { canonical: "__int128", size: 16, signed: true, encoding: "int", names: [] },
  { canonical: "unsigned __int128", size: 16, signed: false, encoding: "int", names: ["__int128 unsigned"] },
  { canonical: "_Bool", size: 1, signed: false, encoding: "bool", names: ["bool"] },
  { canonical: "float", size: 4, signed: true, encoding: "float", names: [] },
  { canonical: "double", size: 8, signed: true, encoding: "float", names: [] },
];

const CANONICAL = new Map(BASES.flatMap((base) => [base.canonical, ...base.names].map((name) => [name, base.canonical] as const)));

/** Fixed-width names of the kernel, for dumps without type information. */
const FIXED: Readonly<Record<string, string>> = {
  u8: "unsigned char",
  u16: "unsigned short",
  u32: "unsigned int",
  u64: "unsigned long long",
  s8: "signed char",
  s16: "short",
  s32: "int",
  s64: "long long",
  size_t: "unsigned long",
  uintptr_t: "unsigned long",
  bool: "_Bool",
};

/** Words that together spell a base type. */
export const BASE_WORDS: ReadonlySet<string> = new Set([
  "void",
  "char",
  "short",
  "int",
  "long",
  "float",
  "double",
  "signed",
  "unsigned",
  "_Bool",
  "__int128",
]);

/** The name gdb prints for a base type: "unsigned long" for gcc's "long unsigned int". Others stay as they are. */
export function canonicalBaseName(name: string): string {
  return CANONICAL.get(name) ?? name;
}

/** The canonical name that these words spell, in any order; undefined when they spell none. */
export function spellBase(words: readonly string[]): string | undefined {
  const count = (word: string) => words.filter((one) => one === word).length;
  const sign = count("unsigned") > 0 ? "unsigned" : count("signed") > 0 ? "signed" : "";
  if (count("unsigned") + count("signed") > 1) return undefined;
  const rest = words.filter((word) => word !== "unsigned" && word !== "signed" && word !== "int");
  if (count("int") > 1 || (count("int") > 0 && rest.some((word) => word !== "long" && word !== "short"))) return undefined;
  const size = rest.join(" ");
  switch (size) {
    case "":
      return sign === "unsigned" ? "unsigned int" : "int";
    case "short":
    case "long":
    case "long long":
    case "__int128":
      return sign === "unsigned" ? `unsigned ${size}` : size;
    case "char":
      return sign === "" ? "char" : `${sign} char`;
    case "void":
    case "_Bool":
    case "float":
    case "double":
      return sign === "" && count("int") === 0 ? size : undefined;
    default:
      return undefined;
  }
}

/** The base type of a canonical name: that of the first source that has it under any of its names, else one made up for LP64. */
export function baseType(canonical: string, sources: readonly TypeSource[]): CType | undefined {
  if (canonical === "void") return { kind: "void" };
  const base = BASES.find((one) => one.canonical === canonical);
  if (base === undefined) return undefined;
  for (const source of sources) {
    for (const name of [base.canonical, ...base.names]) {
      const found = source.find("base", name);
      if (found !== undefined) return found;
    }
  }
  if (base.encoding === "float") return { kind: "float", name: canonical, size: base.size } satisfies FloatType;
  return { kind: "int", name: canonical, size: base.size, signed: base.signed, encoding: base.encoding } satisfies IntType;
}

/** u8, s64, size_t … when no source defines them. */
export function fixedWidthType(name: string, sources: readonly TypeSource[]): CType | undefined {
  const canonical = Object.hasOwn(FIXED, name) ? FIXED[name] : undefined;
  const target = canonical === undefined ? undefined : baseType(canonical, sources);
  return target === undefined ? undefined : { kind: "typedef", name, target };
}
