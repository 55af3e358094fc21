// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel containers with known contents, and their addresses in the log ("lab_objects: NAME ADDRESS COUNT"): what a helper that walks
 * lists, trees, xarrays, hash lists, idr and per-CPU data is held against.
 */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/rbtree.h>
#include <linux/xarray.h>
#include <linux/idr.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>
#include <linux/radix-tree.h>
#include <linux/cpumask.h>

#define LAB_COUNT 1000

struct lab_item {
	u64 key;
	struct list_head list;
	struct hlist_node hash;
	struct llist_node lockless;
	struct rb_node tree;
};

static LIST_HEAD(lab_objects_list);
static LIST_HEAD(lab_objects_empty_list);
static HLIST_HEAD(lab_objects_hlist);
static LLIST_HEAD(lab_objects_llist);
static struct rb_root lab_objects_tree = RB_ROOT;
static DEFINE_XARRAY(lab_objects_xarray);
static DEFINE_IDR(lab_objects_idr);
static DEFINE_PER_CPU(u64, lab_objects_percpu);
static LIST_HEAD(lab_objects_cyclic_list);
static struct lab_item lab_objects_cycle[4];
static void *lab_objects_vmalloc;
static struct lab_item *lab_objects_items;

static void lab_objects_insert(struct lab_item *item)
{
	struct rb_node **link = &lab_objects_tree.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = item->key < rb_entry(parent, struct lab_item, tree)->key ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&item->tree, parent, link);
	rb_insert_color(&item->tree, &lab_objects_tree);
}

/* A list that never comes back to its head: a walker without a bound never ends. */
static void lab_objects_make_cycle(void)
{
	int i;

	for (i = 0; i < 4; i++)
		list_add_tail(&lab_objects_cycle[i].list, &lab_objects_cyclic_list);
	lab_objects_cycle[3].list.next = &lab_objects_cycle[1].list;
}

static int __init lab_objects_init(void)
{
	int i, cpu;

	lab_objects_items = vzalloc(sizeof(*lab_objects_items) * LAB_COUNT);
	lab_objects_vmalloc = vmalloc(5 * PAGE_SIZE);
	if (!lab_objects_items || !lab_objects_vmalloc)
		return -ENOMEM;
	memset(lab_objects_vmalloc, 0x5a, 5 * PAGE_SIZE);
	for (i = 0; i < LAB_COUNT; i++) {
		struct lab_item *item = &lab_objects_items[i];

		item->key = (u64)i * 7919 % LAB_COUNT;
		list_add_tail(&item->list, &lab_objects_list);
		hlist_add_head(&item->hash, &lab_objects_hlist);
		llist_add(&item->lockless, &lab_objects_llist);
		lab_objects_insert(item);
		if (xa_err(xa_store(&lab_objects_xarray, i * 3, item, GFP_KERNEL)) || idr_alloc(&lab_objects_idr, item, i, i + 1, GFP_KERNEL) < 0)
			return -ENOMEM;
	}
	xa_store(&lab_objects_xarray, 1UL << 40, xa_mk_value(4242), GFP_KERNEL);
	for_each_possible_cpu(cpu)
		per_cpu(lab_objects_percpu, cpu) = 1000 + cpu;
	lab_objects_make_cycle();
	pr_info("lab_objects: list %px %d\n", &lab_objects_list, LAB_COUNT);
	pr_info("lab_objects: empty_list %px 0\n", &lab_objects_empty_list);
	pr_info("lab_objects: cyclic_list %px 4\n", &lab_objects_cyclic_list);
	pr_info("lab_objects: hlist %px %d\n", &lab_objects_hlist, LAB_COUNT);
	pr_info("lab_objects: llist %px %d\n", &lab_objects_llist, LAB_COUNT);
	pr_info("lab_objects: tree %px %d\n", &lab_objects_tree, LAB_COUNT);
	pr_info("lab_objects: xarray %px %d\n", &lab_objects_xarray, LAB_COUNT + 1);
	pr_info("lab_objects: idr %px %d\n", &lab_objects_idr, LAB_COUNT);
	pr_info("lab_objects: vmalloc %px 5\n", lab_objects_vmalloc);
	return 0;
}

module_init(lab_objects_init);
MODULE_DESCRIPTION("Inquest lab: containers with known contents");
MODULE_LICENSE("GPL");
