/**
 * Which of the pointers that a survey took down are damaged.
 *
 * A pointer is wrong when no object of its kind stands where it leads, or when where it was found says what it must be and it is not that.
 * What should be there is told by the place (the list of a super block's inodes tells each one's i_sb), or, when the value is no address of
 * such an object and exactly one address one bit away from it is, by that. The rule is tested on the dump itself: where more than one in
 * fifty objects breaks it, this kernel keeps it otherwise, and nobody is accused.
 */
import { hex16 } from "../../bytes/address.ts";
import { type Damage, pointerClass, type Witness } from "./damage.ts";
import { tableSize } from "./function-table.ts";
import { pointerOf, singleBit, wordAt } from "./look.ts";
import type { Survey } from "./survey.ts";
import type { PointerFact } from "./survey-facts.ts";
import type { TargetKind } from "./target-kind.ts";
import type { Targets } from "./targets.ts";

/** One in so many may be damaged, and so many at least: one damaged object, reached in several ways. */
const TOLERATED = 50;
const TOLERATED_MIN = 2;
/** Addresses of the kernel differ from one another below this bit. */
const TOP_BIT = 63;
/** So many that use it make a word the address of something, although nothing in it tells (empty_aops). */
const MANY_USERS = 3;

/**
 * What is allocated from a slab but for the one that the kernel was built with (root_user, init_user_ns, init_groups, init_nsproxy, init_cred,
 * init_fs, init_files), which many share.
 */
const ONE_OUTSIDE_SLABS: ReadonlySet<TargetKind> = new Set<TargetKind>([
  "user_struct",
  "user_namespace",
  "group_info",
  "nsproxy",
  "cred",
  "fs_struct",
  "files_struct",
]);

/** @param known damage that was found otherwise: what leads to a damaged object is right as a rule */
export function judgePointers(survey: Survey, known: readonly Damage[]): Damage[] {
  const { targets } = survey;
  const groups = new Map<string, PointerFact[]>();
  for (const fact of survey.pointers) {
    const key = `${fact.type}.${fact.field.path}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [fact]);
    else group.push(fact);
  }
  // What leads to where such objects stand waits for the second round: until then it is known which objects are damaged themselves.
  const certain = [...groups.values()].flatMap((group) => judgeGroup(survey, targets, group));
  const damaged = new Set<string>();
  for (const { object, address } of [...known, ...certain]) {
    const place = targets.objectAt(object ?? address);
    if (place !== undefined) damaged.add(String(place));
  }
  const judged = new Set(certain.map(({ address }) => address));
  const isSound = (value: bigint): boolean => {
    const place = targets.objectAt(value);
    return place !== undefined && !damaged.has(String(place));
  };
  const late = [...groups.values()].flatMap((group) => judgeGroup(survey, targets, group, isSound));
  return [...certain, ...late.filter(({ address }) => !judged.has(address))];
}

/** Whether the object at an address is known to be free of damage of its own. */
type IsSound = (value: bigint) => boolean;

function judgeGroup(survey: Survey, targets: Targets, group: readonly PointerFact[], isSound: IsSound = () => false): Damage[] {
  const users = new Map<bigint, number>();
  for (const { value } of group) users.set(value, (users.get(value) ?? 0) + 1);
  const wrong: Damage[] = [];
  const objects = new Set<bigint>();
  for (const fact of group) {
    const damage = judge(survey, targets, fact, users, isSound);
    if (damage === undefined || objects.has(fact.object)) continue;
    objects.add(fact.object);
    wrong.push(damage);
  }
  return wrong.length > Math.max(TOLERATED_MIN, group.length / TOLERATED) ? [] : wrong;
}

function judge(
  survey: Survey,
  targets: Targets,
  fact: PointerFact,
  users: ReadonlyMap<bigint, number>,
  isSound: IsSound,
): Damage | undefined {
  const { kernel } = survey;
  const plain = pointerOf(kernel, fact.value);
  const validity = plain === 0n ? "no" : targets.valid(fact.target, plain, fact.field);
  if (fact.equals !== undefined) {
    const { value, what, address, doubtful } = fact.equals;
    if (plain === value) return undefined;
    const witness = { what, value, ...(address === undefined ? {} : { address }) };
    // By its place alone it can be nothing else; but another object of the kind may be meant by a rule that is not known here.
    const meant = validity !== "no" && (doubtful === true || singleBit(fact.value, value) === undefined);
    if (!meant && (doubtful !== true || targets.valid(fact.target, value, fact.field) === "yes"))
      return targets.isUsual(fact.target, plain) && !isSound(plain) && singleBit(fact.value, value) === undefined
        ? undefined
        : damageOf(survey, fact, value, witness);
  }
  if (plain === 0n) return undefined;
  if (validity !== "no") {
    const beside = besideShared(survey, targets, fact, users);
    if (beside !== undefined || validity === "unknown") return beside;
    return fact.target === "ops" ? displaced(survey, targets, fact, users) : undefined;
  }
  // It leads to where such objects stand: then the object is damaged, and its own words tell.
  if (targets.isUsual(fact.target, plain) && !isSound(plain)) return undefined;
  const near = neighbours(survey, targets, fact, users);
  // Of several tables that could be meant, the one that others of its kind use, or that is a variable of its own.
  const used = near.length > 1 ? near.filter((other) => users.has(other)) : near;
  const named = used.length === 0 ? near.filter((other) => targets.offsetInSymbol(other) === 0) : used;
  const [only] = named;
  if (only !== undefined && named.length === 1)
    return damageOf(survey, fact, only, { what: `of all addresses one bit away only ${hex16(only)} is such an object` });
  return damageOf(survey, fact, undefined, undefined);
}

/** Addresses that differ in one bit and lead to an object of the kind. */
function neighbours(
  { kernel }: Survey,
  targets: Targets,
  { value, target, field }: PointerFact,
  users: ReadonlyMap<bigint, number>,
): bigint[] {
  const found: bigint[] = [];
  for (let bit = 0n; bit <= BigInt(TOP_BIT); bit++) {
    const other = BigInt.asUintN(64, value ^ (1n << bit));
    const validity = targets.valid(target, other, field);
    const isUsed = validity === "unknown" && (users.get(other) ?? 0) >= MANY_USERS && typeof wordAt(kernel, other) === "bigint";
    if (validity === "yes" || isUsed) found.push(other);
  }
  return found;
}

/**
 * What only this pointer leads to cannot be right beside what others use, one bit away:
 *
 *   tables of one type          do not overlap
 *   objects outside of slabs    are one, which others use, of types that are allocated otherwise
 */
function besideShared(survey: Survey, targets: Targets, fact: PointerFact, users: ReadonlyMap<bigint, number>): Damage | undefined {
  const { value, target, field } = fact;
  if ((users.get(value) ?? 0) > 1 || (target !== "ops" && !ONE_OUTSIDE_SLABS.has(target))) return undefined;
  if (target !== "ops" && targets.objectAt(value) !== undefined) return undefined;
  const size = BigInt(tableSize(field));
  const shared: bigint[] = [];
  for (let bit = 0n; bit <= BigInt(TOP_BIT); bit++) {
    const other = BigInt.asUintN(64, value ^ (1n << bit));
    if ((users.get(other) ?? 0) < 2 || targets.valid(target, other, field) === "no") continue;
    const fits = target === "ops" ? 1n << bit < size : targets.objectAt(other) === undefined;
    if (fits) shared.push(other);
  }
  const [only] = shared;
  if (only === undefined || shared.length !== 1) return undefined;
  const why = target === "ops" ? "two tables of one type do not overlap" : "the only one that is not in a slab";
  return damageOf(survey, fact, only, { what: `${hex16(only)}, which others of its kind use, is one bit away: ${why}` });
}

/**
 * A table of functions that begins in the middle of another one still holds functions only. It is believed to be displaced when nobody else
 * uses it, it lies within a variable, and exactly one address one bit away begins that or another variable and is used by others.
 */
function displaced(survey: Survey, targets: Targets, fact: PointerFact, users: ReadonlyMap<bigint, number>): Damage | undefined {
  const inside = targets.offsetInSymbol(fact.value);
  if (inside === undefined || inside === 0 || (users.get(fact.value) ?? 0) > 1) return undefined;
  const near = neighbours(survey, targets, fact, users).filter((other) => targets.offsetInSymbol(other) === 0 && users.has(other));
  const [only] = near;
  if (only === undefined || near.length !== 1) return undefined;
  return damageOf(survey, fact, only, {
    what: `${survey.kernel.symbolize(pointerOf(survey.kernel, only)) ?? hex16(only)}, which others of its kind use, is one bit away, and this is the middle of a variable`,
  });
}

function damageOf(
  survey: Survey,
  { type, field, object, value }: PointerFact,
  expected: bigint | undefined,
  witness: Witness | undefined,
): Damage {
  const address = field.address(object);
  return {
    structure: `struct ${type}`,
    type,
    member: field.path,
    object,
    address,
    size: 8,
    found: value,
    ...(expected === undefined ? { unproved: true as const } : { expected }),
    ...(witness === undefined ? {} : { witness }),
    ...pointerClass(survey.kernel, address, value, expected, false),
  };
}
