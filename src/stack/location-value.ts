/**
 * From where a variable is to a typed value.
 *
 *   memory 0xffff…       Value at that address
 *   register rbx         immediate, cut to the type's width; a structure: bytes
 *   pieces rax:8, ⌀:4    bytes with a hole; a scalar that is not whole is no value
 *   implicit pointer     a pointer whose target is known and has no address
 */
import { virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { type CType, sizeOf, strip } from "../debug-info/c-type.ts";
import type { Location, Piece, SimpleLocation } from "../debug-info/dwarf/expression-location.ts";
import type { Hole } from "../kernel/detached-memory.ts";
import { wrap } from "../kernel/expression/values.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { Value } from "../kernel/value.ts";

/** Larger variables are in memory. */
const MAX_BYTES = 1 << 16;

/** What a location comes to. */
export type Located =
  | { readonly kind: "value"; readonly value: Value; readonly register?: number }
  | { readonly kind: "nowhere" }
  | { readonly kind: "unknown"; readonly reason: string };

/** What the frame adds: registers, their names, and what an implicit pointer points to. */
export interface LocationFrame {
  readonly kernel: Kernel;
  register(register: number): bigint | undefined;
  registerName(register: number): string;
  /** The location of another variable, by the section offset of its entry; undefined when there is no such entry. */
  locate(entry: number): Location | undefined;
}

/** Implicit pointers to what holds implicit pointers, nested. */
const MAX_POINTERS = 8;

export function valueAt(frame: LocationFrame, type: CType, location: Location, depth = 0): Located {
  const { memory } = frame.kernel;
  switch (location.kind) {
    case "none":
      return { kind: "nowhere" };
    case "unknown":
      return { kind: "unknown", reason: location.reason };
    case "memory":
      return { kind: "value", value: new Value(memory, type, virtual(location.address)) };
    case "implicit pointer":
      return pointerTo(frame, type, location, depth);
    default: {
      const read = bytesOf(frame, location, sizeOf(type));
      if (typeof read === "string") return { kind: "unknown", reason: read };
      const register = location.kind === "register" ? { register: location.register } : {};
      if (!isScalar(type)) {
        const known = read.bytes.length > 0 && !read.holes.some(({ start, end }) => start === 0 && end >= read.bytes.length);
        if (!known) return nowhere(read.holes);
        return { kind: "value", value: new Value(memory, type, read), ...register };
      }
      if (read.holes.length > 0) return nowhere(read.holes);
      return { kind: "value", value: new Value(memory, type, { immediate: wrap(littleEndian(read.bytes), type) }), ...register };
    }
  }
}

/** A value of constants of the debug information: DW_AT_const_value. */
export function constantValue(kernel: Kernel, type: CType, constant: bigint | Uint8Array): Value | undefined {
  const size = sizeOf(type);
  if (typeof constant === "bigint") {
    if (isScalar(type)) return new Value(kernel.memory, type, { immediate: wrap(constant, type) });
    return size === 0 || size > 8 ? undefined : new Value(kernel.memory, type, { bytes: toBytes(constant, size) });
  }
  if (constant.length < size || size === 0) return undefined;
  const bytes = constant.slice(0, size);
  return new Value(kernel.memory, type, isScalar(type) && size <= 8 ? { immediate: wrap(littleEndian(bytes), type) } : { bytes });
}

function nowhere(holes: readonly Hole[]): Located {
  const detail = holes.find((each) => each.detail !== undefined)?.detail;
  return detail === undefined ? { kind: "nowhere" } : { kind: "unknown", reason: detail };
}

function isScalar(type: CType): boolean {
  const plain = strip(type);
  return plain.kind === "int" || plain.kind === "enum" || plain.kind === "pointer" || plain.kind === "float";
}

/** A pointer to a variable that has no address: the value it points to, from the offset on. */
function pointerTo(frame: LocationFrame, type: CType, location: SimpleLocation & { kind: "implicit pointer" }, depth: number): Located {
  const plain = strip(type);
  const lost = { kind: "unknown", reason: "it points to a variable that was optimized out" } as const;
  const target = depth >= MAX_POINTERS || plain.kind !== "pointer" ? undefined : frame.locate(location.entry);
  if (target === undefined || plain.kind !== "pointer") return lost;
  const { memory } = frame.kernel;
  if (target.kind === "memory") {
    return { kind: "value", value: new Value(memory, type, { immediate: BigInt.asUintN(64, target.address + location.offset) }) };
  }
  const offset = Number(location.offset);
  const size = sizeOf(plain.target);
  if (!(offset >= 0 && offset + size <= MAX_BYTES)) return lost;
  if (offset === 0) {
    const whole = valueAt(frame, plain.target, target, depth + 1);
    return whole.kind === "value" ? { kind: "value", value: new Value(memory, type, { pointee: whole.value }) } : lost;
  }
  if (target.kind === "none" || target.kind === "unknown" || target.kind === "implicit pointer") return lost;
  const read = bytesOf(frame, target, offset + size);
  if (typeof read === "string") return { kind: "unknown", reason: read };
  const holes = read.holes.flatMap(({ start, end, detail }) =>
    end > offset ? [{ start: Math.max(0, start - offset), end: end - offset, detail }] : [],
  );
  if (holes.some(({ start, end }) => start === 0 && end >= size)) return lost;
  return {
    kind: "value",
    value: new Value(memory, type, { pointee: new Value(memory, plain.target, { bytes: read.bytes.slice(offset), holes }) }),
  };
}

interface Bytes {
  readonly bytes: Uint8Array;
  readonly holes: readonly Hole[];
}

type Readable = Exclude<Location, { kind: "none" | "unknown" | "implicit pointer" | "memory" }>;

/** The value's own bytes; a string says why there are none. */
function bytesOf(frame: LocationFrame, location: Readable, size: number): Bytes | string {
  if (size === 0) return "its type has no size";
  if (size > MAX_BYTES) return `its type has ${size} bytes`;
  if (location.kind === "pieces") return joined(frame, location.pieces, size);
  const bits = bitsOf(frame, location);
  if (typeof bits === "string") return bits;
  const bytes = toBytes(bits.value, size);
  const known = Math.min(size, Math.ceil(bits.width / 8));
  return { bytes, holes: known < size ? [{ start: known, end: size }] : [] };
}

/** A simple location's bits; a string when they are lost. */
function bitsOf(frame: LocationFrame, location: SimpleLocation): { readonly value: bigint; readonly width: number } | string {
  switch (location.kind) {
    case "register": {
      const value = frame.register(location.register);
      return value === undefined ? `needs ${frame.registerName(location.register)}, which this frame does not have` : { value, width: 64 };
    }
    case "value":
      return { value: location.bits, width: location.type === undefined ? 64 : location.type.size * 8 };
    case "bytes":
      return { value: littleEndian(location.bytes), width: location.bytes.length * 8 };
    case "unknown":
      return location.reason;
    case "implicit pointer":
      return "it points to a variable that was optimized out";
    default:
      return "optimized out";
  }
}

/** Pieces one behind the other; those that are nowhere, or lost, leave holes of whole bytes. */
function joined(frame: LocationFrame, pieces: readonly Piece[], size: number): Bytes {
  const holes: Hole[] = [];
  let value = 0n;
  let at = 0;
  for (const piece of pieces) {
    if (at >= size * 8) break;
    const width = Math.min(piece.bits, size * 8 - at);
    const part = pieceBits(frame, piece, width);
    if (typeof part === "string") {
      holes.push({
        start: Math.floor(at / 8),
        end: Math.ceil((at + width) / 8),
        detail: piece.location.kind === "none" ? undefined : part,
      });
    } else {
      value |= BigInt.asUintN(width, part) << BigInt(at);
    }
    at += width;
  }
  if (at < size * 8) holes.push({ start: Math.floor(at / 8), end: size });
  return { bytes: toBytes(value, size), holes: merged(holes) };
}

function pieceBits(frame: LocationFrame, { location, skip }: Piece, width: number): bigint | string {
  if (location.kind === "memory") {
    try {
      const bytes = frame.kernel.memory.bytes(virtual(location.address), Math.ceil((skip + width) / 8));
      return littleEndian(bytes) >> BigInt(skip);
    } catch (error) {
      if (error instanceof FaultError) return error.message;
      throw error;
    }
  }
  const bits = bitsOf(frame, location);
  if (typeof bits === "string") return bits;
  return bits.value >> BigInt(skip);
}

/** Neighbouring holes of the same kind as one. */
function merged(holes: readonly Hole[]): Hole[] {
  const result: Hole[] = [];
  for (const hole of holes) {
    const last = result.at(-1);
    if (last !== undefined && last.end >= hole.start && last.detail === hole.detail) result[result.length - 1] = { ...last, end: hole.end };
    else result.push(hole);
  }
  return result;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

function toBytes(value: bigint, size: number): Uint8Array {
  let rest = value;
  return Uint8Array.from({ length: size }, () => {
    const byte = Number(rest & 0xffn);
    rest >>= 8n;
    return byte;
  });
}
