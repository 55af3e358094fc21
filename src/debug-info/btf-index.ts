/**
 * Look-ups by name over BTF without decoding names: hash chains in typed arrays over the strings as they lie in the section.
 *
 *   heads[hash] ─► entry ─chain─► entry …        entry = (type id, name offset [, place of the enumerator])
 */
import { type BtfSection, hashBytes, KIND } from "./btf-section.ts";
import type { TypeKey } from "./c-type.ts";

const KINDS_OF_KEY: Record<TypeKey, readonly number[]> = {
  struct: [KIND.STRUCT],
  union: [KIND.UNION],
  enum: [KIND.ENUM, KIND.ENUM64],
  typedef: [KIND.TYPEDEF],
  base: [KIND.INT, KIND.FLOAT],
  function: [KIND.FUNC],
  variable: [KIND.VAR],
};

const utf8 = new TextEncoder();

/** Entries of one kind, hashed by name. */
export class NameIndex {
  /** Type id of each entry. */
  readonly ids: Uint32Array;
  readonly #names: Uint32Array;
  readonly #section: BtfSection;
  #hashed: { readonly heads: Int32Array; readonly chain: Int32Array } | undefined;

  private constructor(section: BtfSection, ids: Uint32Array, names: Uint32Array) {
    this.#section = section;
    this.ids = ids;
    this.#names = names;
  }

  /** All named types of one kind; forward declarations of enums are left out. */
  static ofKey(section: BtfSection, key: TypeKey): NameIndex {
    const wanted = new Uint8Array(256);
    for (const kind of KINDS_OF_KEY[key]) wanted[kind] = 1;
    const ids = new Uint32Array(section.kinds.length);
    const names = new Uint32Array(section.kinds.length);
    let count = 0;
    for (let i = 0; i < section.kinds.length; i++) {
      if (wanted[section.kinds[i] as number] !== 1) continue;
      const at = section.places[i] as number;
      const name = section.view.getUint32(at, true);
      if (name === 0 || (key === "enum" && (section.view.getUint32(at + 4, true) & 0xffffff) === 0)) continue;
      ids[count] = section.firstId + i;
      names[count++] = name;
    }
    return new NameIndex(section, ids.slice(0, count), names.slice(0, count));
  }

  /** All enumerators of all enums; `ids` are those of the enums. */
  static ofConstants(section: BtfSection): NameIndex {
    const ids: number[] = [];
    const names: number[] = [];
    for (let i = 0; i < section.kinds.length; i++) {
      const stride = section.kinds[i] === KIND.ENUM ? 8 : section.kinds[i] === KIND.ENUM64 ? 12 : 0;
      if (stride === 0) continue;
      const at = section.places[i] as number;
      const count = section.view.getUint32(at + 4, true) & 0xffffff;
      for (let k = 0; k < count; k++) {
        ids.push(section.firstId + i);
        names.push(section.view.getUint32(at + 12 + k * stride, true));
      }
    }
    return new NameIndex(section, Uint32Array.from(ids), Uint32Array.from(names));
  }

  /** Ids of the entries with that name, ascending. */
  *find(name: string): Iterable<number> {
    const text = utf8.encode(name);
    const { heads, chain } = this.#tables();
    for (let entry = heads[hashBytes(text) & (heads.length - 1)] as number; entry >= 0; entry = chain[entry] as number) {
      if (this.#section.matches(this.#names[entry] as number, text, true)) yield this.ids[entry] as number;
    }
  }

  /** Names that start with the prefix, sorted, without duplicates. */
  startingWith(prefix: string, limit: number): readonly string[] {
    const text = utf8.encode(prefix);
    const found = new Set<string>();
    for (const name of this.#names) if (this.#section.matches(name, text, false)) found.add(this.#section.string(name));
    return [...found].sort().slice(0, limit);
  }

  #tables(): { readonly heads: Int32Array; readonly chain: Int32Array } {
    this.#hashed ??= this.#hash();
    return this.#hashed;
  }

  #hash(): { readonly heads: Int32Array; readonly chain: Int32Array } {
    const count = this.ids.length;
    const heads = new Int32Array(1 << Math.ceil(Math.log2(count + 2))).fill(-1);
    const chain = new Int32Array(count);
    for (let entry = count - 1; entry >= 0; entry--) {
      const slot = this.#section.hash(this.#names[entry] as number) & (heads.length - 1);
      chain[entry] = heads[slot] as number;
      heads[slot] = entry;
    }
    return { heads, chain };
  }
}
