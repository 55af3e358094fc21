/** Columns of `kmem -m`: members of struct page, read out of a run of page structures. */
import { hex16 } from "../../bytes/address.ts";
import { LookupError, UsageError } from "../../bytes/errors.ts";
import { type CType, strip } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";

export interface MemberColumn {
  readonly name: string;
  /** Least width of the column. */
  readonly width: number;
  readonly parts: readonly Part[];
}

interface Part {
  readonly offset: number;
  readonly size: number;
  readonly how: "flags" | "pointer" | "number" | "counter";
  readonly signed: boolean;
}

/** Parts of a structure that is shown whole. */
const MAX_PARTS = 64;

/** Throws UsageError for no member, LookupError for one that struct page does not have. */
export function memberColumns(kernel: Kernel, names: readonly string[]): readonly MemberColumn[] {
  if (names.length === 0) throw new UsageError("kmem: -m wants members of struct page: kmem -m flags,_refcount");
  const page = kernel.types.struct("page");
  return names.map((name) => {
    const field = page.tryField(name);
    if (field === undefined) throw new LookupError(`kmem: struct page has no member "${name}" (struct page shows them)`);
    if (field.bitSize !== undefined) throw new UsageError(`kmem: -m: ${name} is a bit field`);
    const parts = [...partsOf(field.type, field.offset, name)].slice(0, MAX_PARTS);
    const width = parts.reduce((sum, { how, size }) => sum + (how === "flags" || how === "pointer" ? size * 2 + 1 : 0), 0);
    return { name, width: Math.max(name.length, width - 1), parts };
  });
}

/** Scalars of a type, in order; unions by their first member. */
function* partsOf(type: CType, offset: number, name: string): Iterable<Part> {
  const plain = strip(type);
  switch (plain.kind) {
    case "struct":
      for (const member of plain.members) {
        if (member.bitSize !== undefined) continue;
        yield* partsOf(member.type, offset + member.bitOffset / 8, member.name === "counter" ? name : (member.name ?? name));
      }
      return;
    case "union": {
      const first = plain.members[0];
      if (first !== undefined) yield* partsOf(first.type, offset, first.name ?? name);
      return;
    }
    case "array":
      for (let i = 0; i < Math.min(plain.length, MAX_PARTS); i++)
        yield* partsOf(plain.element, offset + i * elementSize(plain.element), name);
      return;
    case "pointer":
      yield { offset, size: 8, how: "pointer", signed: false };
      return;
    case "int":
    case "enum": {
      const leaf = name.split(".").at(-1) ?? name;
      const how =
        leaf === "flags" || leaf === "f"
          ? "flags"
          : /^_?(refcount|count|mapcount|_refcount|_count|_mapcount)$/.test(leaf)
            ? "counter"
            : "number";
      yield { offset, size: plain.size, how, signed: plain.signed };
      return;
    }
    default:
  }
}

function elementSize(type: CType): number {
  const plain = strip(type);
  return "size" in plain ? plain.size : 8;
}

function read(part: Part, view: DataView, base: number): bigint {
  const at = base + part.offset;
  switch (part.size) {
    case 1:
      return BigInt(part.signed ? view.getInt8(at) : view.getUint8(at));
    case 2:
      return BigInt(part.signed ? view.getInt16(at, true) : view.getUint16(at, true));
    case 4:
      return BigInt(part.signed ? view.getInt32(at, true) : view.getUint32(at, true));
    default:
      return part.signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
  }
}

/** As JSON: counters are numbers, all else are words; several parts are a list. */
export function memberValue({ parts }: MemberColumn, view: DataView, base: number): unknown {
  const values = parts.map((part) =>
    part.how === "counter" ? Number(read(part, view, base)) : BigInt.asUintN(part.size * 8, read(part, view, base)),
  );
  return values.length === 1 ? values[0] : values;
}

export function memberText({ parts }: MemberColumn, view: DataView, base: number, radix: 10 | 16): string {
  return parts
    .map((part) => {
      const value = read(part, view, base);
      if (part.how === "flags" || part.how === "pointer") return hex16(BigInt.asUintN(64, value));
      if (part.how === "counter" || radix === 10) return value.toString();
      return BigInt.asUintN(part.size * 8, value).toString(16);
    })
    .join(",");
}
