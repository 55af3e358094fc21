/** Reverse searches over every named structure of the kernel and its modules: by size, by the type of a member (`whatis -r -m`). */
import { UsageError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import { type StructType, strip, type TypeSource } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Progress } from "../command.ts";

export interface FoundStructure {
  readonly kind: "struct" | "union";
  readonly name: string;
  readonly size: number;
  /** "vmlinux" or the module that defines it. */
  readonly owner: string;
}

export interface SizeRange {
  readonly low: number;
  readonly high: number;
}

/** "192", "0xc0", "256-512". */
export function parseSizeRange(text: string): SizeRange {
  const found = /^(0x[0-9a-f]+|\d+)(?:-(0x[0-9a-f]+|\d+))?$/i.exec(text);
  const low = Number(found?.[1]);
  const high = found?.[2] === undefined ? low : Number(found[2]);
  if (found === null || !Number.isSafeInteger(low) || !Number.isSafeInteger(high) || high < low)
    throw new UsageError(`"${text}" is no size or range of sizes (low-high)`);
  return { low, high };
}

const MAX_DEPTH = 16;
/** Structures looked at; kernels have about 15,000 with all modules. */
const MAX_STRUCTURES = 1 << 20;

/**
 * Structures with that size and a member whose type contains the text, sorted by size and name.
 * @param member part of the member type's spelling: "mm_struct", "struct list_head"
 */
export function searchStructures(
  kernel: Kernel,
  range: SizeRange | undefined,
  member: string | undefined,
  progress?: Progress,
): FoundStructure[] {
  kernel.types.loadModules();
  const found = new Map<string, FoundStructure>();
  const has = member === undefined ? undefined : memberFinder(member);
  let looked = 0;
  for (const source of kernel.types.sources) {
    for (const { name, type } of namedStructures(source)) {
      if (++looked > MAX_STRUCTURES) break;
      if (looked % 1000 === 0) progress?.("searching structures", looked, 0);
      const { size, kind } = type;
      // Several structures may share a name (mm_slot of ksm and khugepaged).
      if (found.has(`${name} ${type.size}`)) continue;
      if (range !== undefined && (size < range.low || size > range.high)) continue;
      if (has !== undefined && !has(type, 0)) continue;
      found.set(`${name} ${size}`, { kind, name, size, owner: source.owner });
    }
  }
  return [...found.values()].sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1));
}

/** Structures with a tag, and those that only a typedef names (atomic_t, gate_desc). */
function* namedStructures(source: TypeSource): Generator<{ readonly name: string; readonly type: StructType }> {
  for (const type of source.structs()) if (type.name !== undefined) yield { name: type.name, type };
  for (const name of source.names("typedef", "", MAX_STRUCTURES)) {
    const alias = source.find("typedef", name);
    const type = alias === undefined ? undefined : strip(alias);
    if (type !== undefined && (type.kind === "struct" || type.kind === "union") && type.name === undefined) yield { name, type };
  }
}

/** Looks into embedded structures too, each of which is asked once. */
function memberFinder(member: string): (type: StructType, depth: number) => boolean {
  const known = new Map<StructType, boolean>();
  const text = member.replace(/\s+/g, " ").trim();
  const has = (type: StructType, depth: number): boolean => {
    const before = known.get(type);
    if (before !== undefined) return before;
    // A structure that holds itself (damaged type information) is not asked again.
    known.set(type, false);
    const answer = type.members.some((each) => {
      // Function types hold the spellings of their parameters, which are no members.
      const spelling = declare(each.type).replace(/\(\*.*$/, "");
      if (spelling.includes(text)) return true;
      let inner = strip(each.type);
      for (let i = 0; i < MAX_DEPTH && inner.kind === "array"; i++) inner = strip(inner.element);
      return (inner.kind === "struct" || inner.kind === "union") && depth < MAX_DEPTH && has(inner, depth + 1);
    });
    known.set(type, answer);
    return answer;
  };
  return has;
}
