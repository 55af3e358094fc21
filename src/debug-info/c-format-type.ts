/**
 * C types as C text, the way gdb's `whatis` and `ptype` and crash's `struct` print them.
 *
 *   declare(type, "fn")       int (*fn)(struct page *, int)
 *   printDefinition(type)     struct foo {                          with offsets, as `struct -o`:   struct foo {
 *                                 unsigned long flags;                                                 [0] unsigned long flags;
 *                                 union {                                                                  union {
 *                                     u32 a : 3;                                                       [8]     u32 a : 3;
 *                                 };                                                                       };
 *                             }                                                                        }
 */
import { hex16 } from "../bytes/address.ts";
import { canonicalBaseName } from "./c-base-types.ts";
import type { CType, EnumType, Member, StructType } from "./c-type.ts";

/** Declarators and structures inside each other; C code has at most a dozen. */
const MAX_DEPTH = 64;
/** Lines of one definition; task_struct has 400. */
const MAX_LINES = 20_000;

export interface DefinitionOptions {
  /** Puts `[offset]` before each member, as crash's `struct -o`. */
  readonly offsets?: boolean;
  /** With `offsets`: the address of an object; the brackets then hold the members' addresses. */
  readonly address?: bigint;
  /** Radix of the offsets; 10 unless told. */
  readonly radix?: 10 | 16;
}

/** Columns of the brackets: crash leaves two blanks and room for the structure's size. */
interface MemberLayout extends DefinitionOptions {
  readonly width: number;
}

interface Style {
  /** Text for the type that a declarator ends at. */
  readonly base: (type: CType) => string;
  /** Between the brackets of an array without length. */
  readonly zero: "" | "0";
}

const PLAIN: Style = { base: specifier, zero: "" };

/** A declaration of `name` with this type, without semicolon; with an empty name the type's own spelling. */
export function declare(type: CType, name = ""): string {
  return declareWith(type, name, PLAIN, 0);
}

/** The definition of a structure, union or enum, line by line; for other types one line with their spelling. */
export function printDefinition(type: CType, options: DefinitionOptions = {}): readonly string[] {
  if (type.kind === "enum") return [enumText(type)];
  if (type.kind !== "struct" && type.kind !== "union") return [declare(type)];
  const lines = [`${specifier(type)} {`.replace(" {...}", "")];
  const width = options.address === undefined ? bracketed(type.size, options).length + 2 : 20;
  printMembers(type, 1, 0, { ...options, width }, lines);
  lines.push("}");
  return lines;
}

/** `struct foo`, `unsigned long`, `struct {...}`: what stands before a declarator. */
function specifier(type: CType): string {
  switch (type.kind) {
    case "void":
      return "void";
    case "int":
    case "float":
      return canonicalBaseName(type.name);
    case "typedef":
      return type.name;
    case "struct":
    case "union":
    case "enum":
      return type.name === undefined ? `${type.kind} {...}` : `${type.kind} ${type.name}`;
    case "forward":
      return `${type.of} ${type.name}`;
    default:
      return "";
  }
}

/** Only here can the constants of an enum without name be seen. */
function memberSpecifier(type: CType): string {
  return type.kind === "enum" && type.name === undefined ? enumText(type) : specifier(type);
}

function declareWith(type: CType, inner: string, style: Style, depth: number): string {
  if (depth > MAX_DEPTH) return `... ${inner}`;
  switch (type.kind) {
    case "pointer": {
      const target = untag(type.target);
      // A pointer binds weaker than brackets and parameters.
      const grouped = target.kind === "array" || target.kind === "function" ? `(*${inner})` : `*${inner}`;
      return declareWith(target, grouped, style, depth + 1);
    }
    case "array":
      return declareWith(type.element, `${inner}[${type.length === 0 ? style.zero : type.length}]`, style, depth + 1);
    case "function": {
      const parameters = type.parameters.map((one) => declareWith(one.type, "", PLAIN, depth + 1));
      if (type.variadic) parameters.push("...");
      const none = type.prototyped === false ? "" : "void";
      return declareWith(type.returns, `${inner}(${parameters.length === 0 ? none : parameters.join(", ")})`, style, depth + 1);
    }
    case "tag":
      return declareWith(type.target, inner, style, depth + 1);
    case "const":
    case "volatile":
    case "restrict": {
      const target = untag(type.target);
      if (target.kind === "pointer" || target.kind === "const" || target.kind === "volatile" || target.kind === "restrict") {
        const after = endsInPointer(target);
        if (after) return declareWith(target, inner === "" ? ` ${type.kind}` : ` ${type.kind} ${inner}`, style, depth + 1);
      }
      // The elements of a constant array are constant in DWARF and BTF both.
      const text = declareWith(target, inner, style, depth + 1);
      return text.startsWith(`${type.kind} `) ? text : `${type.kind} ${text}`;
    }
    default: {
      const text = inner.trimStart();
      return text === "" ? style.base(type) : `${style.base(type)} ${text}`;
    }
  }
}

/** Qualifiers stand after the asterisk of a pointer and before everything else. */
function endsInPointer(type: CType): boolean {
  let here = type;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (here.kind !== "const" && here.kind !== "volatile" && here.kind !== "restrict" && here.kind !== "tag") break;
    here = here.target;
  }
  return here.kind === "pointer";
}

function untag(type: CType): CType {
  let here = type;
  for (let depth = 0; depth < MAX_DEPTH && here.kind === "tag"; depth++) here = here.target;
  return here;
}

/** gdb writes a value only where it is not one more than the last. */
function enumText(type: EnumType): string {
  let next = 0n;
  const constants = type.enumerators.map(({ name, value }) => {
    const text = value === next ? name : `${name} = ${value}`;
    next = value + 1n;
    return text;
  });
  return `enum ${type.name === undefined ? "" : `${type.name} `}{${constants.join(", ")}}`;
}

function printMembers(type: StructType, depth: number, bits: number, options: MemberLayout, lines: string[]): void {
  if (type.members.length === 0) lines.push(`${indent(depth, undefined, options)}<no data fields>`);
  for (const member of type.members) {
    if (lines.length > MAX_LINES) return;
    const at = bits + member.bitOffset;
    // Debug information does not tell [] from [0]; C allows the first only at the end.
    const zero = type.kind === "struct" && member !== type.members.at(-1) ? "0" : "";
    const body = depth > MAX_DEPTH ? undefined : anonymousBody(member.type);
    if (body === undefined) {
      lines.push(`${indent(depth, at, options)}${memberText(member, { base: memberSpecifier, zero })};`);
      continue;
    }
    const [before, after] = memberText(member, { base: () => "\0", zero }).split("\0");
    lines.push(`${indent(depth, undefined, options)}${before}${body.kind} {`);
    printMembers(body, depth + 1, at, options, lines);
    // crash gives a named block its offset on the closing line, where the name is.
    lines.push(`${indent(depth, member.name === undefined ? undefined : at, options)}}${after};`);
  }
}

/** The structure without name that a member is, or is an array of or a pointer to. */
function anonymousBody(type: CType): StructType | undefined {
  let here = type;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    switch (here.kind) {
      case "struct":
      case "union":
        return here.name === undefined ? here : undefined;
      case "array":
        here = here.element;
        break;
      case "const":
      case "volatile":
      case "restrict":
      case "tag":
      case "pointer":
        here = here.target;
        break;
      default:
        return undefined;
    }
  }
  return undefined;
}

function memberText(member: Member, style: Style): string {
  const text = declareWith(member.type, member.name ?? "", style, 0);
  return member.bitSize === undefined ? text : `${text} : ${member.bitSize}`;
}

/** Four spaces a level; with offsets the first level's are replaced by the columns of the bracket. */
function indent(depth: number, bits: number | undefined, options: MemberLayout): string {
  if (options.offsets !== true) return "    ".repeat(depth);
  const bracket = bits === undefined ? "" : bracketed(Math.floor(bits / 8), options);
  return `${bracket.padStart(options.width)} ${"    ".repeat(depth - 1)}`;
}

function bracketed(bytes: number, options: DefinitionOptions): string {
  if (options.address !== undefined) return `[${hex16(BigInt.asUintN(64, options.address + BigInt(bytes)))}]`;
  return `[${options.radix === 16 ? "0x" : ""}${bytes.toString(options.radix ?? 10)}]`;
}
