/**
 * C types from DWARF entries. One object per entry, made when it is first asked for. DWARF 5, chapter 5.
 *
 * A structure that is only declared where it is referred to (`struct foo;`) is completed: from its type unit, from its own unit, from
 * who opened the file (the kernel's BTF answers at once), from the index of names. Only what none of them knows stays a forward declaration.
 */
import { type CType, type EnumType, type ForwardType, type IntType, strip, type VoidType } from "../c-type.ts";
import {
  DW_AT_byte_size,
  DW_AT_count,
  DW_AT_declaration,
  DW_AT_encoding,
  DW_AT_lower_bound,
  DW_AT_signature,
  DW_AT_type,
  DW_AT_upper_bound,
  DW_ATE_signed,
  DW_ATE_signed_char,
  DW_TAG_array_type,
  DW_TAG_atomic_type,
  DW_TAG_base_type,
  DW_TAG_class_type,
  DW_TAG_const_type,
  DW_TAG_enumeration_type,
  DW_TAG_immutable_type,
  DW_TAG_interface_type,
  DW_TAG_packed_type,
  DW_TAG_pointer_type,
  DW_TAG_ptr_to_member_type,
  DW_TAG_reference_type,
  DW_TAG_restrict_type,
  DW_TAG_rvalue_reference_type,
  DW_TAG_shared_type,
  DW_TAG_structure_type,
  DW_TAG_subprogram,
  DW_TAG_subrange_type,
  DW_TAG_subroutine_type,
  DW_TAG_template_alias,
  DW_TAG_typedef,
  DW_TAG_union_type,
  DW_TAG_volatile_type,
} from "./constants.ts";
import type { Die, Unit } from "./die.ts";
import { holderOf, originChain } from "./scopes-origin.ts";
import { baseType } from "./types-base.ts";
import {
  type DieTypes,
  DwarfArray,
  DwarfEnum,
  DwarfFunction,
  DwarfPointer,
  DwarfQualified,
  DwarfStruct,
  DwarfTypedef,
} from "./types-objects.ts";

/** Kinds that C can declare without defining them. */
export type TagKey = "struct" | "union" | "enum";

/** The full type of a tag that is only declared; undefined when it is not known. */
export type TypeCompletion = (key: TagKey, name: string) => CType | undefined;

const VOID: VoidType = { kind: "void" };
/** C99 promises 12, GCC allows more; a damaged file may list any number. */
const MAX_DIMENSIONS = 64;
/** Qualifiers that CType does not tell apart, in a row. */
const MAX_TRANSPARENT = 64;

/** Makes and keeps the CTypes of one file. */
export class DwarfTypes implements DieTypes {
  /** By key of the entry. */
  readonly #made = new Map<number, CType>();
  readonly #definitions = new WeakMap<Unit, ReadonlyMap<string, Die>>();
  readonly #complete: readonly TypeCompletion[];

  /** @param complete asked in order for what a unit only declares */
  constructor(...complete: readonly TypeCompletion[]) {
    this.#complete = complete;
  }

  typeOf(die: Die): CType {
    const holder = holderOf(die, DW_AT_type);
    const target = holder?.reference(DW_AT_type);
    return target === undefined ? VOID : this.of(target);
  }

  /** The type of an entry; functions give their prototype. What is no type is void. Throws FormatError for a damaged entry. */
  of(die: Die): CType {
    const known = this.#made.get(die.key);
    if (known !== undefined) return known;
    const type = this.#make(die, 0);
    this.#made.set(die.key, type);
    return type;
  }

  #make(die: Die, depth: number): CType {
    switch (die.tag) {
      case DW_TAG_base_type:
        return baseType(die);
      case DW_TAG_pointer_type:
      case DW_TAG_reference_type:
      case DW_TAG_rvalue_reference_type:
      case DW_TAG_ptr_to_member_type:
        return new DwarfPointer(this, die);
      case DW_TAG_array_type:
        return new DwarfArray(this, die, dimensions(die));
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_interface_type:
        return this.#declared(die, "struct") ?? new DwarfStruct(this, "struct", die);
      case DW_TAG_union_type:
        return this.#declared(die, "union") ?? new DwarfStruct(this, "union", die);
      case DW_TAG_enumeration_type:
        return this.#declared(die, "enum") ?? this.#enum(die);
      case DW_TAG_typedef:
      case DW_TAG_template_alias:
        return new DwarfTypedef(this, die);
      case DW_TAG_const_type:
        return new DwarfQualified(this, "const", die);
      case DW_TAG_volatile_type:
        return new DwarfQualified(this, "volatile", die);
      case DW_TAG_restrict_type:
        return new DwarfQualified(this, "restrict", die);
      case DW_TAG_atomic_type:
      case DW_TAG_packed_type:
      case DW_TAG_immutable_type:
      case DW_TAG_shared_type:
      case DW_TAG_subrange_type:
        return this.#through(die, depth);
      case DW_TAG_subroutine_type:
        return new DwarfFunction(this, die);
      case DW_TAG_subprogram:
        return new DwarfFunction(this, originChain(die).at(-1) ?? die);
      default:
        return VOID;
    }
  }

  /** The type behind a qualifier that C types here do not show. */
  #through(die: Die, depth: number): CType {
    const target = die.reference(DW_AT_type);
    if (target === undefined || depth >= MAX_TRANSPARENT) return VOID;
    return this.#made.get(target.key) ?? this.#make(target, depth + 1);
  }

  #enum(die: Die): EnumType {
    const underlying = die.has(DW_AT_type) ? strip(this.typeOf(die)) : undefined;
    const int: IntType | undefined = underlying?.kind === "int" ? underlying : undefined;
    const encoding = die.number(DW_AT_encoding);
    const signed = encoding === undefined ? undefined : encoding === DW_ATE_signed || encoding === DW_ATE_signed_char;
    return new DwarfEnum(die, die.number(DW_AT_byte_size) ?? int?.size ?? 4, int?.signed ?? signed);
  }

  /** For an entry that only declares: the definition, or a forward declaration; undefined for a definition. */
  #declared(die: Die, of: TagKey): CType | undefined {
    if (!die.flag(DW_AT_declaration)) return undefined;
    const whole = die.reference(DW_AT_signature);
    if (whole !== undefined && whole.tag === die.tag && !whole.flag(DW_AT_declaration)) return this.of(whole);
    const name = die.name ?? "";
    if (name !== "") {
      const here = this.#definedIn(die.unit).get(`${die.tag} ${name}`);
      if (here !== undefined) return this.of(here);
      for (const complete of this.#complete) {
        const found = complete(of, name);
        if (found !== undefined && found.kind === of) return found;
      }
    }
    const forward: ForwardType = { kind: "forward", of, name };
    return forward;
  }

  /** Tags that a unit defines, itself or in what it imports (dwz moves there what units share). */
  #definedIn(unit: Unit): ReadonlyMap<string, Die> {
    const known = this.#definitions.get(unit);
    if (known !== undefined) return known;
    const found = new Map<string, Die>();
    for (const each of [unit, ...unit.imports]) {
      for (const die of each.root.children()) {
        if (die.tag !== DW_TAG_structure_type && die.tag !== DW_TAG_union_type && die.tag !== DW_TAG_enumeration_type) continue;
        if (die.flag(DW_AT_declaration) || die.name === undefined) continue;
        const key = `${die.tag} ${die.name}`;
        if (!found.has(key)) found.set(key, die);
      }
    }
    this.#definitions.set(unit, found);
    return found;
  }
}

/** Lengths of an array's dimensions, outermost first; 0 where it has none (flexible) or computes it (variable length). */
function dimensions(die: Die): readonly number[] {
  const lengths: number[] = [];
  for (const child of die.children()) {
    if (child.tag === DW_TAG_subrange_type && lengths.length < MAX_DIMENSIONS) lengths.push(subrangeLength(child));
  }
  return lengths.length === 0 ? [0] : lengths;
}

function subrangeLength(die: Die): number {
  const count = die.bigint(DW_AT_count) ?? lengthUpTo(die.bigint(DW_AT_upper_bound), die.bigint(DW_AT_lower_bound) ?? 0n);
  return count !== undefined && count > 0n && count <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(count) : 0;
}

/** Compilers that do not write a count give `T a[0]` the upper bound -1, often in a form without sign. */
function lengthUpTo(upper: bigint | undefined, lower: bigint): bigint | undefined {
  if (upper === undefined || upper === 0xffff_ffffn) return undefined;
  return BigInt.asIntN(64, upper - lower + 1n);
}
