/**
 * What a pointer that moved was counted from: a loop over a structure's array keeps only where it is by now, and with that neither the type
 * nor the object that the code means are told by the pointer itself.
 *
 *   lea 0xe0(%rdi),%rbx     ◄─ rbx = vif + 0xe0: the anchor is vif, which another register or the caller still holds
 *   ┌► mov (%rbx),%rdi          the load's base is rbx; it belongs to *vif as long as it lies within
 *   └─ add $0x8,%rbx
 */
import type { CType } from "../../debug-info/c-type.ts";
import type { Origin } from "../../type-flow/origin.ts";
import type { KnownValues } from "./known-values.ts";
import { pointedTo } from "./origin-step.ts";

export interface Anchor {
  readonly value: bigint;
  readonly leaf: Origin;
  /** Register that still holds it. */
  readonly held?: string;
  /** It was read from memory that may have changed since. */
  readonly reread?: true;
  /** Structure that the code takes it for. */
  readonly type?: { readonly target: CType; readonly name: string };
  /** Bytes from it to where the counting began, where those are a constant of the code. */
  readonly first?: bigint;
}

/** Ways that meet, and sums of sums. */
const MAX_DEPTH = 8;

/** undefined when the pointer was not moved, or may come from several. */
export function anchorOf(values: KnownValues, level: number, pointer: Origin | undefined): Anchor | undefined {
  if (pointer?.kind !== "merge" && pointer?.kind !== "sum") return undefined;
  const found = leavesOf(pointer, 0n, 0).map(({ leaf, added }): Anchor | undefined => {
    const known = values.of(level, leaf);
    if (known === undefined) return undefined;
    const type = "type" in leaf ? pointedTo(leaf.type) : undefined;
    return { ...known, leaf, ...(type === undefined ? {} : { type }), ...(added === undefined ? {} : { first: added }) };
  });
  // What one of them was may have been the one.
  const [first] = found;
  return first !== undefined && found.every((each) => each?.value === first.value) ? first : undefined;
}

interface Leaf {
  readonly leaf: Origin;
  readonly added: bigint | undefined;
}

function leavesOf(origin: Origin, added: bigint | undefined, depth: number): readonly Leaf[] {
  if (depth > MAX_DEPTH) return [];
  switch (origin.kind) {
    // The loop itself.
    case "unknown":
      return [];
    case "sum": {
      const all = added === undefined || origin.added === undefined ? undefined : added + origin.added;
      return origin.from === undefined ? [] : leavesOf(origin.from, all, depth + 1);
    }
    case "merge":
      return origin.of.flatMap((each) => leavesOf(each, added, depth + 1));
    default:
      return [{ leaf: origin, added }];
  }
}

/** A loop adds something to the pointer: one of the values that meet is a sum of what the loop itself had. */
export function isMoved(pointer: Origin | undefined): boolean {
  return (
    pointer?.kind === "merge" && pointer.of.some((each) => each.kind === "sum" && (each.from === undefined || each.from.kind === "unknown"))
  );
}
