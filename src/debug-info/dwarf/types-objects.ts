/**
 * The objects behind CType for DWARF: each keeps its entry and reads the rest when asked, so cycles of types cost nothing and
 * `struct task_struct` does not pull in half the kernel. DWARF 5, chapter 5.
 */
import type {
  ArrayType,
  CType,
  Enumerator,
  EnumType,
  FunctionType,
  Member,
  PointerType,
  QualifiedType,
  StructType,
  TypedefType,
} from "../c-type.ts";
import { sizeOf } from "../c-type.ts";
import {
  DW_AT_bit_size,
  DW_AT_byte_size,
  DW_AT_const_value,
  DW_AT_data_bit_offset,
  DW_AT_data_member_location,
  DW_AT_declaration,
  DW_AT_external,
  DW_AT_prototyped,
  DW_TAG_enumerator,
  DW_TAG_formal_parameter,
  DW_TAG_member,
  DW_TAG_unspecified_parameters,
} from "./constants.ts";
import type { Die } from "./die.ts";
import { memberPlace } from "./types-members.ts";

/** What these objects ask for the types that they refer to. */
export interface DieTypes {
  /** The type that an entry's DW_AT_type refers to; void when it has none. */
  typeOf(die: Die): CType;
  /** The type that an entry is. */
  of(die: Die): CType;
}

export class DwarfPointer implements PointerType {
  readonly kind = "pointer";
  readonly size: number;
  readonly #types: DieTypes;
  readonly #die: Die;
  constructor(types: DieTypes, die: Die) {
    this.size = die.number(DW_AT_byte_size) ?? die.unit.addressSize;
    this.#types = types;
    this.#die = die;
  }
  get target(): CType {
    return this.#types.typeOf(this.#die);
  }
}

/** One dimension; the inner ones are arrays of their own. */
export class DwarfArray implements ArrayType {
  readonly kind = "array";
  readonly length: number;
  readonly #types: DieTypes;
  readonly #die: Die;
  readonly #inner: DwarfArray | undefined;
  /** @param lengths of all dimensions, outermost first; @param from the one that this object is */
  constructor(types: DieTypes, die: Die, lengths: readonly number[], from = 0) {
    this.length = lengths[from] ?? 0;
    this.#types = types;
    this.#die = die;
    this.#inner = from + 1 < lengths.length ? new DwarfArray(types, die, lengths, from + 1) : undefined;
  }
  get element(): CType {
    return this.#inner ?? this.#types.typeOf(this.#die);
  }
}

export class DwarfTypedef implements TypedefType {
  readonly kind = "typedef";
  readonly name: string;
  readonly #types: DieTypes;
  readonly #die: Die;
  constructor(types: DieTypes, die: Die) {
    this.name = die.name ?? "";
    this.#types = types;
    this.#die = die;
  }
  get target(): CType {
    return this.#types.typeOf(this.#die);
  }
}

export class DwarfQualified implements QualifiedType {
  readonly kind: QualifiedType["kind"];
  readonly #types: DieTypes;
  readonly #die: Die;
  constructor(types: DieTypes, kind: QualifiedType["kind"], die: Die) {
    this.kind = kind;
    this.#types = types;
    this.#die = die;
  }
  get target(): CType {
    return this.#types.typeOf(this.#die);
  }
}

export class DwarfMember implements Member {
  readonly name: string | undefined;
  readonly bitOffset: number;
  readonly bitSize: number | undefined;
  readonly #types: DieTypes;
  readonly #die: Die;
  constructor(types: DieTypes, die: Die) {
    this.name = nameOf(die);
    this.#types = types;
    this.#die = die;
    const place = memberPlace(die, () => sizeOf(this.type));
    this.bitOffset = place.bitOffset;
    this.bitSize = place.bitSize;
  }
  get type(): CType {
    return this.#types.typeOf(this.#die);
  }
}

export class DwarfStruct implements StructType {
  readonly kind: "struct" | "union";
  readonly name: string | undefined;
  readonly size: number;
  readonly #types: DieTypes;
  readonly #die: Die;
  #members: readonly Member[] | undefined;
  constructor(types: DieTypes, kind: "struct" | "union", die: Die) {
    this.kind = kind;
    this.name = nameOf(die);
    this.size = die.number(DW_AT_byte_size) ?? Math.ceil((die.number(DW_AT_bit_size) ?? 0) / 8);
    this.#types = types;
    this.#die = die;
  }
  get members(): readonly Member[] {
    if (this.#members !== undefined) return this.#members;
    const members: Member[] = [];
    // What else stands here (variant parts and methods of Rust, template parameters) has no place of its own in the layout.
    for (const child of this.#die.children()) {
      if (child.tag === DW_TAG_member && !isStatic(child)) members.push(new DwarfMember(this.#types, child));
    }
    this.#members = members;
    return members;
  }
}

/** A static member of a class: a declaration of a variable elsewhere. */
function isStatic(member: Die): boolean {
  if (member.has(DW_AT_data_member_location) || member.has(DW_AT_data_bit_offset)) return false;
  return member.flag(DW_AT_external) || member.flag(DW_AT_declaration);
}

export class DwarfEnum implements EnumType {
  readonly kind = "enum";
  readonly name: string | undefined;
  readonly size: number;
  readonly #die: Die;
  readonly #underlying: boolean | undefined;
  #enumerators: readonly Enumerator[] | undefined;
  #signed: boolean | undefined;
  /** @param size bytes; @param signed of the underlying type; undefined when the compiler did not give one (before GCC 8) */
  constructor(die: Die, size: number, signed: boolean | undefined) {
    this.name = nameOf(die);
    this.size = size;
    this.#die = die;
    this.#underlying = signed;
  }
  get signed(): boolean {
    this.#signed ??= this.#underlying ?? this.#raw().some(({ value }) => value < 0n);
    return this.#signed;
  }
  get enumerators(): readonly Enumerator[] {
    if (this.#enumerators !== undefined) return this.#enumerators;
    const bits = Math.min(this.size, 16) * 8;
    const wrap = this.signed ? BigInt.asIntN : BigInt.asUintN;
    this.#enumerators = this.#raw().map(({ name, value }) => ({ name, value: wrap(bits, value) }));
    return this.#enumerators;
  }
  /** Values with the sign of their form: compilers write negative ones as sdata, and forms without sign for all others. */
  #raw(): Enumerator[] {
    const found: Enumerator[] = [];
    for (const child of this.#die.children()) {
      if (child.tag === DW_TAG_enumerator) found.push({ name: child.name ?? "", value: child.bigint(DW_AT_const_value) ?? 0n });
    }
    return found;
  }
}

export class DwarfFunction implements FunctionType {
  readonly kind = "function";
  readonly prototyped?: false;
  readonly #types: DieTypes;
  readonly #die: Die;
  #content: { readonly parameters: FunctionType["parameters"]; readonly variadic: boolean } | undefined;
  constructor(types: DieTypes, die: Die) {
    this.#types = types;
    this.#die = die;
    // `void f();` of C before C23, and functions of assembler files.
    if (!die.flag(DW_AT_prototyped) && !die.hasChildren) this.prototyped = false;
  }
  get returns(): CType {
    return this.#types.typeOf(this.#die);
  }
  get parameters(): FunctionType["parameters"] {
    return this.#read().parameters;
  }
  get variadic(): boolean {
    return this.#read().variadic;
  }
  #read(): { readonly parameters: FunctionType["parameters"]; readonly variadic: boolean } {
    if (this.#content !== undefined) return this.#content;
    const parameters: DwarfParameter[] = [];
    let variadic = false;
    for (const child of this.#die.children()) {
      if (child.tag === DW_TAG_formal_parameter) parameters.push(new DwarfParameter(this.#types, child));
      else if (child.tag === DW_TAG_unspecified_parameters) variadic = true;
    }
    this.#content = { parameters, variadic };
    return this.#content;
  }
}

class DwarfParameter {
  readonly name: string | undefined;
  readonly #types: DieTypes;
  readonly #die: Die;
  constructor(types: DieTypes, die: Die) {
    this.name = nameOf(die);
    this.#types = types;
    this.#die = die;
  }
  get type(): CType {
    return this.#types.typeOf(this.#die);
  }
}

function nameOf(die: Die): string | undefined {
  return die.name === "" ? undefined : die.name;
}
