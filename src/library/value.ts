/**
 * A typed value of the dead kernel as scripts hold it: a place and a type, read when asked. Members follow pointers as C's `->` does.
 *
 *   const init = kernel.variable("init_task");
 *   init.member("mm").member("pgd").bigint()        one step each
 *   init.get("signal->oom_mm.pgd")                  the same in one text
 *   for (const task of init.member("tasks").list("struct task_struct", "tasks")) console.log(task.get("comm").string());
 *   init.$.comm                                     plain property access (interactive.ts)
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import { printTopLevel } from "../commands/support/print-value.ts";
import { ValueReader } from "../commands/support/read-value.ts";
import { symbolLabeller } from "../commands/support/symbol-label.ts";
import type { ValueNode } from "../commands/support/value-node.ts";
import { declare } from "../debug-info/c-format-type.ts";
import { type CType, findMember, sizeOf, strip } from "../debug-info/c-type.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import { Value as EngineValue } from "../kernel/value.ts";
import { type Interactive, interactive } from "./interactive.ts";
import { plain } from "./plain.ts";
import { Containers } from "./value-containers.ts";

/** Most elements that iterating an array yields: an array's length comes from debug information that may be damaged. */
const MAX_ELEMENTS = 1 << 24;

/** A value of the dead kernel: a type, and where its bits are. */
export class Value extends Containers implements Iterable<Value> {
  readonly #engine: Engine;
  /** The engine's value. */
  readonly inner: EngineValue;

  /** Scripts get values from a Kernel; they do not make them. */
  constructor(engine: Engine, inner: EngineValue) {
    super();
    this.#engine = engine;
    this.inner = inner;
  }

  /** The C type. */
  get type(): CType {
    return this.inner.type;
  }

  /** The type as C spells it: "struct task_struct *". */
  get typeName(): string {
    return declare(this.inner.type);
  }

  /** Bytes. */
  get size(): number {
    return sizeOf(this.inner.type);
  }

  /** Address in kernel memory; undefined for results, registers and optimised-out memory. */
  get address(): VirtualAddress | undefined {
    return this.inner.address;
  }

  /** The same with plain property access: `value.$.mm.pgd`, `value.$.comm`. */
  get $(): Interactive {
    return interactive(this);
  }

  /**
   * A member by name, through anonymous members; a pointer to a structure is followed.
   * Throws LookupError when there is no such member, FaultError when a pointer on the way cannot be read.
   */
  override member(name: string): Value {
    return this.#wrap(this.inner.member(name));
  }

  /** Members and elements by path: "mm->pgd", "signal.oom_mm", "comm[0]"; "." and "->" both follow pointers. */
  get(path: string): Value {
    let here: Value = this;
    for (const part of path.split(/->|\.|(?=\[)/)) {
      const index = /^\[(\d+)\]$/.exec(part);
      if (part !== "") here = index === null ? here.member(part) : here.index(Number(index[1]));
    }
    return here;
  }

  /** True when the structure (or what the pointer points to) has such a member. Reads nothing. */
  override has(name: string): boolean {
    const own = strip(this.type);
    const struct = own.kind === "pointer" ? strip(own.target) : own;
    return (struct.kind === "struct" || struct.kind === "union") && findMember(struct, name) !== undefined;
  }

  /** Names of the members, those of anonymous ones included; empty for what is no structure or pointer to one. */
  members(): readonly string[] {
    const own = strip(this.type);
    return memberNames(own.kind === "pointer" ? own.target : own, 0);
  }

  /** Element of an array, or of what a pointer points to. */
  index(i: number): Value {
    return this.#wrap(this.inner.index(i));
  }

  /** Number of elements of an array; undefined for what is none. */
  get length(): number | undefined {
    const own = strip(this.type);
    return own.kind === "array" ? own.length : undefined;
  }

  /** Elements of an array. */
  *[Symbol.iterator](): Iterator<Value> {
    const { length } = this;
    if (length === undefined)
      throw new UnsupportedError(`${this.typeName} is no array: say how many with elements(n), or walk it with list()`);
    yield* this.elements(length);
  }

  /** The first n elements of an array or of what a pointer points to. */
  *elements(n: number): Generator<Value, void, undefined> {
    for (let i = 0; i < Math.min(n, MAX_ELEMENTS); i++) yield this.index(i);
  }

  /** What the pointer points to. */
  dereference(): Value {
    return this.#wrap(this.inner.dereference());
  }

  /** Pointer to this value. Throws UnsupportedError when it has no address. */
  addressOf(): Value {
    if (this.address === undefined) throw new UnsupportedError(`${this.typeName} has no address: it is no value in memory`);
    return this.#immediate({ kind: "pointer", size: 8, target: this.type }, this.address);
  }

  /** The same bits as another type: a number or pointer is converted, what lies in memory is seen as that type. */
  cast(type: string | CType): Value {
    const to = typeof type === "string" ? this.#engine.types.type(type) : type;
    const target = strip(to);
    if (target.kind === "int" || target.kind === "enum" || target.kind === "pointer")
      return this.#immediate(to, isScalar(this.type) ? this.bigint() : this.#place());
    return this.#at(to, this.#place());
  }

  /** C's container_of: the structure of this type whose `member` lies here (for a pointer: where it points). */
  containerOf(type: string, member: string): Value {
    const own = strip(this.type);
    const at = own.kind === "pointer" ? this.inner.pointer() : this.#place();
    return this.containing(type, member)(at);
  }

  /** Integer, enum, pointer or bitfield as a bigint; sign-extended when its type is signed. Throws FaultError. */
  bigint(): bigint {
    return this.inner.bigint();
  }

  /** The same as a number; values beyond 2^53 lose their low bits. */
  number(): number {
    return this.inner.number();
  }

  /** True when it is not zero. */
  boolean(): boolean {
    return this.bigint() !== 0n;
  }

  /** A pointer's value as an address. */
  pointer(): VirtualAddress {
    return this.inner.pointer();
  }

  /** Text of a char array, or of what a char pointer points to. */
  string(max = 4096): string {
    return this.inner.string(max);
  }

  /** The bytes it is made of. Throws FaultError, UnsupportedError for a value that is in no memory. */
  bytes(): Uint8Array {
    const { place } = this.inner;
    if (place === undefined) throw new UnsupportedError(`${this.typeName} is no value in memory`);
    return place.memory.bytes(place.address, this.size);
  }

  /** C's sum: a pointer moves by elements. */
  add(n: number | bigint): Value {
    const own = strip(this.type);
    const step = own.kind === "pointer" ? BigInt(sizeOf(own.target) || 1) : 1n;
    return this.#immediate(this.type, this.bigint() + BigInt(n) * step);
  }

  /** C's difference: between pointers the number of elements, else the numbers' difference. */
  subtract(other: Value | bigint | number): bigint {
    const difference = this.bigint() - toBigint(other);
    const own = strip(this.type);
    return own.kind === "pointer" && other instanceof Value ? difference / BigInt(sizeOf(own.target) || 1) : difference;
  }

  /** Below zero when this is less than the other, zero when they are equal: for sort(). */
  compare(other: Value | bigint | number): number {
    const [a, b] = [this.bigint(), toBigint(other)];
    return a < b ? -1 : a > b ? 1 : 0;
  }

  /** True when both are the same number or pointer. */
  equals(other: Value | bigint | number): boolean {
    return this.bigint() === toBigint(other);
  }

  /**
   * The value read whole as a tree of nodes: kind, type, members with their offsets, symbols behind pointers. It is what `p` answers as
   * data; what cannot be read is a node that says why.
   */
  node(): ValueNode {
    return new ValueReader({ memory: this.inner.memory, label: symbolLabeller(this.#engine) }).value(this.inner);
  }

  /** As gdb and crash print it. @param radix of numbers */
  override toString(radix: 10 | 16 = 10): string {
    return printTopLevel(this.node(), radix);
  }

  /** Plain data: numbers, bigints, strings, arrays, objects; pointers as bigints; what cannot be read as `{ unreadable: reason }`. */
  plain(depth = 3): unknown {
    return plain(this, depth);
  }

  /** plain() to the usual depth. */
  toJSON(): unknown {
    return this.plain();
  }

  #wrap(inner: EngineValue): Value {
    return new Value(this.#engine, inner);
  }

  #immediate(type: CType, value: bigint): Value {
    const wide = strip(type);
    const size = wide.kind === "int" || wide.kind === "enum" ? wide.size * 8 : 64;
    const signed = (wide.kind === "int" || wide.kind === "enum") && wide.signed;
    return this.#wrap(
      new EngineValue(this.inner.memory, type, { immediate: signed ? BigInt.asIntN(size, value) : BigInt.asUintN(size, value) }),
    );
  }

  #at(type: CType, address: bigint): Value {
    return this.#wrap(new EngineValue(this.#engine.memory, type, virtual(address)));
  }

  #place(): VirtualAddress {
    if (this.address === undefined) throw new UnsupportedError(`${this.typeName} has no address: it is no value in memory`);
    return this.address;
  }

  /** The engine that its walks read through. */
  protected override get engine(): Engine {
    return this.#engine;
  }

  protected override head(): VirtualAddress {
    return strip(this.type).kind === "pointer" ? this.inner.pointer() : this.#place();
  }

  protected override containing(type: string, member: string): (node: VirtualAddress) => Value {
    const struct = this.#engine.types.struct(type.replace(/^(struct|union)\s+/, ""));
    const offset = struct.field(member).offset;
    return (node) => this.#at(struct.type, add(node, -offset));
  }

  protected override entry(type: string | undefined, entry: bigint): Value {
    const target: CType = type === undefined ? { kind: "void" } : this.#engine.types.type(type);
    return this.#immediate({ kind: "pointer", size: 8, target }, entry);
  }
}

function toBigint(value: Value | bigint | number): bigint {
  return value instanceof Value ? value.bigint() : BigInt(value);
}

function isScalar(type: CType): boolean {
  const own = strip(type);
  return own.kind === "int" || own.kind === "enum" || own.kind === "pointer";
}

function memberNames(type: CType, depth: number): string[] {
  const own = strip(type);
  if ((own.kind !== "struct" && own.kind !== "union") || depth > 16) return [];
  return own.members.flatMap(({ name, type: inner }) => (name === undefined ? memberNames(inner, depth + 1) : [name]));
}
