/**
 * BTF, the kernel's description of its own types: of vmlinux (in memory from __start_BTF to __stop_BTF, 5.2 on) and of its modules
 * (5.11 on). Specification: Documentation/bpf/btf.rst.
 *
 * What memory holds for a module (kernel/bpf/btf.c, kernel/module/main.c): `module.btf_data` points into the file image and is NULL once
 * the module is loaded. The lasting copy is `struct btf.data`/`data_size`, reached through the list `btf_modules` of
 * `struct btf_module { list, module, btf }`. A module built with a distilled base (.BTF.base, 6.11) has been relocated in that copy by
 * btf_relocate(): ids and string offsets are those of split BTF directly on top of vmlinux. So every module's `btf.data` is read with
 * vmlinux as base, and a `btf.base_btf` other than that of vmlinux means that the module must not be read.
 */
import { NameIndex } from "./btf-index.ts";
import { BtfSection, KIND } from "./btf-section.ts";
import { BtfTypes } from "./btf-types.ts";
import type { CType, EnumType, StructType, TypeKey, TypeSource } from "./c-type.ts";

/** Types of vmlinux or of one module. */
export class Btf implements TypeSource {
  readonly owner: string;
  readonly #section: BtfSection;
  readonly #types: BtfTypes;
  readonly #indexes = new Map<TypeKey, NameIndex>();
  #constants: NameIndex | undefined;

  private constructor(owner: string, section: BtfSection, types: BtfTypes) {
    this.owner = owner;
    this.#section = section;
    this.#types = types;
  }

  /**
   * Opens a BTF section. @param base of vmlinux, for the split BTF of a module.
   * Throws FormatError when the header is wrong; records that cannot be understood end the types early, see `note`.
   */
  static open(bytes: Uint8Array, owner: string, base?: Btf): Btf {
    const section = new BtfSection(bytes, owner, base === undefined ? undefined : base.#section);
    return new Btf(owner, section, new BtfTypes(section, base === undefined ? undefined : base.#types));
  }

  /** Number of types here, those of the base left out. */
  get count(): number {
    return this.#section.endId - this.#section.firstId;
  }

  /** Why the types end before the section does; undefined when all were read. Split BTF on top of a cut base gets wrong ids: do not read it. */
  get note(): string | undefined {
    return this.#section.note;
  }

  /** The type of an id as the kernel uses it (`BTF_ID`, struct bpf_prog_aux.attach_btf_id …). Throws FormatError when there is none. */
  typeById(id: number): CType {
    return this.#types.type(id);
  }

  find(key: TypeKey, name: string): CType | undefined {
    for (const id of this.#index(key).find(name)) return this.#types.type(id);
    return undefined;
  }

  findAll(key: TypeKey, name: string): readonly CType[] {
    return Array.from(this.#index(key).find(name), (id) => this.#types.type(id));
  }

  constant(name: string): { readonly value: bigint; readonly type: EnumType } | undefined {
    this.#constants ??= NameIndex.ofConstants(this.#section);
    for (const id of this.#constants.find(name)) {
      const type = this.#types.type(id);
      if (type.kind !== "enum") continue;
      const enumerator = type.enumerators.find((one) => one.name === name);
      if (enumerator !== undefined) return { value: enumerator.value, type };
    }
    return undefined;
  }

  names(key: TypeKey, prefix: string, limit: number): readonly string[] {
    return this.#index(key).startingWith(prefix, limit);
  }

  *structs(): Iterable<StructType> {
    const { kinds, firstId } = this.#section;
    for (let i = 0; i < kinds.length; i++) {
      if (kinds[i] !== KIND.STRUCT && kinds[i] !== KIND.UNION) continue;
      const type = this.#types.type(firstId + i);
      if ((type.kind === "struct" || type.kind === "union") && type.name !== undefined) yield type;
    }
  }

  /** Variables of one section of the image (vmlinux describes ".data..percpu" only) with their offsets in it. */
  *sectionVariables(section: string): Iterable<{ readonly name: string; readonly offset: number }> {
    const { kinds, firstId, view } = this.#section;
    for (let i = 0; i < kinds.length; i++) {
      if (kinds[i] !== KIND.DATASEC) continue;
      const at = this.#section.place(firstId + i);
      if (this.#section.string(view.getUint32(at, true)) !== section) continue;
      const count = view.getUint32(at + 4, true) & 0xffffff;
      for (let entry = at + 12; entry < at + 12 + count * 12; entry += 12) {
        const id = view.getUint32(entry, true);
        const holder = this.#section.holder(id);
        if (holder.kind(id) === KIND.VAR) {
          yield { name: holder.string(holder.view.getUint32(holder.place(id), true)), offset: view.getUint32(entry + 4, true) };
        }
      }
    }
  }

  #index(key: TypeKey): NameIndex {
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = NameIndex.ofKey(this.#section, key);
      this.#indexes.set(key, index);
    }
    return index;
  }
}
