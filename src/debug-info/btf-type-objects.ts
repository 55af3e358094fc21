/**
 * The objects behind CType for BTF: each keeps an id or a place and reads the rest when asked, so cycles of types cost nothing.
 *
 *   members   │ name_off │ type │ offset │      kflag of the struct: offset = bitfield width:8 bit offset:24, else bit offset alone
 *   enum      │ name_off │ value │              enum64: value in two words, low first
 *   param     │ name_off │ type │
 */
import type { BtfSection } from "./btf-section.ts";
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
} from "./c-type.ts";

/** What these objects ask for the types that they refer to. */
export interface BtfResolver {
  readonly section: BtfSection;
  type(id: number): CType;
  /** For a member of a struct without kflag: offset and width when its type is an int of fewer bits than its size. */
  intBits(id: number): { readonly offset: number; readonly bits: number } | undefined;
}

/** Both architectures are 64-bit. */
const POINTER_SIZE = 8;

export class BtfPointer implements PointerType {
  readonly kind = "pointer";
  readonly size = POINTER_SIZE;
  readonly #types: BtfResolver;
  readonly #target: number;
  constructor(types: BtfResolver, target: number) {
    this.#types = types;
    this.#target = target;
  }
  get target(): CType {
    return this.#types.type(this.#target);
  }
}

export class BtfArray implements ArrayType {
  readonly kind = "array";
  readonly length: number;
  readonly #types: BtfResolver;
  readonly #element: number;
  constructor(types: BtfResolver, element: number, length: number) {
    this.#types = types;
    this.#element = element;
    this.length = length;
  }
  get element(): CType {
    return this.#types.type(this.#element);
  }
}

export class BtfTypedef implements TypedefType {
  readonly kind = "typedef";
  readonly name: string;
  readonly #types: BtfResolver;
  readonly #target: number;
  constructor(types: BtfResolver, name: string, target: number) {
    this.#types = types;
    this.name = name;
    this.#target = target;
  }
  get target(): CType {
    return this.#types.type(this.#target);
  }
}

export class BtfQualified implements QualifiedType {
  readonly kind: QualifiedType["kind"];
  readonly #types: BtfResolver;
  readonly #target: number;
  constructor(types: BtfResolver, kind: QualifiedType["kind"], target: number) {
    this.#types = types;
    this.kind = kind;
    this.#target = target;
  }
  get target(): CType {
    return this.#types.type(this.#target);
  }
}

export class BtfMember implements Member {
  readonly name: string | undefined;
  readonly bitOffset: number;
  readonly bitSize: number | undefined;
  readonly #types: BtfResolver;
  readonly #type: number;
  constructor(types: BtfResolver, name: string, type: number, bitOffset: number, bitSize: number | undefined) {
    this.#types = types;
    this.#type = type;
    this.name = name === "" ? undefined : name;
    this.bitOffset = bitOffset;
    this.bitSize = bitSize;
  }
  get type(): CType {
    return this.#types.type(this.#type);
  }
}

export class BtfStruct implements StructType {
  readonly kind: "struct" | "union";
  readonly name: string | undefined;
  readonly size: number;
  readonly #types: BtfResolver;
  readonly #at: number;
  readonly #count: number;
  readonly #flag: boolean;
  #members: readonly Member[] | undefined;
  constructor(types: BtfResolver, kind: "struct" | "union", name: string, size: number, at: number, count: number, flag: boolean) {
    this.#types = types;
    this.kind = kind;
    this.name = name === "" ? undefined : name;
    this.size = size;
    this.#at = at;
    this.#count = count;
    this.#flag = flag;
  }
  get members(): readonly Member[] {
    if (this.#members !== undefined) return this.#members;
    const { section } = this.#types;
    const { view } = section;
    const members: Member[] = [];
    for (let i = 0, at = this.#at + 12; i < this.#count; i++, at += 12) {
      const name = section.string(view.getUint32(at, true));
      const type = view.getUint32(at + 4, true);
      const offset = view.getUint32(at + 8, true);
      if (this.#flag) {
        members.push(new BtfMember(this.#types, name, type, offset & 0xffffff, offset >>> 24 === 0 ? undefined : offset >>> 24));
      } else {
        const bits = this.#types.intBits(type);
        members.push(new BtfMember(this.#types, name, type, offset + (bits?.offset ?? 0), bits?.bits));
      }
    }
    this.#members = members;
    return members;
  }
}

export class BtfEnum implements EnumType {
  readonly kind = "enum";
  readonly name: string | undefined;
  readonly size: number;
  readonly signed: boolean;
  readonly #types: BtfResolver;
  readonly #at: number;
  readonly #count: number;
  readonly #stride: 8 | 12;
  #enumerators: readonly Enumerator[] | undefined;
  constructor(types: BtfResolver, name: string, size: number, signed: boolean, at: number, count: number, stride: 8 | 12) {
    this.#types = types;
    this.name = name === "" ? undefined : name;
    this.size = size;
    this.signed = signed;
    this.#at = at;
    this.#count = count;
    this.#stride = stride;
  }
  get enumerators(): readonly Enumerator[] {
    if (this.#enumerators !== undefined) return this.#enumerators;
    const { section } = this.#types;
    const enumerators: Enumerator[] = [];
    for (let i = 0, at = this.#at + 12; i < this.#count; i++, at += this.#stride) {
      enumerators.push({
        name: section.string(section.view.getUint32(at, true)),
        value: enumValue(section.view, at + 4, this.#stride === 12, this.signed),
      });
    }
    this.#enumerators = enumerators;
    return enumerators;
  }
}

function enumValue(view: DataView, at: number, wide: boolean, signed: boolean): bigint {
  if (!wide) return BigInt(signed ? view.getInt32(at, true) : view.getUint32(at, true));
  return signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
}

export class BtfFunction implements FunctionType {
  readonly kind = "function";
  readonly #types: BtfResolver;
  readonly #returns: number;
  readonly #at: number;
  readonly #count: number;
  constructor(types: BtfResolver, returns: number, at: number, count: number) {
    this.#types = types;
    this.#returns = returns;
    this.#at = at;
    this.#count = count;
  }
  get returns(): CType {
    return this.#types.type(this.#returns);
  }
  /** A last parameter without name and type stands for "...". */
  get variadic(): boolean {
    if (this.#count === 0) return false;
    const at = this.#at + 12 + (this.#count - 1) * 8;
    const { view } = this.#types.section;
    return view.getUint32(at, true) === 0 && view.getUint32(at + 4, true) === 0;
  }
  get parameters(): FunctionType["parameters"] {
    const { section } = this.#types;
    const count = this.variadic ? this.#count - 1 : this.#count;
    return Array.from({ length: count }, (_, i) => {
      const at = this.#at + 12 + i * 8;
      const name = section.string(section.view.getUint32(at, true));
      return { name: name === "" ? undefined : name, type: this.#types.type(section.view.getUint32(at + 4, true)) };
    });
  }
}
