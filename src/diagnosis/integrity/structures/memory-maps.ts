/**
 * Trees of memory maps: lib/maple_tree.c, mm/vma.c; before 6.1 there are none.
 *
 *   mm.mm_mt ─► maple_node { parent, slot[], pivot[] } ─► … ─► vm_area_struct          vma.vm_mm is the mm
 *
 *   slot n of a leaf holds the map that ends at pivot n, as its own vm_end says; a node below leads back to its parent
 */
export function surveyMemoryMaps(): void {}
