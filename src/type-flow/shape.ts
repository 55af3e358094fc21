/**
 * What is known of a value while a function is followed: its type, and for pointers where in that type they lead. Values of two ways that
 * meet are joined: what both agree on stays, else nothing is known.
 *
 *   struct sock *sk            pointer to struct sock, at 0
 *   &sk->sk_lock               pointer to struct sock, at 0x98: container_of leads back without loss
 *   rq->cpu_load + 8 * i       pointer to struct rq, at 0x40, and a multiple of 8
 */
import { type CType, sizeOf, strip } from "../debug-info/c-type.ts";

export type Shape =
  | { readonly kind: "constant"; readonly value: bigint }
  /** Bytes from the canonical frame address of the function. */
  | { readonly kind: "stack"; readonly offset: number }
  | PointerShape
  /** A number, or bits that are no pointer. */
  | { readonly kind: "scalar"; readonly type: CType }
  /** Some CPU's copy of what lies at this address of the per-CPU section. */
  | { readonly kind: "per-cpu"; readonly address: bigint }
  /** Distance from the per-CPU section to some CPU's copy. */
  | { readonly kind: "per-cpu base" };

export interface PointerShape {
  readonly kind: "pointer";
  readonly target: CType;
  /** Bytes from the start of the target; negative where the object around it is meant (container_of). */
  readonly offset: number;
  /** An unknown multiple of this many bytes is added; 0: none. */
  readonly stride: number;
}

/** Offsets beyond are no members. */
const MAX_OFFSET = 1n << 31n;

/** The last page is never mapped: error codes in pointers (include/linux/err.h, MAX_ERRNO). */
const MAX_ERROR = 4095n;
/** Kernel addresses of both machines lie above, with up to 56 bits; poison values (include/linux/poison.h) below. */
const KERNEL_HALF = 0xff00_0000_0000_0000n;

/** A value of a type as it stands in a register; undefined for structures, void and what has no size. */
export function shapeOfType(type: CType): Shape | undefined {
  const plain = strip(type);
  switch (plain.kind) {
    case "pointer":
      return { kind: "pointer", target: plain.target, offset: 0, stride: 0 };
    case "int":
    case "enum":
    case "float":
      return { kind: "scalar", type };
    default:
      return undefined;
  }
}

/** NULL, an error code, a poison: constants that a pointer of any type may have. */
export function isNoAddress(value: bigint): boolean {
  return value < KERNEL_HALF || BigInt.asUintN(64, -value) <= MAX_ERROR;
}

/** What both have in common. */
export function joinShapes(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a.kind === "constant" && b.kind === "constant") return a.value === b.value ? a : undefined;
  if (a.kind === "constant") return joinConstant(a.value, b);
  if (b.kind === "constant") return joinConstant(b.value, a);
  if (a.kind === "pointer" && b.kind === "pointer") return joinPointers(a, b);
  return sameShape(a, b) ? a : undefined;
}

function joinConstant(value: bigint, other: Shape): Shape | undefined {
  if (other.kind === "scalar") return other;
  return other.kind === "pointer" && isNoAddress(value) ? other : undefined;
}

function joinPointers(a: PointerShape, b: PointerShape): Shape | undefined {
  if (!sameType(a.target, b.target)) return undefined;
  if (a.offset === b.offset && a.stride === b.stride) return a;
  // A pointer that walks through an array of its target, from its start: what begins behind it (`header + 1`) may be of another type.
  const size = sizeOf(a.target);
  const whole = size > 0 && a.offset % size === 0 && b.offset % size === 0 && a.stride % size === 0 && b.stride % size === 0;
  return whole && (a.offset === 0 || b.offset === 0) ? { ...a, offset: 0, stride: size } : undefined;
}

export function sameShape(a: Shape | undefined, b: Shape | undefined): boolean {
  if (a === undefined || b === undefined || a.kind !== b.kind) return a === b;
  switch (a.kind) {
    case "constant":
      return b.kind === "constant" && a.value === b.value;
    case "stack":
      return b.kind === "stack" && a.offset === b.offset;
    case "per-cpu":
      return b.kind === "per-cpu" && a.address === b.address;
    case "per-cpu base":
      return true;
    case "scalar":
      return b.kind === "scalar" && sameType(a.type, b.type);
    case "pointer":
      return b.kind === "pointer" && a.offset === b.offset && a.stride === b.stride && sameType(a.target, b.target);
  }
}

/** A sum of two values. */
export function addShapes(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (a?.kind === "constant" && b?.kind === "constant") return { kind: "constant", value: BigInt.asUintN(64, a.value + b.value) };
  if (a?.kind === "constant" && b !== undefined) return addConstant(b, a.value);
  if (b?.kind === "constant" && a !== undefined) return addConstant(a, b.value);
  if (a?.kind === "per-cpu base" && b !== undefined) return addPerCpuBase(b);
  if (b?.kind === "per-cpu base" && a !== undefined) return addPerCpuBase(a);
  return undefined;
}

/** An `__percpu` pointer with a CPU's offset is an ordinary pointer to the same type. */
function addPerCpuBase(other: Shape): Shape | undefined {
  return other.kind === "pointer" ? other : undefined;
}

function addConstant(shape: Shape, constant: bigint): Shape | undefined {
  const signed = BigInt.asIntN(64, constant);
  switch (shape.kind) {
    case "per-cpu base":
      return { kind: "per-cpu", address: BigInt.asUintN(64, constant) };
    case "per-cpu":
      return { kind: "per-cpu", address: BigInt.asUintN(64, shape.address + constant) };
    case "stack":
    case "pointer":
      return signed > -MAX_OFFSET && signed < MAX_OFFSET ? { ...shape, offset: shape.offset + Number(signed) } : undefined;
    case "scalar":
      return strip(shape.type).kind === "int" ? shape : undefined;
    default:
      return undefined;
  }
}

/** An unknown multiple of some bytes is added to a pointer. */
export function addMultiple(shape: Shape | undefined, stride: number): Shape | undefined {
  if (shape?.kind !== "pointer" || stride < 1) return undefined;
  return { ...shape, stride: shape.stride === 0 ? stride : gcd(shape.stride, stride) };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Two spellings of one type: structures by tag and size, others by what they are made of. */
export function sameType(a: CType, b: CType, depth = 0): boolean {
  const x = strip(a);
  const y = strip(b);
  if (x === y) return true;
  if (depth > 8) return false;
  switch (x.kind) {
    case "void":
      return y.kind === "void";
    case "int":
      return y.kind === "int" && x.size === y.size && x.signed === y.signed && x.encoding === y.encoding;
    case "float":
      return y.kind === "float" && x.size === y.size;
    case "pointer":
      return y.kind === "pointer" && sameType(x.target, y.target, depth + 1);
    case "array":
      return y.kind === "array" && x.length === y.length && sameType(x.element, y.element, depth + 1);
    case "struct":
    case "union":
      if (y.kind === "forward") return y.of === x.kind && x.name === y.name;
      return y.kind === x.kind && x.name === y.name && x.size === y.size && x.members.length === y.members.length && sameMembers(x, y);
    case "enum":
      return y.kind === "enum" && x.name === y.name && x.size === y.size;
    case "forward":
      return (y.kind === "forward" && x.of === y.of && x.name === y.name) || (y.kind === x.of && x.name === y.name);
    case "function":
      return (
        y.kind === "function" &&
        x.parameters.length === y.parameters.length &&
        sameType(x.returns, y.returns, depth + 1) &&
        x.parameters.every(({ type }, i) => sameType(type, y.parameters[i]?.type ?? type, depth + 1))
      );
  }
}

/** Anonymous structures have nothing but their members to be told by. */
function sameMembers(
  x: { readonly name: string | undefined; readonly members: readonly { readonly name: string | undefined; readonly bitOffset: number }[] },
  y: { readonly members: readonly { readonly name: string | undefined; readonly bitOffset: number }[] },
): boolean {
  if (x.name !== undefined) return true;
  return x.members.every(({ name, bitOffset }, i) => y.members[i]?.name === name && y.members[i]?.bitOffset === bitOffset);
}
