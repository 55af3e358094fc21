/**
 * What a walk through the kernel's structures collects: broken lists at once, pointers and counters to be judged when all are known, since
 * what is usual in this dump is part of the judgement.
 *
 *   sources (structures/) ──ring(), pointer(), count()──► survey ──► judge-pointers.ts, judge-counts.ts ──► Damage[]
 *
 * Every structure is bounded, and so is the whole: a survey that has used up its objects looks at no more.
 */
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { checkChain, checkNeighbour, checkNode } from "./chain.ts";
import { type Damage, pointerClass, type Witness } from "./damage.ts";
import { linkDamage, pointerDamage } from "./link-damage.ts";
import { pointerOf, wordAt } from "./look.ts";
import { checkRing } from "./ring.ts";
import type { CountFact, Head, PointerFact } from "./survey-facts.ts";
import type { TargetKind } from "./target-kind.ts";
import type { Targets } from "./targets.ts";
import { checkTree } from "./tree.ts";

/** Objects of all types that one survey looks at. */
const MAX_OBJECTS = 60_000;
/** Nodes of one list. */
const MAX_RING = 1 << 17;

export class Survey {
  readonly kernel: Kernel;
  readonly targets: Targets;
  readonly damage: Damage[] = [];
  readonly pointers: PointerFact[] = [];
  readonly counts: CountFact[] = [];
  /** Of objects that tasks take a reference of when they are made: by how many they are held. */
  readonly holders = new Map<bigint, number>();
  /** Lists that were walked, and their nodes: how often the rule was put to the test. */
  rings = 0;
  nodes = 0;
  /** By type and member: how often a word was held against what it must be, and those that were not that. */
  readonly #certain = new Map<string, { tried: number; readonly wrong: Damage[] }>();
  #objects = 0;
  readonly #seen = new Map<string, Set<bigint>>();
  readonly #fields = new Map<string, Field | undefined>();

  constructor(kernel: Kernel, targets: Targets) {
    this.kernel = kernel;
    this.targets = targets;
  }

  /** Whether an object is met for the first time; false for all when the survey is full. */
  visit(type: string, object: bigint): boolean {
    let seen = this.#seen.get(type);
    if (seen === undefined) {
      seen = new Set();
      this.#seen.set(type, seen);
    }
    if (seen.has(object) || this.#objects >= MAX_OBJECTS) return false;
    seen.add(object);
    this.#objects++;
    return true;
  }

  /** Objects of a type that were met. */
  met(type: string): ReadonlySet<bigint> {
    return this.#seen.get(type) ?? new Set();
  }

  field(type: string, member: string): Field | undefined {
    const key = `${type}.${member}`;
    if (this.#fields.has(key)) return this.#fields.get(key);
    const field = this.kernel.types.tryStruct(type)?.tryField(member);
    this.#fields.set(key, field);
    return field;
  }

  /** Runs one source; what stops it in damaged memory stops no other. */
  quietly(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }

  /** The value of a pointer that can be read, without judging it; undefined for NULL too. */
  follow(type: string, member: string, object: VirtualAddress): VirtualAddress | undefined {
    const field = this.field(type, member);
    const word = field === undefined ? undefined : wordAt(this.kernel, field.address(object));
    return typeof word !== "bigint" || word === 0n ? undefined : pointerOf(this.kernel, word);
  }

  /** Takes a pointer for the judgement; NULL is always right. @returns where it leads, when an object of the kind may stand there */
  pointer(
    type: string,
    member: string,
    object: VirtualAddress,
    target: TargetKind,
    equals?: PointerFact["equals"],
  ): VirtualAddress | undefined {
    const field = this.field(type, member);
    const word = field === undefined || field.size !== 8 ? undefined : wordAt(this.kernel, field.address(object));
    if (field === undefined || typeof word !== "bigint") return undefined;
    if (word === 0n && equals === undefined) return undefined;
    const value = pointerOf(this.kernel, word);
    this.pointers.push({ type, field, object, value: word, target, ...(equals === undefined ? {} : { equals }) });
    if (value === 0n) return undefined;
    // An object whose own words are damaged still stands where such objects do.
    return this.targets.valid(target, value, field) !== "no" || this.targets.isUsual(target, value) ? value : undefined;
  }

  /** Another pointer that must be the same, as a witness; undefined where it cannot be read, or is NULL. */
  sameAs(type: string, member: string, object: VirtualAddress, what: string): PointerFact["equals"] {
    const value = this.follow(type, member, object);
    const address = this.field(type, member)?.address(object);
    return value === undefined || address === undefined ? undefined : { value, what, address, doubtful: true };
  }

  /** A holder of an object who took a reference of it. */
  hold(object: VirtualAddress): void {
    this.holders.set(object, (this.holders.get(object) ?? 0) + 1);
  }

  /** Takes a reference counter of an object that is referenced for certain. */
  count(type: string, members: readonly string[], object: VirtualAddress, why: string): void {
    for (const member of members) {
      const field = this.field(type, member);
      if (field === undefined || (field.size !== 4 && field.size !== 8)) continue;
      const value = field.size === 8 ? this.kernel.memory.tryU64(field.address(object)) : this.kernel.memory.tryU32(field.address(object));
      if (value === undefined) return;
      this.counts.push({ type, field, object, value: BigInt.asIntN(field.size * 8, BigInt(value)), why });
      return;
    }
  }

  /** The objects of a list, as far as they are reached from both ends; its damage is taken down. */
  ring(structure: string, head: Head, type: string, member: string): VirtualAddress[] {
    const link = this.field(type, member);
    const address = "symbol" in head ? head.address : this.field(head.type, head.member)?.address(head.object);
    if (link === undefined || address === undefined) return [];
    const { nodes, broken } = checkRing(this.kernel, address, MAX_RING);
    this.rings++;
    this.nodes += nodes.length;
    for (const each of broken) this.damage.push(linkDamage(this.kernel, structure, head, address, type, link, each));
    return nodes.map((node) => virtual(add(node, -link.offset)));
  }

  /** The objects of a chain that ends with NULL (hlist). */
  chain(structure: string, head: Head, type: string, member: string): VirtualAddress[] {
    const link = this.field(type, member);
    const address = "symbol" in head ? head.address : this.field(head.type, head.member)?.address(head.object);
    if (link === undefined || address === undefined) return [];
    const { nodes, broken } = checkChain(this.kernel, address, MAX_RING);
    this.rings++;
    this.nodes += nodes.length;
    for (const each of broken) this.damage.push(pointerDamage(this.kernel, structure, head, type, link, each));
    return nodes.map((node) => virtual(add(node, -link.offset)));
  }

  /** A node of a chain whose head is not looked for: its neighbours on both sides. */
  chained(structure: string, type: string, member: string, object: VirtualAddress): void {
    const link = this.field(type, member);
    const broken = link === undefined ? undefined : checkNode(this.kernel, link.address(object));
    if (link !== undefined && broken !== undefined)
      this.damage.push(pointerDamage(this.kernel, structure, { type, member, object }, type, link, broken));
  }

  /** The objects of a red-black tree, from its root (struct rb_root, rb_root_cached). */
  tree(structure: string, head: Head, type: string, member: string): VirtualAddress[] {
    const link = this.field(type, member);
    const address = "symbol" in head ? head.address : this.field(head.type, head.member)?.address(head.object);
    if (link === undefined || address === undefined) return [];
    const { nodes, broken } = checkTree(this.kernel, address, MAX_RING);
    this.rings++;
    this.nodes += nodes.length;
    for (const each of broken) this.damage.push(pointerDamage(this.kernel, structure, head, type, link, each));
    return nodes.map((node) => virtual(add(node, -link.offset)));
  }

  /** An object of a double chain without a head, and the one behind it. */
  neighbour(structure: string, type: string, next: string, prev: string, object: VirtualAddress): void {
    const [ahead, back] = [this.field(type, next), this.field(type, prev)];
    if (ahead === undefined || back === undefined) return;
    this.nodes++;
    const broken = checkNeighbour(this.kernel, object, ahead, back);
    if (broken === undefined) return;
    const { address, found, expected, witness } = broken;
    this.damage.push({
      structure,
      type,
      member: next,
      object,
      address,
      size: 8,
      found,
      ...(expected === undefined ? { unproved: true as const } : { expected }),
      ...(witness === undefined ? {} : { witness: { what: `${hex16(expected ?? 0n)} leads back to it`, address: witness, value: object } }),
      ...pointerClass(this.kernel, address, found, expected, true),
    });
  }

  /** A word of which others say what it must be, whatever stands there. It is judged when all are known: settled(). */
  must(
    known: Pick<Damage, "structure" | "type" | "member" | "object" | "address"> & { readonly expected: bigint; readonly witness: Witness },
  ): void {
    const { expected, address } = known;
    const word = wordAt(this.kernel, address);
    if (typeof word !== "bigint") return;
    this.nodes++;
    const key = `${known.type}.${known.member}`;
    const group = this.#certain.get(key) ?? { tried: 0, wrong: [] };
    this.#certain.set(key, group);
    group.tried++;
    if (word === expected || pointerOf(this.kernel, word) === expected) return;
    group.wrong.push({ ...known, size: 8, found: word, ...pointerClass(this.kernel, address, word, expected, false) });
  }

  /** Damage that must() found; none of a rule that is broken in more than one of fifty places. Words side by side are one place. */
  settled(): Damage[] {
    return [...this.#certain.values()].flatMap(({ tried, wrong }) => {
      const sorted = [...wrong].sort((a, b) => (a.address < b.address ? -1 : 1));
      const places = sorted.filter(({ address }, i) => i === 0 || address - (sorted[i - 1] as Damage).address > 8n).length;
      return places > Math.max(2, tried / 50) ? [] : wrong;
    });
  }

  /** Two objects that lead to each other: the pointer's target must lead back. Told only where one bit makes it so. */
  mutual(type: string, member: string, object: VirtualAddress, target: string, back: string): void {
    const [ahead, behind] = [this.field(type, member), this.field(target, back)];
    const broken = ahead === undefined || behind === undefined ? undefined : checkNeighbour(this.kernel, object, ahead, behind);
    if (broken?.expected === undefined || broken.witness === undefined) return;
    const { address, found, expected, witness } = broken;
    const known = { what: `${hex16(expected)} leads back to it`, address: witness, value: object };
    const { class: name, why } = pointerClass(this.kernel, address, found, expected, false);
    this.damage.push({
      structure: `struct ${type}`,
      type,
      member,
      object,
      address,
      size: 8,
      found,
      expected,
      witness: known,
      class: name,
      why,
    });
  }
}
