/**
 * Damage in the kernel's own structures, whether or not anything met it: lists, trees, pointers, counters, free lists. Rows 7 to 12 of the
 * catalogue.
 *
 * Where nothing abnormal was reported everything is looked at; behind a fault only the free lists, which a fault in the allocator is the
 * symptom of.
 */
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { findingsOf } from "./finding.ts";
import { checkFreeLists } from "./free-lists.ts";
import { isQuiet } from "./is-quiet.ts";
import { metByFault } from "./met-by-fault.ts";
import { surveyWhole } from "./whole.ts";

/** Slabs that a fault's verdict has time for. */
const SLABS_OF_FAULT = 4096;

/** Nothing ties it to what struck: no cause of that, and no place of its own. */
function apart(finding: Finding): Finding {
  const what = "what struck was in the slab allocator, or at an object of this cache";
  return { ...finding, depth: "symptom", place: {}, checks: [...finding.checks, { what, result: "not possible" }] };
}

export const structures: Detector = {
  name: "structures",
  classes: [
    "bit-flip",
    "overwritten-pointer",
    "list-corruption",
    "freelist-corruption",
    "use-after-free",
    "refcount-underflow",
    "refcount-overflow",
  ],
  needs: ["types of the kernel (BTF, or a vmlinux)"],
  refutedBy: [
    "the structure was being changed when the machine stopped",
    "the page was left out of the dump",
    "the same is met in many objects: then the rule does not hold in this kernel",
  ],
  appliesTo: () => true,
  detect(context) {
    const { kernel, progress } = context;
    if (kernel.types.lack !== undefined) return [];
    if (!isQuiet(context)) {
      const { damage: all, slabs } = checkFreeLists(kernel, undefined, SLABS_OF_FAULT);
      // What struck in the allocator itself (BUG() in set_freepointer()) left the slab it was at half changed: its counter says nothing.
      const damage = all.filter(({ why }) => !/objects should be free/.test(why));
      const rule = { what: "slabs whose free lists are damaged", tried: slabs, fired: damage.length };
      const met = damage.filter(({ cache }) => cache !== undefined && metByFault(context, cache));
      return [
        ...findingsOf(kernel, met, rule),
        ...findingsOf(
          kernel,
          damage.filter((each) => !met.includes(each)),
          rule,
        ).map(apart),
      ];
    }
    const { damage, extent } = surveyWhole(kernel, progress);
    const tried = extent.entries + extent.pointers + extent.counters + extent.slabs;
    return findingsOf(kernel, damage, { what: "links, pointers, counters and slabs that are damaged", tried, fired: damage.length });
  },
};
