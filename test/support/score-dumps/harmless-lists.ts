/**
 * Lists that another CPU was changing in the moment of the stop (include/linux/list.h), which is no damage:
 *
 *   a ⇄ n ⇄ b      __list_del(): b.prev is a already, a.next is still n          __list_add(): b.prev, n.next, n.prev are set, a.next not yet
 *
 * and hash chains whose order means nothing.
 */
import { add, hex16, virtual } from "../../../src/bytes/address.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import type { Mutation } from "./mutation.ts";
import { type Edit, editsAt, word } from "./overlay.ts";
import type { Chance } from "./random.ts";
import type { Sites } from "./sites.ts";

const NOTHING = { class: ["deliberate", "unknown"] } as const;

/** A node half taken off its list, or half put on. */
export function halfDone(kernel: Kernel, sites: Sites, chance: Chance): Mutation | undefined {
  const groups = ["super_blocks", "inodes", "slab_caches", "modules", "partial slabs", "free pages", "net_devices", "tasks", "children"];
  const group = chance.oneOf(groups);
  const site = chance.oneOf(sites.pointers.filter((each) => each.group === group && each.kind === "list" && each.member.endsWith(".next")));
  if (site === undefined) return undefined;
  const node = site.address;
  const next = kernel.memory.u64(node);
  const prev = kernel.memory.u64(add(node, 8));
  if (new Set([node, next, prev]).size < 3) return undefined;
  const isAdd = chance.below(2) === 0;
  const edits: readonly Edit[] = isAdd ? editsAt(kernel, virtual(prev), word(next)) : editsAt(kernel, add(virtual(next), 8), word(prev));
  return {
    kind: "harmless-midway",
    what: `a node of ${group} at ${hex16(node)} is being ${isAdd ? "added" : "taken off"}`,
    edits,
    label: NOTHING,
    at: node,
  };
}
