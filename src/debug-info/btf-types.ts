/**
 * C types from BTF records, by id. One object per type, made when it is first asked for, so `struct task_struct` does not pull in half
 * the kernel.
 *
 *   int   │ encoding:4 offset:8 … bits:8 │      before kflag (5.1) a bitfield was an int of fewer bits than its size
 */
import { FormatError } from "../bytes/errors.ts";
import { type BtfSection, KIND } from "./btf-section.ts";
import { BtfArray, BtfEnum, BtfFunction, BtfPointer, BtfQualified, type BtfResolver, BtfStruct, BtfTypedef } from "./btf-type-objects.ts";
import type { CType, IntType, VoidType } from "./c-type.ts";

const INT_SIGNED = 1;
const INT_CHAR = 2;
const INT_BOOL = 4;
/** Typedefs and qualifiers in a row; the kernel's verifier allows 32. */
const MAX_CHAIN = 64;

const VOID: VoidType = { kind: "void" };

/** Makes and keeps the CTypes of one section; ids of the base go to the base. */
export class BtfTypes implements BtfResolver {
  readonly section: BtfSection;
  readonly #base: BtfTypes | undefined;
  readonly #made = new Map<number, CType>();
  #enumFlags: boolean | undefined;

  constructor(section: BtfSection, base: BtfTypes | undefined) {
    this.section = section;
    this.#base = base;
  }

  /** The type of an id; 0 is void. Functions and variables give their type. Throws FormatError for ids that are no type. */
  type(id: number): CType {
    if (id === 0) return VOID;
    if (id < this.section.firstId && this.#base !== undefined) return this.#base.type(id);
    const known = this.#made.get(id);
    if (known !== undefined) return known;
    const made = this.#make(id);
    this.#made.set(id, made);
    return made;
  }

  #make(id: number): CType {
    const section = this.section.holder(id);
    const { view } = section;
    const at = section.place(id);
    const info = view.getUint32(at + 4, true);
    const word = view.getUint32(at + 8, true);
    const flag = info >>> 31 === 1;
    const count = info & 0xffffff;
    const name = section.string(view.getUint32(at, true));
    switch (section.kind(id)) {
      case KIND.INT:
        return makeInt(name, word, view.getUint32(at + 12, true));
      case KIND.FLOAT:
        return { kind: "float", name, size: word };
      case KIND.PTR:
        return new BtfPointer(this, word);
      case KIND.ARRAY:
        return new BtfArray(this, view.getUint32(at + 12, true), view.getUint32(at + 20, true));
      case KIND.STRUCT:
        return new BtfStruct(this, "struct", name, word, at, count, flag);
      case KIND.UNION:
        return new BtfStruct(this, "union", name, word, at, count, flag);
      case KIND.ENUM:
        if (count === 0 && name !== "") return { kind: "forward", of: "enum", name };
        return new BtfEnum(this, name, word, flag || !this.#flagsEnums(), at, count, 8);
      case KIND.ENUM64:
        return new BtfEnum(this, name, word, flag, at, count, 12);
      case KIND.FWD:
        return { kind: "forward", of: flag ? "union" : "struct", name };
      case KIND.TYPEDEF:
        return new BtfTypedef(this, name, word);
      case KIND.VOLATILE:
        return new BtfQualified(this, "volatile", word);
      case KIND.CONST:
        return new BtfQualified(this, "const", word);
      case KIND.RESTRICT:
        return new BtfQualified(this, "restrict", word);
      case KIND.TYPE_TAG:
        return new BtfQualified(this, "tag", word);
      case KIND.FUNC_PROTO:
        return new BtfFunction(this, word, at, count);
      case KIND.FUNC:
      case KIND.VAR:
        return this.#ofNamed(id, word);
      default:
        throw new FormatError(`BTF of ${section.name}`, `type ${id} of kind ${section.kind(id)} used as a C type`, at);
    }
  }

  /** The type of a function or variable, which must not be one itself. */
  #ofNamed(id: number, target: number): CType {
    if (target !== 0) {
      const holder = this.section.holder(target);
      const kind = holder.kind(target);
      if (kind === KIND.FUNC || kind === KIND.VAR)
        throw new FormatError(`BTF of ${this.section.name}`, `type ${id} has as type the object ${target}`);
    }
    return this.type(target);
  }

  /**
   * Whether enums say if they are signed. pahole sets kflag for it since 1.24 (with kernel 6.0); before, every enum has none, and
   * values are signed, as the kernel's own enums with a negative value far outnumber those with one above 2^31.
   */
  #flagsEnums(): boolean {
    if (this.#base !== undefined) return this.#base.#flagsEnums();
    if (this.#enumFlags !== undefined) return this.#enumFlags;
    const { kinds, places, view } = this.section;
    let found = false;
    for (let i = 0; i < kinds.length && !found; i++) {
      if (kinds[i] !== KIND.ENUM && kinds[i] !== KIND.ENUM64) continue;
      found = kinds[i] === KIND.ENUM64 || view.getUint8((places[i] as number) + 7) >= 0x80;
    }
    this.#enumFlags = found;
    return found;
  }

  /** For a member without kflag: offset and width when its type is an int of fewer bits than its size; else undefined. */
  intBits(id: number): { offset: number; bits: number } | undefined {
    let here = id;
    for (let depth = 0; depth < MAX_CHAIN && here !== 0; depth++) {
      const section = this.section.holder(here);
      const at = section.place(here);
      switch (section.kind(here)) {
        case KIND.TYPEDEF:
        case KIND.CONST:
        case KIND.VOLATILE:
        case KIND.RESTRICT:
        case KIND.TYPE_TAG:
          here = section.view.getUint32(at + 8, true);
          continue;
        case KIND.INT: {
          const encoding = section.view.getUint32(at + 12, true);
          const bits = encoding & 0xff;
          const offset = (encoding >>> 16) & 0xff;
          const plain = offset === 0 && bits === section.view.getUint32(at + 8, true) * 8;
          return plain ? undefined : { offset, bits };
        }
        default:
          return undefined;
      }
    }
    return undefined;
  }
}

function makeInt(name: string, size: number, word: number): IntType {
  const encoding = (word >>> 24) & 0xf;
  // Compilers mark neither of the plain chars; pahole copies that.
  const char = (encoding & INT_CHAR) !== 0 || (size === 1 && /\bchar\b/.test(name));
  return {
    kind: "int",
    name,
    size,
    // pahole before 1.24 took only DW_ATE_signed for signed. A plain char is signed or not by machine and compiler's options.
    signed: (encoding & INT_SIGNED) !== 0 || name === "signed char",
    encoding: (encoding & INT_BOOL) !== 0 ? "bool" : char ? "char" : "int",
  };
}
