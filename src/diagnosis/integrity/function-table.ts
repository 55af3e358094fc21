/**
 * Whether a table of operations (struct file_operations, struct proto_ops) stands at an address: no other memory holds by chance nothing but
 * functions where the type has pointers to functions.
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { strip } from "../../debug-info/c-type.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { CodeRanges } from "../../stack/code-ranges.ts";
import { pointerOf, wordAt } from "./look.ts";
import type { Validity } from "./target-kind.ts";

/** Members that are looked at. */
const MAX_SLOTS = 160;

/** Every pointer to a function in the table is NULL or leads into code, and there is one at least. */
export function isTable(kernel: Kernel, code: CodeRanges, at: VirtualAddress, member: Field): Validity {
  const type = strip(member.type);
  const target = type.kind === "pointer" && type.target !== undefined ? strip(type.target) : undefined;
  if (target?.kind !== "struct") return "unknown";
  const slots = slotsOf(kernel, target.name ?? "");
  if (slots.length === 0) return "unknown";
  let functions = 0;
  for (const offset of slots) {
    const word = wordAt(kernel, add(at, offset));
    if (word === "unknown") return "unknown";
    if (word === "nowhere") return "no";
    if (word === 0n) continue;
    if (!code.isCode(pointerOf(kernel, word))) return "no";
    functions++;
  }
  // A table without any function is allowed (empty_iops), but then only its name says that it is one.
  return functions > 0 || kernel.symbols.byAddress(at)?.offset === 0 ? "yes" : "unknown";
}

/** Offsets of the pointers to functions in a structure. */
function slotsOf(kernel: Kernel, name: string): readonly number[] {
  const memo = kernel.memo(slotsOf, () => new Map<string, readonly number[]>());
  const known = memo.get(name);
  if (known !== undefined) return known;
  const found: number[] = [];
  const struct = kernel.types.tryStruct(name)?.type;
  for (const each of struct?.members ?? []) {
    const type = strip(each.type);
    const to = type.kind === "pointer" && type.target !== undefined ? strip(type.target) : undefined;
    if (to?.kind === "function" && each.bitOffset % 64 === 0 && found.length < MAX_SLOTS) found.push(each.bitOffset / 8);
  }
  memo.set(name, found);
  return found;
}
