/** The error for a member that a structure does not have, with the names that come closest. */
import { LookupError } from "../../bytes/errors.ts";
import { type StructType, strip } from "../../debug-info/c-type.ts";

/** Names of all members, those of anonymous members included; each structure is entered once. */
function memberNames(type: StructType, entered = new Set<StructType>()): string[] {
  if (entered.has(type)) return [];
  entered.add(type);
  return type.members.flatMap((member) => {
    if (member.name !== undefined) return [member.name];
    const inner = strip(member.type);
    return inner.kind === "struct" || inner.kind === "union" ? memberNames(inner, entered) : [];
  });
}

/** `struct list_head has no member "nxt" (nearest: next)`. */
export function missingMember(type: StructType, name: string): LookupError {
  const wanted = name.toLowerCase();
  const scored = memberNames(type)
    .map((each) => ({ each, score: likeness(each.toLowerCase(), wanted) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.each.length - b.each.length);
  return new LookupError(
    `${type.kind} ${type.name ?? "(anonymous)"} has no member "${name}"`,
    scored.slice(0, 3).map(({ each }) => each),
  );
}

/** Share of letters in common at the start and at the end; one name holding the other counts for more. */
function likeness(name: string, wanted: string): number {
  if (name === wanted) return 3;
  const longer = Math.max(name.length, wanted.length);
  if (wanted.length >= 2 && (name.includes(wanted) || (name.length >= 2 && wanted.includes(name))))
    return 1 + Math.min(name.length, wanted.length) / longer;
  let start = 0;
  while (start < Math.min(name.length, wanted.length) && name[start] === wanted[start]) start++;
  let end = 0;
  while (end < Math.min(name.length, wanted.length) - start && name.at(-1 - end) === wanted.at(-1 - end)) end++;
  const share = (start + end) / longer;
  return share >= 0.6 ? share : 0;
}
