/**
 * Whether a table of operations (struct file_operations, struct proto_ops) stands at an address: no other memory holds by chance nothing but
 * functions where the type has pointers to functions, and functions that take what their places say: one that begins a few words off holds
 * functions too, but of other prototypes.
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { type CType, type FunctionType, strip } from "../../debug-info/c-type.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { CodeRanges } from "../../stack/code-ranges.ts";
import { pointerOf, wordAt } from "./look.ts";
import { isStrayModule } from "./stray-module.ts";
import type { Validity } from "./target-kind.ts";

/** Members that are looked at. */
const MAX_SLOTS = 160;

interface Slot {
  readonly offset: number;
  readonly type: FunctionType;
}

/** Every pointer to a function in the table is NULL or leads into code, and there is one at least. */
export function isTable(kernel: Kernel, code: CodeRanges, at: VirtualAddress, member: Field): Validity {
  const type = strip(member.type);
  const target = type.kind === "pointer" && type.target !== undefined ? strip(type.target) : undefined;
  if (target?.kind !== "struct") return "unknown";
  const slots = slotsOf(kernel, target.name ?? "");
  if (slots.length === 0) return "unknown";
  let functions = 0;
  const fitting = { yes: 0, no: 0 };
  for (const { offset, type: declared } of slots) {
    const word = wordAt(kernel, add(at, offset));
    if (word === "unknown") return "unknown";
    if (word === "nowhere") return "no";
    if (word === 0n) continue;
    const leads = pointerOf(kernel, word);
    if (!code.isCode(leads)) return isStrayModule(kernel, leads) ? "unknown" : "no";
    functions++;
    const fits = fitsSlot(kernel, leads, declared);
    if (fits !== undefined) fitting[fits ? "yes" : "no"]++;
  }
  // A cast is nothing unusual for one of them.
  if (fitting.no > fitting.yes) return "no";
  // A table without any function is allowed (empty_iops), but then only its name says that it is one.
  return functions > 0 || kernel.symbols.byAddress(at)?.offset === 0 ? "yes" : "unknown";
}

/** Whether the function at an address is declared as its place says; undefined when the types do not tell. */
function fitsSlot(kernel: Kernel, at: VirtualAddress, slot: FunctionType): boolean | undefined {
  const known = kernel.memo(fitsSlot, () => new Map<VirtualAddress, FunctionType | undefined>());
  if (!known.has(at)) known.set(at, prototypeAt(kernel, at));
  const own = known.get(at);
  if (own === undefined || own.prototyped === false || slot.prototyped === false) return undefined;
  if (own.parameters.length !== slot.parameters.length) return false;
  return own.parameters.every(({ type }, i) => isAlike(type, slot.parameters[i]?.type));
}

/** Static functions of one name may differ. */
function prototypeAt(kernel: Kernel, at: VirtualAddress): FunctionType | undefined {
  const found = kernel.symbols.byAddress(at);
  if (found?.offset !== 0 || kernel.symbols.allByName(found.symbol.name).length > 1) return undefined;
  return kernel.types.prototype(found.symbol.name);
}

function isAlike(a: CType, b: CType | undefined): boolean {
  if (b === undefined) return false;
  const [x, y] = [strip(a), strip(b)];
  if (x.kind !== "pointer" || y.kind !== "pointer") return (x.kind === "pointer") === (y.kind === "pointer");
  const [to, other] = [x.target, y.target].map((target) => (target === undefined ? undefined : strip(target)));
  if (to?.kind !== "struct" || other?.kind !== "struct") return true;
  return to.name === other.name;
}

/** Bytes of the table that a member points to. */
export function tableSize(member: Field): number {
  const type = strip(member.type);
  const target = type.kind === "pointer" && type.target !== undefined ? strip(type.target) : undefined;
  return target?.kind === "struct" ? target.size : 0;
}

/** The pointers to functions in a structure. */
function slotsOf(kernel: Kernel, name: string): readonly Slot[] {
  const memo = kernel.memo(slotsOf, () => new Map<string, readonly Slot[]>());
  const known = memo.get(name);
  if (known !== undefined) return known;
  const found: Slot[] = [];
  const struct = kernel.types.tryStruct(name)?.type;
  for (const each of struct?.members ?? []) {
    const type = strip(each.type);
    const to = type.kind === "pointer" && type.target !== undefined ? strip(type.target) : undefined;
    if (to?.kind === "function" && each.bitOffset % 64 === 0 && found.length < MAX_SLOTS)
      found.push({ offset: each.bitOffset / 8, type: to });
  }
  memo.set(name, found);
  return found;
}
