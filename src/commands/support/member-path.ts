/**
 * Members as `struct`, `list -s`, `tree -s` and `task -R` name them: through embedded and anonymous structures and through pointers, to
 * any depth, with indices and slices of arrays.
 *
 *   task_struct . se.avg.load_avg , pid_links[1] , comm[0..3] , mm->pgd , signal.oom_mm        a dot follows a pointer too
 *
 *   mm->owner->comm     through: [offset of mm, offset of owner]     offset: that of comm in the last structure
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { LookupError, UsageError } from "../../bytes/errors.ts";
import { type CType, findMember, type StructType, sizeOf, strip } from "../../debug-info/c-type.ts";
import type { Memory } from "../../kernel/address-space.ts";
import { missingMember } from "../../kernel/expression/missing-member.ts";
import type { BitPlace } from "./read-value.ts";

export interface MemberPlace {
  /** As it was asked for. */
  readonly path: string;
  readonly type: CType;
  /** Pointers on the way: where each lies in the structure that it is read from. */
  readonly through: readonly number[];
  /** Bytes from the start of the structure: of the outer one, or of the last that a pointer led to. */
  readonly offset: number;
  /** A bitfield's bits within the byte at `offset`. */
  readonly bits: BitPlace | undefined;
  /** Name of the last part: what a declaration of it is called. */
  readonly name: string;
}

const MAX_PARTS = 64;
const PART = /([.]|->)?([A-Za-z_$][\w$]*)((?:\[[^\]]*\])*)(?=\.|->|$)/y;

/** Finds a member by path. Throws LookupError (with near names) or UsageError. */
export function resolveMember(type: StructType, path: string): MemberPlace {
  const walk = new PathWalk(path, type);
  let at = 0;
  for (let parts = 0; at < path.length; parts++) {
    if (parts >= MAX_PARTS) throw new UsageError(`"${path}" has too many parts`);
    PART.lastIndex = at;
    const [whole, link, name, indices = ""] = PART.exec(path) ?? [];
    if (whole === undefined || name === undefined || (link === undefined) !== (at === 0)) {
      const rest = path.slice(at).replace(/^(\.|->)/, "");
      throw new UsageError(`"${path}": "${/^[^.]*/.exec(rest)?.[0] ?? rest}" is no member; members are written member.member[index]`);
    }
    walk.member(name);
    for (const [, index = ""] of indices.matchAll(/\[([^\]]*)\]/g)) walk.index(index);
    at += whole.length;
  }
  if (at === 0) throw new UsageError(`"${path}": a member is missing`);
  return walk.place();
}

/** Where a path has led so far. */
class PathWalk {
  readonly #path: string;
  readonly #through: number[] = [];
  #type: CType;
  #offset = 0;
  #bits: BitPlace | undefined;
  #name = "";

  constructor(path: string, type: StructType) {
    this.#path = path;
    this.#type = type;
  }

  place(): MemberPlace {
    return { path: this.#path, type: this.#type, through: this.#through, offset: this.#offset, bits: this.#bits, name: this.#name };
  }

  member(name: string): void {
    this.#follow();
    const plain = strip(this.#type);
    if (plain.kind === "forward") throw new LookupError(`"${this.#path}": ${plain.of} ${plain.name} has no definition in this dump`);
    if (plain.kind !== "struct" && plain.kind !== "union") throw new UsageError(`"${this.#path}": ${this.#name} is no structure`);
    const found = findMember(plain, name);
    if (found === undefined) throw missingMember(plain, name);
    this.#name = name;
    this.#offset += Math.floor(found.bitOffset / 8);
    this.#bits = found.member.bitSize === undefined ? undefined : { shift: found.bitOffset % 8, size: found.member.bitSize };
    this.#type = found.member.type;
  }

  /** The last member, where it is a pointer, is followed. */
  #follow(): void {
    const plain = strip(this.#type);
    if (plain.kind !== "pointer") return;
    const target = strip(plain.target);
    if (target.kind !== "struct" && target.kind !== "union" && target.kind !== "forward")
      throw new UsageError(`"${this.#path}": ${this.#name} is no pointer to a structure`);
    this.#through.push(this.#offset);
    this.#offset = 0;
    this.#type = plain.target;
  }

  /** `[2]`, `[0x10]`, or `[0..3]` with both ends. */
  index(text: string): void {
    const found = /^(0x[\da-f]+|\d+)(?:\.\.(0x[\da-f]+|\d+))?$/i.exec(text);
    const [first, last] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1])];
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) throw new UsageError(`"${this.#path}": "${text}" is no index`);
    if (last < first) throw new UsageError(`"${this.#path}": [${text}]: ${last} is below ${first}`);
    const plain = strip(this.#type);
    const element = plain.kind === "array" ? plain.element : plain.kind === "pointer" ? plain.target : undefined;
    if (element === undefined) throw new UsageError(`"${this.#path}": ${this.#name} is no array`);
    if (plain.kind === "array" && plain.length > 0 && last >= plain.length)
      throw new UsageError(`"${this.#path}": ${this.#name} has ${plain.length} elements, 0 to ${plain.length - 1}`);
    if (plain.kind === "pointer") {
      this.#through.push(this.#offset);
      this.#offset = 0;
    }
    this.#offset += first * sizeOf(element);
    this.#type = found?.[2] === undefined ? element : { kind: "array", element, length: last - first + 1 };
  }
}

/**
 * Address of a member in the structure at `base`, its pointers followed. Throws FaultError, or LookupError for a NULL pointer on the way.
 */
export function memberAddress(memory: Memory, base: VirtualAddress, { through, offset, path }: MemberPlace): VirtualAddress {
  let address = base;
  for (const at of through) {
    const pointer = memory.u64(add(address, at));
    if (pointer === 0n) throw new LookupError(`a pointer of ${path} is NULL`);
    address = virtual(pointer);
  }
  return add(address, offset);
}
