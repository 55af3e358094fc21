/** Composes BTF sections in memory: one method for each kind, each returns the id of the type it added. */
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";
import { KIND } from "../btf-section.ts";

export interface BuiltMember {
  readonly name: string;
  readonly type: number;
  /** Bits from the start. */
  readonly offset: number;
  /** Width of a bitfield; only in structs with `flag`. */
  readonly bits?: number;
}

const utf8 = new TextEncoder();

export class BtfBuilder {
  #nextId: number;
  readonly #firstString: number;
  readonly #types = new ByteWriter();
  readonly #strings = new ByteWriter();
  readonly #offsets = new Map<string, number>();

  /** @param base of a split BTF: how many types (with void) and bytes of strings it has */
  constructor(base: { readonly types: number; readonly strings: number } = { types: 1, strings: 0 }) {
    this.#nextId = base.types;
    this.#firstString = base.strings;
    if (base.strings === 0) this.#strings.append(new Uint8Array(1));
  }

  /** What a split BTF on top of this one starts from. */
  get extent(): { types: number; strings: number } {
    return { types: this.#nextId, strings: this.#firstString + this.#strings.length };
  }

  /** Offset of a string, added if new. */
  string(text: string): number {
    if (text === "") return 0;
    let offset = this.#offsets.get(text);
    if (offset === undefined) {
      offset = this.#firstString + this.#strings.append(utf8.encode(`${text}\0`));
      this.#offsets.set(text, offset);
    }
    return offset;
  }

  /** Any record: name, kind, vlen, kflag, the size or type word, and the words after it. */
  raw(name: string, kind: number, vlen: number, flag: boolean, word: number, after: readonly number[] = []): number {
    let at = this.#types.length;
    const info = ((flag ? 0x80000000 : 0) | (kind << 24) | vlen) >>> 0;
    for (const value of [this.string(name), info, word, ...after]) {
      this.#types.u32(at, value >>> 0);
      at += 4;
    }
    return this.#nextId++;
  }

  int(
    name: string,
    size: number,
    options: { readonly signed?: boolean; readonly bool?: boolean; readonly bits?: number; readonly offset?: number } = {},
  ): number {
    const encoding = (options.signed === true ? 1 : 0) | (options.bool === true ? 4 : 0);
    return this.raw(name, KIND.INT, 0, false, size, [(encoding << 24) | ((options.offset ?? 0) << 16) | (options.bits ?? size * 8)]);
  }

  float(name: string, size: number): number {
    return this.raw(name, KIND.FLOAT, 0, false, size);
  }

  pointer(target: number): number {
    return this.raw("", KIND.PTR, 0, false, target);
  }

  array(element: number, length: number): number {
    return this.raw("", KIND.ARRAY, 0, false, 0, [element, 0, length]);
  }

  struct(
    name: string,
    size: number,
    members: readonly BuiltMember[],
    options: { readonly union?: boolean; readonly flag?: boolean } = {},
  ): number {
    const flag = options.flag ?? true;
    const words = members.flatMap((member) => [
      this.string(member.name),
      member.type,
      flag ? (((member.bits ?? 0) << 24) | member.offset) >>> 0 : member.offset,
    ]);
    return this.raw(name, options.union === true ? KIND.UNION : KIND.STRUCT, members.length, flag, size, words);
  }

  enum(name: string, values: Readonly<Record<string, number>>, options: { readonly flag?: boolean; readonly size?: number } = {}): number {
    const words = Object.entries(values).flatMap(([constant, value]) => [this.string(constant), value]);
    return this.raw(name, KIND.ENUM, words.length / 2, options.flag ?? false, options.size ?? 4, words);
  }

  enum64(name: string, values: Readonly<Record<string, bigint>>, flag = false): number {
    const words = Object.entries(values).flatMap(([constant, value]) => [
      this.string(constant),
      Number(value & 0xffffffffn),
      Number((value >> 32n) & 0xffffffffn),
    ]);
    return this.raw(name, KIND.ENUM64, words.length / 3, flag, 8, words);
  }

  forward(name: string, union = false): number {
    return this.raw(name, KIND.FWD, 0, union, 0);
  }

  typedef(name: string, target: number): number {
    return this.raw(name, KIND.TYPEDEF, 0, false, target);
  }

  qualified(kind: "CONST" | "VOLATILE" | "RESTRICT", target: number): number {
    return this.raw("", KIND[kind], 0, false, target);
  }

  typeTag(name: string, target: number): number {
    return this.raw(name, KIND.TYPE_TAG, 0, false, target);
  }

  declTag(name: string, target: number): number {
    return this.raw(name, KIND.DECL_TAG, 0, false, target, [-1]);
  }

  /** A prototype; a parameter of type 0 without name stands for "...". */
  prototype(returns: number, parameters: readonly (readonly [string, number])[]): number {
    const words = parameters.flatMap(([name, type]) => [this.string(name), type]);
    return this.raw("", KIND.FUNC_PROTO, parameters.length, false, returns, words);
  }

  /** vlen of a function is its linkage: 1 is global. */
  function(name: string, prototype: number): number {
    return this.raw(name, KIND.FUNC, 1, false, prototype);
  }

  variable(name: string, type: number): number {
    return this.raw(name, KIND.VAR, 0, false, type, [1]);
  }

  section(name: string, size: number, variables: readonly (readonly [number, number, number])[]): number {
    return this.raw(name, KIND.DATASEC, variables.length, false, size, variables.flat());
  }

  /** The whole section. @param layout entries {info_sz, elem_sz} by kind, for the header of 32 bytes */
  finish(layout?: readonly (readonly [number, number])[]): Uint8Array {
    const header = layout === undefined ? 24 : 32;
    const types = this.#types.finish();
    const strings = this.#strings.finish();
    const table = Uint8Array.from((layout ?? []).flatMap(([info, element]) => [info, element, 0, 0]));
    const out = new ByteWriter().u32(0, 0x0001eb9f).u32(4, header);
    out.u32(8, 0).u32(12, types.length).u32(16, types.length).u32(20, strings.length);
    if (layout !== undefined) out.u32(24, types.length + strings.length).u32(28, table.length);
    out.bytes(header, types).bytes(header + types.length, strings);
    out.bytes(header + types.length + strings.length, table);
    return out.finish();
  }
}
