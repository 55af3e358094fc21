/**
 * Reference counters that cannot be right while somebody holds the object: 0, below 0, or saturated (include/linux/refcount.h: a refcount_t
 * that overflowed or underflowed is set to REFCOUNT_SATURATED, INT_MIN / 2; lib/refcount.c, refcount_warn_saturate).
 *
 *   0           the last reference was given back although there are users: the next one frees it, or it is freed already
 *   < 0         given back more often than taken
 *   c0000000…   saturated: from here on it never comes back
 *
 * A 0 counts in allocated objects, and in those that several took references of: what the kernel was built with (init_signals) has counters
 * that nobody set, but copy_process() counts those who share such an object (init_nsproxy) all the same.
 *
 * The rule is tested on the dump: a counter that breaks it in one object of fifty counts otherwise in this kernel.
 */
import { Slabs } from "../../linux/slab.ts";
import type { Damage } from "./damage.ts";
import type { Survey } from "./survey.ts";
import type { CountFact } from "./survey-facts.ts";

const TOLERATED = 50;
/** A saturated counter may have been counted on from INT_MIN / 2, both ways. */
const SATURATED = -0x4000_0000n;
const NEAR_SATURATED = 0x2000_0000n;

export function judgeCounts({ counts, kernel, holders }: Survey): Damage[] {
  const slabs = Slabs.of(kernel);
  const groups = new Map<string, CountFact[]>();
  for (const fact of counts) {
    const key = `${fact.type}.${fact.field.path}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [fact]);
    else group.push(fact);
  }
  return [...groups.values()].flatMap((group) => {
    const seen = new Set<bigint>();
    const wrong = group.flatMap((fact) => {
      if (fact.value > 0n || seen.has(fact.object)) return [];
      const isTaken = (holders.get(fact.object) ?? 0) > 1;
      if (fact.value === 0n && !isTaken && slabs?.objectOf(fact.object) === undefined) return [];
      seen.add(fact.object);
      return [damageOf(fact)];
    });
    return wrong.length > Math.max(1, group.length / TOLERATED) ? [] : wrong;
  });
}

function damageOf({ type, field, object, value, why }: CountFact): Damage {
  const saturated = value >= SATURATED - NEAR_SATURATED && value <= SATURATED + NEAR_SATURATED;
  const size = field.size === 8 ? 8 : 4;
  const state = saturated ? `saturated (${value})` : value === 0n ? "0" : `${value}`;
  return {
    structure: `struct ${type}`,
    type,
    member: field.path,
    object,
    address: field.address(object),
    size,
    found: BigInt.asUintN(size * 8, value),
    witness: { what: why },
    class: saturated ? "refcount-overflow" : "refcount-underflow",
    why: `the counter is ${state}, and ${why}`,
  };
}
