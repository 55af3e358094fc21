/**
 * The types of the dead kernel: vmlinux and its modules asked in turn, structures wrapped with fields that read memory.
 */
import { LookupError } from "../bytes/errors.ts";
import { BusyMark } from "../bytes/interruption.ts";
import { parseTypeName } from "../debug-info/c-declaration.ts";
import {
  type CType,
  type EnumType,
  type FunctionType,
  findMember,
  type StructType,
  strip,
  type TypeKey,
  type TypeSource,
} from "../debug-info/c-type.ts";
import type { Memory } from "./address-space.ts";
import { Field } from "./field.ts";
import { namesOfLongestPrefix } from "./longest-prefix.ts";

/** A structure or union with fields by path ("sched_info.run_delay", "comm", "wait_list.next"). */
export class Struct {
  readonly type: StructType;
  readonly name: string;
  readonly size: number;
  readonly #memory: Memory;
  readonly #fields = new Map<string, Field | undefined>();

  constructor(memory: Memory, type: StructType) {
    this.#memory = memory;
    this.type = type;
    this.name = type.name ?? "(anonymous)";
    this.size = type.size;
  }

  /** The field at a dotted path; throws LookupError when a part is missing. */
  field(path: string): Field {
    const found = this.tryField(path);
    if (found === undefined) throw new LookupError(`${this.type.kind} ${this.name} has no member "${path}"`);
    return found;
  }

  /** The field at a dotted path (through embedded structures and anonymous members, not through pointers), or undefined. */
  tryField(path: string): Field | undefined {
    if (this.#fields.has(path)) return this.#fields.get(path);
    const field = this.#resolve(path);
    this.#fields.set(path, field);
    return field;
  }

  /** The first of several paths that exists; newest kernel's name first. */
  firstField(...paths: readonly string[]): Field | undefined {
    for (const path of paths) {
      const field = this.tryField(path);
      if (field !== undefined) return field;
    }
    return undefined;
  }

  /** True when it has such a member. */
  has(path: string): boolean {
    return this.tryField(path) !== undefined;
  }

  #resolve(path: string): Field | undefined {
    let type: CType = this.type;
    let bits = 0;
    let bitSize: number | undefined;
    for (const part of path.split(".")) {
      const plain = strip(type);
      if (plain.kind !== "struct" && plain.kind !== "union") return undefined;
      const found = findMember(plain, part);
      if (found === undefined) return undefined;
      bits += found.bitOffset;
      bitSize = found.member.bitSize;
      type = found.member.type;
    }
    return new Field(this.#memory, path, bits, bitSize, type);
  }
}

/** The types of the kernel and its modules, by name. */
export class Types {
  /**
   * DWARF beside the dump's BTF. BTF holds every type of the kernel and is at hand at once; DWARF is asked for what BTF lacks: variables,
   * prototypes, and, last of all, a type that is found nowhere else. Without BTF it is the first of `sources`.
   */
  readonly described: () => Iterable<TypeSource>;
  readonly #memory: Memory;
  readonly #structs = new Map<string, Struct | undefined>();
  readonly #absence: string | undefined;
  #sources: TypeSource[];
  #loadModules: (() => readonly TypeSource[]) | undefined;
  readonly #loading = new BusyMark();

  /**
   * @param loadModules called once, when a name is not found in the first sources: modules' BTF is read only if needed
   * @param absence why there are no sources, when there are none
   * @param described debug information beside the sources: vmlinux, then the modules' files, each opened when it is pulled
   */
  constructor(
    memory: Memory,
    sources: TypeSource[],
    loadModules?: () => readonly TypeSource[],
    absence?: string,
    described: () => Iterable<TypeSource> = () => [],
  ) {
    this.#memory = memory;
    this.described = described;
    this.#sources = sources;
    this.#loadModules = loadModules;
    this.#absence = absence;
  }

  /** Asked in order; vmlinux first. Modules are added when they are first wanted. */
  get sources(): TypeSource[] {
    return this.#sources;
  }

  /** True when the dump carries any type information. */
  get present(): boolean {
    return this.sources.length > 0;
  }

  /** What to throw where a structure is needed and the dump has no types at all; undefined when it has. */
  get lack(): LookupError | undefined {
    if (this.present) return undefined;
    return new LookupError(
      `structures are not known: ${this.#absence ?? "the dump carries no type information (BTF), and no vmlinux was given"}`,
    );
  }

  /** Reads the modules' types now (they are otherwise read when a name is missed). */
  loadModules(): void {
    const load = this.#loadModules;
    // Reading the modules asks for types.
    if (load === undefined || this.#loading.set) return;
    this.#loading.begin();
    const sources = [...this.#sources, ...load()];
    for (const [name, struct] of this.#structs) if (struct === undefined) this.#structs.delete(name);
    this.#sources = sources;
    this.#loadModules = undefined;
  }

  /**
   * First definition of a name; undefined when none of the sources has it. With `modules: false` only what is loaded is asked, and no
   * debug information beside the dump's own types: the quick question, for names that may not exist.
   */
  find(key: TypeKey, name: string, options: { readonly modules?: boolean } = {}): CType | undefined {
    const found = first(this.sources, key, name);
    if (found !== undefined || options.modules === false) return found;
    const before = this.sources.length;
    this.loadModules();
    return first(this.sources.slice(before), key, name) ?? first(this.described(), key, name);
  }

  /** A function's prototype, from BTF or DWARF. */
  prototype(name: string): FunctionType | undefined {
    const found = first(this.sources, "function", name) ?? first(this.described(), "function", name) ?? this.find("function", name);
    return found?.kind === "function" ? found : undefined;
  }

  /** A structure or union of vmlinux by tag, or by a typedef of one; undefined when there is none. Does not look into modules. */
  tryStruct(name: string, options: { readonly modules?: boolean } = { modules: false }): Struct | undefined {
    const known = this.#structs.get(name);
    if (known !== undefined || (this.#structs.has(name) && options.modules === false)) return known;
    let type = this.find("struct", name, options) ?? this.find("union", name, options);
    if (type === undefined) {
      const alias = this.find("typedef", name, options);
      type = alias === undefined ? undefined : strip(alias);
    }
    const struct = type !== undefined && (type.kind === "struct" || type.kind === "union") ? new Struct(this.#memory, type) : undefined;
    this.#structs.set(name, struct);
    return struct;
  }

  /** Like tryStruct, and also looks into modules; throws LookupError with the nearest names. */
  struct(name: string): Struct {
    const struct = this.tryStruct(name, { modules: true });
    if (struct === undefined)
      throw this.lack ?? new LookupError(`no structure named "${name}" in this dump`, this.nearest(["struct", "union"], name));
    return struct;
  }

  /** Wraps a structure type that was reached through a member. */
  wrap(type: CType): Struct | undefined {
    const plain = strip(type);
    return plain.kind === "struct" || plain.kind === "union" ? new Struct(this.#memory, plain) : undefined;
  }

  /** A type by C's spelling: "struct task_struct *", "unsigned long", "u8 [4]". Throws LookupError or UsageError. */
  type(spelling: string): CType {
    try {
      return parseTypeName(spelling, this.sources);
    } catch (error) {
      const more = error instanceof LookupError ? [...this.described()] : [];
      if (more.length === 0) throw error;
      return parseTypeName(spelling, [...this.sources, ...more]);
    }
  }

  /** Value of an enum constant; undefined when there is none. */
  constant(name: string): bigint | undefined {
    return this.enumerator(name)?.value;
  }

  /** An enum constant with its enum; undefined when there is none of that name. */
  enumerator(name: string): { readonly value: bigint; readonly type: EnumType } | undefined {
    for (const source of this.sources) {
      const found = source.constant(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Every definition of a name in all sources, those of the dump first; equal ones are not folded. */
  findAll(key: TypeKey, name: string): readonly CType[] {
    return [...this.sources, ...this.described()].flatMap((source) => source.findAll(key, name));
  }

  /** Up to five existing names that share the longest prefix with this one. */
  nearest(keys: readonly TypeKey[], name: string): readonly string[] {
    const find = (prefix: string) => keys.flatMap((key) => this.sources.flatMap((source) => source.names(key, prefix, 5)));
    return namesOfLongestPrefix(name, find).slice(0, 5);
  }
}

function first(sources: Iterable<TypeSource>, key: TypeKey, name: string): CType | undefined {
  for (const source of sources) {
    const found = source.find(key, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
