/**
 * The member that an access touches: from a type, an offset and a size to `sk_lock.slock`, `cpu_load[2]`, through anonymous structures and
 * unions. Where a union gives several, those of the access's own size are taken, and all of them are named.
 *
 *   struct sock, offset 0x258, 8 bytes  ─►  sk_socket (struct socket *)
 */
import { type CType, type Member, sizeOf, strip } from "../debug-info/c-type.ts";
import type { PointerShape } from "./shape.ts";

/** One way to name what lies at an offset. */
export interface MemberPath {
  /** "sk_lock.slock", "[3].next"; empty for the whole target. */
  readonly path: string;
  readonly type: CType;
  /** Bytes from the start of what the path names. */
  readonly leftover: number;
  readonly bitfield: boolean;
}

/** Structures nest no deeper; a damaged type table may. */
const MAX_DEPTH = 32;
/** Members of unions that are told. */
const MAX_CANDIDATES = 8;

/**
 * What a pointer leads to, for an access of `size` bytes; 0 for its address alone: the outermost member that starts there. Empty when the
 * place is outside of the target, or the target is not known.
 */
export function membersAt({ target, offset, stride }: PointerShape, size: number): readonly MemberPath[] {
  const whole = sizeOf(target);
  const candidates: MemberPath[] = [];
  const walk = new Walk(size, candidates);
  if (stride > 0 && whole > 0 && stride % whole === 0) {
    walk.into(target, ((offset % whole) + whole) % whole, "[]", 0, 0);
  } else if (stride === 0 && strip(target).kind !== "struct" && strip(target).kind !== "union" && whole > 0) {
    // `char *p`: p[3]. Structures are reached from their start; what lies beyond them is told by nothing.
    const index = Math.floor(offset / whole);
    if (offset >= 0) walk.into(target, offset - index * whole, index === 0 ? "" : `[${index}]`, 0, 0);
  } else {
    walk.into(target, offset, "", stride, 0);
  }
  const fitting = candidates.filter(({ type, leftover }) => leftover === 0 && sizeOf(type) === size);
  // A structure of one member is as large as that.
  const inner = fitting.filter(({ path }) => !fitting.some((each) => each.path.startsWith(`${path}.`) || each.path.startsWith(`${path}[`)));
  return withoutGroups(size > 0 && inner.length > 0 ? inner : candidates);
}

/** struct_group() (include/linux/stddef.h) makes a union of members and of a structure with the same members: one of the two is enough. */
function withoutGroups(candidates: readonly MemberPath[]): readonly MemberPath[] {
  return candidates.filter(({ path }) => !candidates.some((each) => each.path !== "" && path.endsWith(`.${each.path}`)));
}

/** Names of all of them, the first few for the eye. */
export function pathsOf(candidates: readonly MemberPath[], shown: number = MAX_CANDIDATES): string {
  const paths = candidates.map(({ path }) => path);
  return paths.length > shown ? `${paths.slice(0, shown).join("|")}|...` : paths.join("|");
}

/** The type that all of them have when it is read whole by an access of `size` bytes; undefined otherwise. */
export function typeRead(candidates: readonly MemberPath[], size: number, same: (a: CType, b: CType) => boolean): CType | undefined {
  const [first] = candidates;
  if (first === undefined || first.bitfield || first.leftover !== 0 || sizeOf(first.type) !== size) return undefined;
  return candidates.every(({ type, leftover, bitfield }) => leftover === 0 && !bitfield && same(type, first.type)) ? first.type : undefined;
}

class Walk {
  readonly #size: number;
  readonly #found: MemberPath[];

  constructor(size: number, found: MemberPath[]) {
    this.#size = size;
    this.#found = found;
  }

  into(type: CType, offset: number, path: string, stride: number, depth: number): void {
    if (depth > MAX_DEPTH || this.#found.length >= MAX_CANDIDATES || offset < 0) return;
    const plain = strip(type);
    switch (plain.kind) {
      case "struct":
      case "union":
        // The address of a structure, or a copy of all of it.
        if (path !== "" && offset === 0 && stride === 0 && (this.#size === 0 || this.#size === plain.size) && !path.endsWith("]")) {
          this.#add({ path, type, leftover: 0, bitfield: false });
          if (this.#size === 0) return;
        }
        for (const member of plain.members) this.#member(member, plain.size, offset, path, stride, depth);
        return;
      case "array":
        this.#element(plain.element, plain.length, type, offset, path, stride, depth);
        return;
      case "void":
      case "function":
      case "forward":
        return;
      default:
        if (stride === 0 && offset < Math.max(1, plain.size)) this.#add({ path, type, leftover: offset, bitfield: false });
    }
  }

  #member({ name, type, bitOffset, bitSize }: Member, whole: number, offset: number, path: string, stride: number, depth: number): void {
    const joined = name === undefined ? path : path === "" ? name : `${path}.${name}`;
    const start = bitOffset >> 3;
    if (bitSize !== undefined) {
      const last = (bitOffset + Math.max(bitSize, 1) - 1) >> 3;
      const reach = Math.max(this.#size, 1);
      if (start < offset + reach && last >= offset && stride === 0) {
        this.#add({ path: joined, type, leftover: Math.max(0, offset - start), bitfield: true });
      }
      return;
    }
    const size = sizeOf(type);
    // A flexible array ends where nothing is known of.
    const flexible = size === 0 && strip(type).kind === "array" && start >= whole - 8;
    if (offset < start || (offset >= start + size && !flexible)) return;
    this.into(type, offset - start, joined, stride, depth + 1);
  }

  #element(element: CType, length: number, type: CType, offset: number, path: string, stride: number, depth: number): void {
    const size = sizeOf(element);
    if (size === 0) return;
    if (stride === 0 && this.#size === 0 && offset === 0 && path !== "") {
      this.#add({ path, type, leftover: 0, bitfield: false });
      return;
    }
    const index = Math.floor(offset / size);
    if (length > 0 && index >= length) return;
    if (stride === 0) this.into(element, offset - index * size, `${path}[${index}]`, 0, depth + 1);
    else if (stride % size === 0) this.into(element, offset - index * size, `${path}[]`, 0, depth + 1);
    // Steps smaller than the element: an array within it.
    else if (size % stride === 0) this.into(element, offset - index * size, `${path}[${index}]`, stride, depth + 1);
  }

  #add(found: MemberPath): void {
    if (this.#found.length < MAX_CANDIDATES && !this.#found.some(({ path }) => path === found.path)) this.#found.push(found);
  }
}
