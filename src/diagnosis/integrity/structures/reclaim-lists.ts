/**
 * Lists of pages that reclaim goes by: include/linux/mmzone.h (struct lruvec), mm/memcontrol.c.
 *
 *   pglist_data.__lruvec                            of the machine          lists[5] ⇄ page.lru ⇄ …
 *   mem_cgroup.nodeinfo[node].lruvec                of a control group      lrugen.folios[][][] with CONFIG_LRU_GEN (lists before 6.3)
 *
 * Pages on their way to a list wait in arrays of the CPUs, and are on none.
 */
import { add, type VirtualAddress } from "../../../bytes/address.ts";
import type { Field } from "../../../kernel/field.ts";
import { cgroupHierarchies } from "../../../linux/cgroup.ts";
import { memoryNodes } from "../../../linux/zone.ts";
import { pointerOf, wordAt } from "../look.ts";
import type { Survey } from "../survey.ts";

/** Control groups that are looked at. */
const MAX_GROUPS = 512;
const LIST_HEAD = 16;
const MAX_LISTS = 256;

export function surveyReclaimLists(survey: Survey): void {
  const { kernel } = survey;
  const own = kernel.types.tryStruct("pglist_data")?.firstField("__lruvec", "lruvec");
  const { nodes } = memoryNodes(kernel);
  for (const { address } of nodes) if (own !== undefined) survey.quietly(() => surveyVector(survey, own.address(address)));
  const info = survey.field("mem_cgroup", "nodeinfo");
  const css = survey.field("mem_cgroup", "css");
  const vector = survey.field("mem_cgroup_per_node", "lruvec");
  if (info === undefined || css === undefined || vector === undefined) return;
  const groups = (cgroupHierarchies(kernel, () => {}) ?? []).flatMap((hierarchy) => hierarchy.groups).slice(0, MAX_GROUPS);
  for (const { controllers } of groups) {
    const state = controllers.find(({ name }) => name === "memory")?.state;
    if (state === undefined || !survey.visit("mem_cgroup", state)) continue;
    for (let node = 0; node < nodes.length; node++) {
      const part = wordAt(kernel, add(add(state, -css.offset), info.offset + node * 8));
      if (typeof part === "bigint" && part !== 0n) survey.quietly(() => surveyVector(survey, vector.address(pointerOf(kernel, part))));
    }
  }
}

function surveyVector(survey: Survey, vector: VirtualAddress): void {
  const generations = survey.field("lruvec", "lrugen.folios") ?? survey.field("lruvec", "lrugen.lists");
  for (const field of [survey.field("lruvec", "lists"), generations]) if (field !== undefined) surveyHeads(survey, vector, field);
}

function surveyHeads(survey: Survey, vector: VirtualAddress, field: Field): void {
  const first = field.address(vector);
  for (let i = 0; i < Math.min(MAX_LISTS, Math.floor(field.size / LIST_HEAD)); i++) {
    const address = add(first, i * LIST_HEAD);
    // Lists that were never used are not set up (lists[LRU_UNEVICTABLE] is poisoned since 5.18).
    const next = wordAt(survey.kernel, address);
    if (next === 0n || next === address) continue;
    if (typeof next === "bigint" && next >> 48n === 0xdeadn) continue;
    survey.ring("pages that reclaim goes by", { address, symbol: `lruvec.${field.path}[${i}]` }, "page", "lru");
  }
}
