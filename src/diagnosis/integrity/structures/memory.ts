/**
 * Address spaces of processes, lists of slabs and of free pages: include/linux/mm_types.h, mmzone.h, mm/slab.h.
 *
 *   mm_struct ─► vm_area_struct { vm_mm, vm_file, vm_ops }      vm_mm is the mm_struct
 *   kmem_cache_node.partial ⇄ slab.slab_list ⇄ …
 *   zone.free_area[order].free_list[type] ⇄ page.buddy_list ⇄ …      lru before 5.17 (bf75f200569d)
 */
import type { VirtualAddress } from "../../../bytes/address.ts";
import { freeAreas } from "../../../linux/buddy.ts";
import { slabCaches } from "../../../linux/slab-caches.ts";
import { cacheNodes, slabLayout } from "../../../linux/slab-layout.ts";
import { taskTable } from "../../../linux/task.ts";
import { vmas } from "../../../linux/vma.ts";
import { memoryNodes } from "../../../linux/zone.ts";
import type { Survey } from "../survey.ts";
import { surveyFile } from "./files.ts";

/** Mappings of one process that are looked at. */
const MAX_MAPPINGS = 2000;

export function surveyMappings(survey: Survey): void {
  const { kernel } = survey;
  for (const { address, pid } of taskTable(kernel).tasks) {
    const mm = survey.follow("task_struct", "mm", address);
    if (mm === undefined || !survey.visit("mm_struct", mm)) continue;
    survey.quietly(() => surveyMm(survey, mm, pid));
  }
}

function surveyMm(survey: Survey, mm: VirtualAddress, pid: number): void {
  const why = `it is the address space of task ${pid}`;
  survey.count("mm_struct", ["mm_users.counter"], mm, why);
  survey.count("mm_struct", ["mm_count.counter"], mm, why);
  const file = survey.pointer("mm_struct", "exe_file", mm, "file");
  if (file !== undefined) surveyFile(survey, file, `it is the program of task ${pid}`);
  let count = 0;
  const equals = { value: mm, what: `it is a mapping of task ${pid}` };
  for (const { address } of vmas(survey.kernel, mm)) {
    if (++count > MAX_MAPPINGS) break;
    survey.pointer("vm_area_struct", "vm_mm", address, "mm_struct", equals);
    survey.pointer("vm_area_struct", "vm_ops", address, "ops");
    const mapped = survey.pointer("vm_area_struct", "vm_file", address, "file");
    if (mapped !== undefined) surveyFile(survey, mapped, `task ${pid} maps it`);
    const next = survey.field("vm_area_struct", "vm_next");
    if (next !== undefined) survey.neighbour("mappings of a process", "vm_area_struct", "vm_next", "vm_prev", address);
  }
}

export function surveyPartialSlabs(survey: Survey): void {
  const { kernel } = survey;
  const layout = slabLayout(kernel);
  if (typeof layout === "string" || layout.allocator !== "SLUB") return;
  const type = kernel.types.tryStruct("slab")?.has("slab_cache") === true ? "slab" : "page";
  for (const { address, name } of slabCaches(kernel).caches) {
    survey.quietly(() => {
      for (const node of cacheNodes(kernel, layout, address)) {
        survey.ring(
          `the partial slabs of ${name}`,
          { type: "kmem_cache_node", member: "partial", object: node.address },
          type,
          layout.slab.list.path,
        );
        if (node.barn === undefined) continue;
        for (const member of ["sheaves_full", "sheaves_empty"])
          survey.ring(`the sheaves of ${name}`, { type: "node_barn", member, object: node.barn }, "slab_sheaf", "barn_list");
      }
    });
  }
}

export function surveyFreePages(survey: Survey): void {
  const { kernel } = survey;
  const member = survey.field("page", "buddy_list") === undefined ? "lru" : "buddy_list";
  for (const { zones } of memoryNodes(kernel).nodes) {
    for (const zone of zones) {
      survey.quietly(() => {
        for (const { order, lists } of freeAreas(kernel, zone))
          for (const { head } of lists)
            survey.ring("free pages", { address: head, symbol: `free_area[${order}] of zone ${zone.name}` }, "page", member);
      });
    }
  }
}
