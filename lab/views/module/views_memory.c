// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of several orders, free pages, vmalloc areas of several kinds, per-CPU variables.
 *   LABVIEW page NAME ADDRESS page=STRUCT pfn=N order=N state=allocated|freed-early|freed-last [compound=1]
 *   LABVIEW vmalloc NAME ADDRESS size=N pages=N pfns=A,B,... kind=vmalloc|vmap
 * What was freed early may have found another use since; what is freed last is free in the dump.
 *   LABVIEW percpu NAME ADDRESS static=0|1 values=A,B address0=ADDRESS address1=ADDRESS
 */
#include <linux/mm.h>
#include <linux/gfp.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "views.h"

DEFINE_PER_CPU(u64, lab_views_percpu);
static u64 __percpu *views_dynamic;
static struct page *views_last_pages[4];

static struct page *views_pages(const char *name, unsigned int order, gfp_t flags, const char *state)
{
	struct page *page = alloc_pages(GFP_KERNEL | flags, order);
	u64 *word;

	if (!page)
		return NULL;
	for (word = page_address(page); (void *)word < page_address(page) + (PAGE_SIZE << order); word++)
		*word = 0x6c61622d76696577UL;
	views_say("page %s %px page=%px pfn=%lu order=%u state=%s%s", name, page_address(page), page, page_to_pfn(page), order, state,
		  flags & __GFP_COMP ? " compound=1" : "");
	return page;
}

static int views_all_pages(void)
{
	static const char * const held[] = { "order0", "order1", "order2", "order3", "order4" };
	static const char * const freed[] = { "freed0", "freed1", "freed2", "freed3" };
	static const char * const last[] = { "last0", "last1", "last2", "last3" };
	struct page *page;
	unsigned int order;

	for (order = 0; order < ARRAY_SIZE(held); order++)
		if (!views_pages(held[order], order, 0, "allocated"))
			return -ENOMEM;
	if (!views_pages("compound3", 3, __GFP_COMP, "allocated"))
		return -ENOMEM;
	for (order = 0; order < ARRAY_SIZE(last); order++) {
		views_last_pages[order] = views_pages(last[order], order, 0, "freed-last");
		page = views_pages(freed[order], order, 0, "freed-early");
		if (!page || !views_last_pages[order])
			return -ENOMEM;
		__free_pages(page, order);
	}
	return 0;
}

static void views_say_area(const char *name, void *area, unsigned int pages, const char *kind)
{
	char pfns[160];
	unsigned int i;
	int length = 0;

	for (i = 0; i < pages; i++) {
		memset(area + i * PAGE_SIZE, 0x61 + i, PAGE_SIZE);
		length += scnprintf(pfns + length, sizeof(pfns) - length, "%s%lu", i ? "," : "", vmalloc_to_pfn(area + i * PAGE_SIZE));
	}
	views_say("vmalloc %s %px size=%lu pages=%u pfns=%s kind=%s", name, area, pages * PAGE_SIZE, pages, pfns, kind);
}

static int views_areas(void)
{
	struct page *pages[3];
	void *area;
	int i;

	area = vmalloc(5 * PAGE_SIZE);
	if (!area)
		return -ENOMEM;
	views_say_area("plain", area, 5, "vmalloc");
	area = vmalloc_user(2 * PAGE_SIZE);
	if (!area)
		return -ENOMEM;
	views_say_area("user", area, 2, "vmalloc");
	for (i = 0; i < 3; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (!pages[i])
			return -ENOMEM;
	}
	area = vmap(pages, 3, VM_MAP, PAGE_KERNEL);
	if (!area)
		return -ENOMEM;
	views_say_area("mapped", area, 3, "vmap");
	area = vmalloc(4 * PAGE_SIZE);
	if (!area)
		return -ENOMEM;
	views_say("vmalloc freed %px size=%lu kind=vmalloc state=freed", area, 4 * PAGE_SIZE);
	vfree(area);
	return 0;
}

static int views_percpu(void)
{
	int cpu;

	views_dynamic = alloc_percpu(u64);
	if (!views_dynamic)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		per_cpu(lab_views_percpu, cpu) = 7000 + cpu;
		*per_cpu_ptr(views_dynamic, cpu) = 8000 + cpu;
	}
	views_say("percpu lab_views_percpu %px static=1 first=7000 address0=%px", &lab_views_percpu, per_cpu_ptr(&lab_views_percpu, 0));
	views_say("percpu dynamic %px static=0 first=8000 address0=%px", views_dynamic, per_cpu_ptr(views_dynamic, 0));
	return 0;
}

int views_memory_init(void)
{
	int error = views_all_pages();

	if (!error)
		error = views_areas();
	return error ? error : views_percpu();
}

void views_memory_last(void)
{
	unsigned int order;

	for (order = 0; order < ARRAY_SIZE(views_last_pages); order++)
		__free_pages(views_last_pages[order], order);
}
