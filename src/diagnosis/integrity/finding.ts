/** From damaged words to findings: one for each object, the words of it together, the one that says most in front. */
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { stateText } from "../../identity/describe.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Slabs } from "../../linux/slab.ts";
import { slabObjectState } from "../../linux/slab-state.ts";
import type { Depth, Finding } from "../finding.ts";
import type { Check, Evidence, Verdict, VerdictClass } from "../verdict.ts";
import type { Damage } from "./damage.ts";
import { singleBit, textOver } from "./look.ts";

/** Findings that are told: more damaged objects than this are told as a number. */
const MOST = 8;

/** The class that stands for an object whose words have several. */
const TELLING: readonly VerdictClass[] = [
  "overwritten-pointer",
  "use-after-free",
  "freelist-corruption",
  "bit-flip",
  "list-corruption",
  "refcount-underflow",
  "refcount-overflow",
];
const POISON_FREE = 0x6b;
const CAUSES: ReadonlySet<VerdictClass> = new Set(["bit-flip"]);

/** @param rule how the rule was put to the test on this dump */
export function findingsOf(kernel: Kernel, damage: readonly Damage[], rule: Finding["baseRate"]): Finding[] {
  const objects = new Map<string, Damage[]>();
  const slabs = Slabs.of(kernel);
  for (const each of damage) {
    // What is embedded in an object is damaged with it.
    const key = String(slabs?.objectOf(each.object ?? each.address)?.object ?? each.object ?? each.address);
    const known = objects.get(key);
    if (known === undefined) objects.set(key, [each]);
    else known.push(each);
  }
  const rank = ({ class: name }: Damage) => (TELLING.includes(name) ? TELLING.indexOf(name) : TELLING.length);
  const sorted = [...objects.values()].map((all) =>
    [...all].sort(
      (a, b) => Number(a.unproved ?? false) - Number(b.unproved ?? false) || rank(a) - rank(b) || (a.address < b.address ? -1 : 1),
    ),
  );
  sorted.sort((a, b) => Number(a[0]?.unproved ?? false) - Number(b[0]?.unproved ?? false) || b.length - a.length);
  return sorted.slice(0, MOST).map((all) => findingOf(kernel, all[0] as Damage, all, sorted.length, rule));
}

function findingOf(kernel: Kernel, damage: Damage, all: readonly Damage[], objects: number, rule: Finding["baseRate"]): Finding {
  const { type, member, address, found, expected, witness } = damage;
  const slab = Slabs.of(kernel)?.objectOf(damage.object ?? address);
  const cache = slab?.cache ?? damage.cache;
  const state = slab === undefined ? undefined : slabObjectState(kernel, slab);
  const name = type === undefined ? (member ?? damage.structure) : `${type}.${member ?? "?"}`;
  const shown = damage.size === 4 ? `${BigInt.asIntN(32, found)}` : hex16(found);
  const freed = slab !== undefined && damage.class === "use-after-free" ? poisonedWhole(kernel, slab) : undefined;
  const depth: Depth = CAUSES.has(damage.class) ? "cause" : "mechanism";
  const object: NonNullable<Verdict["object"]> = {
    ...(type === undefined ? {} : { type: `struct ${type}` }),
    ...(member === undefined ? {} : { member }),
    address: (freed === undefined ? damage.object : freed.address) ?? address,
    ...(state === undefined ? {} : { state: stateText(state) }),
    ...(cache === undefined ? {} : { cache }),
  };
  return {
    class: damage.class,
    title: titleOf(damage, name, shown),
    checks: checksOf(kernel, damage),
    ...(rule === undefined ? {} : { baseRate: rule, rarity: true as const }),
    depth,
    object,
    address,
    story: [
      `There is damage at ${hex16(address)}, in ${name}: ${damage.why}.`,
      ...(witness === undefined ? [] : [`What speaks for it: ${witness.what}.`]),
      ...writerOf(kernel, damage),
      ...(freed === undefined
        ? []
        : [
            `All of the object ${hex16(freed.address)} is filled with the poison of freed memory: it was freed while others still lead to it.`,
          ]),
      ...(all.length > 1 ? [`${all.length} words of the object are wrong.`] : []),
      ...(objects > 1 ? [`${objects} objects in all are damaged.`] : []),
    ],
    evidence: [...evidenceOf(kernel, damage, name, shown, expected), ...(freed === undefined ? [] : [freed])],
  };
}

/** The object is filled with 6b from its first word to the last but one: as kfree() leaves it with slub_debug=P. */
function poisonedWhole(
  kernel: Kernel,
  { object, objectSize }: { readonly object: VirtualAddress; readonly objectSize: number },
): (Evidence & { readonly address: VirtualAddress }) | undefined {
  const bytes = kernel.memory.tryBytes(object, Math.min(objectSize, 4096));
  if (bytes === undefined || bytes.length < 16 || bytes.subarray(0, bytes.length - 8).some((byte) => byte !== POISON_FREE))
    return undefined;
  const value = kernel.memory.u64(object);
  return {
    address: object,
    claim: `the whole object ${hex16(object)} is poison`,
    command: `rd ${hex16(object)} ${Math.min(32, Math.floor(objectSize / 8))}`,
    values: [{ address: object, value }],
  };
}

function titleOf(damage: Damage, name: string, shown: string): string {
  const { found, expected, object, address } = damage;
  const bit = expected === undefined ? undefined : singleBit(found, expected);
  const where = object === undefined ? hex16(address) : `${hex16(object)}`;
  switch (damage.class) {
    case "bit-flip":
      return `bit ${bit ?? "?"} of ${name} of ${where}: ${shown} instead of ${hex16(expected ?? 0n)}`;
    case "overwritten-pointer":
      return `${name} of ${where} was overwritten: ${damage.why}`;
    case "freelist-corruption":
      return `${damage.structure}: ${damage.why}`;
    case "refcount-underflow":
    case "refcount-overflow":
      return `${name} of ${where}: ${damage.why}`;
    default:
      return `${name} of ${where} is ${shown}: ${damage.why}`;
  }
}

function checksOf(kernel: Kernel, { class: name, expected, unproved, address }: Damage): Check[] {
  const checks: Check[] = [{ what: "the word is in the dump, and no such object stands where it leads", result: "held" }];
  if (name === "overwritten-pointer" && textOver(kernel, address) !== undefined)
    checks.push({ what: "text of more than twelve characters runs over it", result: "held" });
  else if (unproved === true) checks.push({ what: "another word says what should be there", result: "not possible" });
  else if (expected !== undefined) checks.push({ what: "another word of the dump says what should be there", result: "held" });
  checks.push({ what: "it is not being changed: no pointer of the same list stands there", result: "held" });
  return checks;
}

/** Text that begins in the object before ran over from there. */
function writerOf(kernel: Kernel, { class: name, address, object }: Damage): string[] {
  if (name !== "overwritten-pointer") return [];
  const text = textOver(kernel, address);
  const slabs = Slabs.of(kernel);
  const from = text === undefined ? undefined : slabs?.objectOf(text.start);
  const own = slabs?.objectOf(object ?? address);
  if (text === undefined || from === undefined || own === undefined || from.object === own.object) return [];
  return [
    `The text begins ${from.offset} bytes into the object before, ${hex16(from.object)} of ${from.cache}: whoever wrote there ran over its end.`,
  ];
}

function evidenceOf(kernel: Kernel, damage: Damage, name: string, shown: string, expected: bigint | undefined): Evidence[] {
  const { type, member, object, address, found, size, witness } = damage;
  // A path of anonymous parts is no expression of the command's.
  const command =
    type !== undefined && object !== undefined && member !== undefined
      ? `struct ${type}.${member} ${hex16(object)}`
      : `rd ${hex16(address)}`;
  const evidence: Evidence[] = [{ claim: `${name} is ${shown}`, command, values: sized(kernel, address, found, size) }];
  if (witness?.address !== undefined && witness.value !== undefined)
    evidence.push({
      claim: expected === undefined ? witness.what : `it should be ${hex16(expected)}: ${witness.what}`,
      command: `rd ${hex16(witness.address)}`,
      values: sized(kernel, witness.address, witness.value, 8),
    });
  else if (witness !== undefined && expected !== undefined) {
    // What should be NULL leads nowhere that could be shown.
    const isThere = kernel.memory.tryU64(virtual(expected)) !== undefined;
    evidence.push({ claim: witness.what, command: isThere ? `rd ${hex16(expected)} 8` : `rd ${hex16(address)}`, values: [] });
  }
  return evidence;
}

/** Only values that stand in the dump as they are cited. */
function sized(kernel: Kernel, address: bigint, value: bigint, size: 4 | 8): { address: bigint; value: bigint }[] {
  const read = size === 8 ? kernel.memory.tryU64(virtual(address)) : kernel.memory.tryU32(virtual(address));
  return read !== undefined && BigInt(read) === value && (size === 4 || value >> 32n !== 0n) ? [{ address, value }] : [];
}
