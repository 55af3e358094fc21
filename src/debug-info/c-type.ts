/**
 * C types as every source of debug information (BTF now, DWARF later) presents them. A type is immutable; what it refers to is
 * resolved lazily by the reader behind getters, so asking for `struct task_struct` builds one object and not the whole graph.
 */

export type CType =
  | VoidType
  | IntType
  | FloatType
  | PointerType
  | ArrayType
  | StructType
  | EnumType
  | TypedefType
  | QualifiedType
  | FunctionType
  | ForwardType;

/** No type: what a void pointer leads to. */
export interface VoidType {
  readonly kind: "void";
}

/** An integer, a character or a bool. */
export interface IntType {
  readonly kind: "int";
  /** As the compiler names it: "unsigned int", "char", "_Bool". */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly signed: boolean;
  readonly encoding: "int" | "char" | "bool";
}

/** A floating-point type. */
export interface FloatType {
  readonly kind: "float";
  readonly name: string;
  readonly size: number;
}

/** A pointer. */
export interface PointerType {
  readonly kind: "pointer";
  readonly size: number;
  readonly target: CType;
}

/** An array. */
export interface ArrayType {
  readonly kind: "array";
  readonly element: CType;
  /** Number of elements; 0 for a flexible array. */
  readonly length: number;
}

/** A structure or union; offsets of members are in bits. */
export interface StructType {
  readonly kind: "struct" | "union";
  /** undefined for anonymous ones. */
  readonly name: string | undefined;
  /** Bytes. */
  readonly size: number;
  readonly members: readonly Member[];
}

/** A member of a structure or union. */
export interface Member {
  /** undefined for members of anonymous struct or union type. */
  readonly name: string | undefined;
  readonly type: CType;
  /** From the start of the structure. For bitfields: little-endian bit number of the lowest bit. */
  readonly bitOffset: number;
  /** Width of a bitfield; undefined for ordinary members. */
  readonly bitSize: number | undefined;
}

/** An enum with its constants. */
export interface EnumType {
  readonly kind: "enum";
  readonly name: string | undefined;
  readonly size: number;
  readonly signed: boolean;
  readonly enumerators: readonly Enumerator[];
}

/** A constant of an enum. */
export interface Enumerator {
  readonly name: string;
  readonly value: bigint;
}

/** Another name of a type. */
export interface TypedefType {
  readonly kind: "typedef";
  readonly name: string;
  readonly target: CType;
}

/** const, volatile and the like around a type. */
export interface QualifiedType {
  readonly kind: "const" | "volatile" | "restrict" | "tag";
  readonly target: CType;
}

/** A function: what it returns and takes. */
export interface FunctionType {
  readonly kind: "function";
  readonly returns: CType;
  readonly parameters: readonly { readonly name: string | undefined; readonly type: CType }[];
  readonly variadic: boolean;
  /** False where nothing is known of the parameters: `void (*)()`. */
  readonly prototyped?: false;
}

/** A structure that is declared and not defined in this source. */
export interface ForwardType {
  readonly kind: "forward";
  readonly of: "struct" | "union" | "enum";
  readonly name: string;
}

/** Name spaces of C: tags are apart from typedefs and ordinary names. */
export type TypeKey = "struct" | "union" | "enum" | "typedef" | "base" | "function" | "variable";

/** What a reader of type information answers. Several of them (vmlinux and its modules) are asked in turn. */
export interface TypeSource {
  /** "vmlinux" or the module's name. */
  readonly owner: string;
  /** First definition by name; base types by any of C's spellings are the caller's work. */
  find(key: TypeKey, name: string): CType | undefined;
  /** Every definition by that name (C allows one per file). */
  findAll(key: TypeKey, name: string): readonly CType[];
  /** An enum constant of any enum. */
  constant(name: string): { readonly value: bigint; readonly type: EnumType } | undefined;
  /** Names of one kind that start with the prefix, sorted, at most `limit`; for completion and "nearest". */
  names(key: TypeKey, prefix: string, limit: number): readonly string[];
  /** All structures and unions with a name, for reverse searches. May be slow (decodes everything). */
  structs(): Iterable<StructType>;
}

/** Removes typedefs and qualifiers. */
export function strip(type: CType): Exclude<CType, TypedefType | QualifiedType> {
  let here = type;
  for (let depth = 0; depth < 64; depth++) {
    switch (here.kind) {
      case "typedef":
      case "const":
      case "volatile":
      case "restrict":
      case "tag":
        here = here.target;
        break;
      default:
        return here;
    }
  }
  return { kind: "void" };
}

/** Size in bytes; 0 for void, functions, forward declarations and flexible arrays (and for arrays nested beyond reason: they may be a ring). */
export function sizeOf(type: CType, depth = 0): number {
  const t = strip(type);
  switch (t.kind) {
    case "int":
    case "float":
    case "pointer":
    case "struct":
    case "union":
    case "enum":
      return t.size;
    case "array":
      return depth > 64 ? 0 : t.length * sizeOf(t.element, depth + 1);
    case "void":
    case "function":
    case "forward":
      return 0;
  }
}

/** A member found by name, through anonymous members; offset in bits from the outer structure. */
export interface FoundMember {
  readonly member: Member;
  readonly bitOffset: number;
}

/** Finds a member by name, also within anonymous structures and unions; undefined when there is none. */
export function findMember(type: StructType, name: string): FoundMember | undefined {
  return findWithin(type, name, new Set());
}

/** `seen` bounds the search: in C no structure contains itself, in a damaged type table it may. */
function findWithin(type: StructType, name: string, seen: Set<StructType>): FoundMember | undefined {
  for (const member of type.members) {
    if (member.name === name) return { member, bitOffset: member.bitOffset };
  }
  seen.add(type);
  for (const member of type.members) {
    if (member.name !== undefined) continue;
    const inner = strip(member.type);
    if ((inner.kind !== "struct" && inner.kind !== "union") || seen.has(inner)) continue;
    const found = findWithin(inner, name, seen);
    if (found !== undefined) return { member: found.member, bitOffset: found.bitOffset + member.bitOffset };
  }
  return undefined;
}
