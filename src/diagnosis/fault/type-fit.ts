/**
 * Which structure fits what is known of an untyped pointer: the places that the code reads and writes through it, what it passes on of it
 * to functions with a prototype, the size that was allocated, the words that lie there.
 *
 *   void *data = from->private_data
 *   mov 0x18(%rax),%rdx          8 bytes at 0x18               struct lab_ring    u64 head; u32 mask …    no member of 8 bytes at 0x18
 *   lea 0x28(%rax),%rdi          mutex_lock(struct mutex *)     struct lab_device  … slots at 0x18, lock at 0x28          fits
 *   object of kmalloc-96         at most 96 bytes
 *
 * Only structures that a module itself defines are tried, and only one that alone fits is believed.
 */
import { type CType, type StructType, sizeOf, strip } from "../../debug-info/c-type.ts";
import { membersAt } from "../../type-flow/member-path.ts";
import { sameType } from "../../type-flow/shape.ts";

/** A use of a pointer: bytes from where it leads. */
export interface PlaceUsed {
  readonly offset: number;
  /** Bytes read or written; 0 with `type`. */
  readonly size: number;
  /** The structure that the code takes to lie there. */
  readonly type?: StructType;
  /** What is used through the pointer that lies there. */
  readonly pointee?: readonly PlaceUsed[];
}

export interface FitInput {
  readonly places: readonly PlaceUsed[];
  /** Bytes that were asked for when it was allocated. */
  readonly allocated?: number;
  /** Bytes of the slab object that it leads to the start of, and of the next smaller cache that there is: what fits there is not here. */
  readonly objectSize?: number;
  readonly smallerSize?: number;
  /** Bytes from the object's start to where the pointer leads: an element of an array. */
  readonly into?: number;
  /** Bytes that the code goes back from the pointer to the structure around it (container_of). */
  readonly back?: number;
  /** Reads 8 bytes at an offset of what it leads to. */
  readonly word?: (offset: number) => bigint | undefined;
  /** Is a word one that a pointer may hold? */
  readonly mayBePointer?: (word: bigint) => boolean;
}

export interface Fit {
  readonly type: StructType;
  /** Where in the structure the pointer leads. */
  readonly offset: number;
}

/** Pointers of a structure that are held against memory. */
const MAX_POINTERS = 64;
/** The one of the structures that fits; undefined when none does, or several do. */
export function fittingStructure(structures: Iterable<StructType>, input: FitInput): Fit | undefined {
  const different = new Set(input.places.map(({ offset, size, type }) => `${offset} ${size} ${type?.name ?? ""}`));
  const known = input.places.some(({ type }) => type !== undefined) || input.allocated !== undefined;
  // One access alone says too little, unless the object tells something of the size.
  if (different.size < 2 && !known && input.objectSize === undefined) return undefined;
  const found: Fit[] = [];
  for (const type of structures) {
    if (type.kind !== "struct" || type.size === 0) continue;
    if (input.allocated !== undefined && !hasSize(type, input.allocated)) continue;
    for (const offset of startsIn(type, input)) {
      if (offset === 0 && !hasRoom(type, input, different.size < 2)) continue;
      if (fits(type, offset, input)) found.push({ type, offset });
    }
  }
  // A module may define one structure twice, and members that are structures begin with themselves.
  const outer = found.filter(({ type, offset }) => !found.some((each) => each.type !== type && embeds(each, type, offset)));
  if (outer.length < 2) return outer[0];
  // What lies there tells them apart; alone it proves nothing, the memory may be what is wrong.
  const sound = outer.filter(({ type, offset }) => holdsPointers(type, offset, input));
  return sound.length === 1 ? sound[0] : undefined;
}

/** A structure holds the other where the pointer leads: `struct a { struct b first; … }`. */
function embeds(outer: Fit, inner: StructType, into: number): boolean {
  return membersAt({ kind: "pointer", target: outer.type, offset: outer.offset - into, stride: 0 }, inner.size).some(
    ({ type, leftover }) => leftover === 0 && sameType(type, inner),
  );
}

/** Where in a structure the pointer may lead: its start, or the members of a type that it is known to lead to. */
function startsIn(type: StructType, { places, back }: FitInput): readonly number[] {
  if (back !== undefined) return hasStructureAt(type, back) ? [back] : [];
  const named = places.find((place) => place.type !== undefined);
  const isOutside = places.some(({ offset }) => offset < 0);
  if (named?.type === undefined) return isOutside ? [] : [0];
  const starts = offsetsOf(type, named.type, 0, 0).map((offset) => offset - named.offset);
  // Only what is itself of the type may stand anywhere in the structure around it.
  return starts.filter((start) => (named.offset === 0 ? start >= 0 : start === 0));
}

/** What container_of() goes back from is a structure: a list_head, a timer, a work item. */
function hasStructureAt(type: StructType, offset: number): boolean {
  return membersAt({ kind: "pointer", target: type, offset, stride: 0 }, 0).some((each) => {
    const plain = strip(each.type);
    return each.leftover === 0 && (plain.kind === "struct" || plain.kind === "union");
  });
}

function offsetsOf(type: CType, wanted: StructType, base: number, depth: number): readonly number[] {
  const plain = strip(type);
  if ((plain.kind !== "struct" && plain.kind !== "union") || depth > 6) return [];
  if (sameType(plain, wanted)) return [base];
  return plain.members.flatMap(({ type: member, bitOffset, bitSize }) =>
    bitSize === undefined ? offsetsOf(member, wanted, base + (bitOffset >> 3), depth + 1) : [],
  );
}

function hasSize(type: StructType, allocated: number): boolean {
  return type.size === allocated || (isFlexible(type) && type.size < allocated);
}

/** @param alone one access is all that is known: then an element must begin at a multiple of its size, and stand in no other structure */
function hasRoom(type: StructType, { objectSize, smallerSize = 0, into = 0 }: FitInput, alone: boolean): boolean {
  if (objectSize === undefined) return true;
  if (into > 0) return into + type.size <= objectSize && (!alone || into % type.size === 0);
  return type.size <= objectSize && (isFlexible(type) || type.size > smallerSize);
}

function isFlexible({ members }: StructType): boolean {
  const last = members.at(-1);
  return last !== undefined && strip(last.type).kind === "array" && sizeOf(last.type) === 0;
}

function fits(type: StructType, start: number, { places }: FitInput): boolean {
  for (const place of places) {
    const members = membersAt({ kind: "pointer", target: type, offset: start + place.offset, stride: 0 }, place.size);
    if (place.type === undefined ? !members.some((each) => isWhole(each, place.size)) : false) return false;
    if (place.type !== undefined && !offsetsOf(type, place.type, 0, 0).includes(start + place.offset)) return false;
    if (place.pointee !== undefined && !members.some((each) => leadsTo(each.type, place.pointee ?? []))) return false;
  }
  return true;
}

function holdsPointers(type: StructType, start: number, { word, mayBePointer }: FitInput): boolean {
  if (word === undefined || mayBePointer === undefined) return true;
  return pointersIn(type, 0, 0)
    .slice(0, MAX_POINTERS)
    .every((offset) => {
      const found = word(offset - start);
      return found === undefined || mayBePointer(found);
    });
}

/** A pointer to something that has what is used through it; one to functions has nothing. */
function leadsTo(type: CType, places: readonly PlaceUsed[]): boolean {
  const plain = strip(type);
  if (plain.kind !== "pointer") return false;
  const target = strip(plain.target);
  if (target.kind === "function") return false;
  if (target.kind !== "struct" || target.size === 0) return true;
  return places.every(
    ({ offset, size }) => offset < 0 || membersAt({ kind: "pointer", target, offset, stride: 0 }, size).some((each) => isWhole(each, size)),
  );
}

/**
 * The access is of the whole member, of some of its bits, or of the low half of a number; what copies 16 bytes and more may take several
 * members at once.
 */
function isWhole({ type, leftover, bitfield }: ReturnType<typeof membersAt>[number], size: number): boolean {
  if (bitfield) return true;
  return leftover === 0 && (sizeOf(type) === size || size >= 16 || (strip(type).kind === "int" && size < sizeOf(type)));
}

/** Offsets of the structure's pointers, of structures within it too; not those of unions, which may hold something else. */
function pointersIn(type: CType, base: number, depth: number): readonly number[] {
  const plain = strip(type);
  if (plain.kind === "pointer") return [base];
  if (plain.kind !== "struct" || depth > 4) return [];
  return plain.members.flatMap(({ type: member, bitOffset, bitSize }) =>
    bitSize === undefined ? pointersIn(member, base + (bitOffset >> 3), depth + 1) : [],
  );
}
