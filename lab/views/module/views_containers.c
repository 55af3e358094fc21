// SPDX-License-Identifier: GPL-2.0
/*
 * Lists (whole, empty, cut, cyclic, wild), hash lists, red-black trees, xarrays, radix trees and maple trees with known contents.
 *   LABVIEW list NAME HEAD count=N first=ADDRESS last=ADDRESS offset=N       items are struct views_item, linked at `offset`
 *   LABVIEW xarray NAME ADDRESS count=N indices=A,B,...
 */
#include <linux/version.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <linux/radix-tree.h>
#include <linux/idr.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
#include <linux/maple_tree.h>
#endif
#include "views.h"

#define ITEMS 40

struct views_item {
	u64 key;
	struct list_head list;
	struct hlist_node hash;
	struct rb_node tree;
	char label[24];
};

static LIST_HEAD(views_list);
static LIST_HEAD(views_empty_list);
static LIST_HEAD(views_cut_list);
static LIST_HEAD(views_wild_list);
static LIST_HEAD(views_cyclic_list);
static HLIST_HEAD(views_hlist);
static HLIST_HEAD(views_cyclic_hlist);
static struct rb_root views_tree = RB_ROOT;
static struct rb_root_cached views_cached_tree = RB_ROOT_CACHED;
static struct rb_root views_cyclic_tree = RB_ROOT;
static DEFINE_XARRAY(views_xarray);
static DEFINE_XARRAY(views_single_xarray);
static DEFINE_XARRAY(views_empty_xarray);
static RADIX_TREE(views_radix, GFP_KERNEL);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
static DEFINE_MTREE(views_maple);
static DEFINE_MTREE(views_single_maple);
static DEFINE_MTREE(views_empty_maple);
static struct maple_tree views_gap_maple = MTREE_INIT(views_gap_maple, MT_FLAGS_ALLOC_RANGE);
#endif

static struct views_item *views_items(const char *label)
{
	struct views_item *items = kcalloc(ITEMS, sizeof(*items), GFP_KERNEL);
	int i;

	for (i = 0; items && i < ITEMS; i++) {
		/* 17 has no factor in common with 40: every key once, not in order. */
		items[i].key = i * 17 % ITEMS;
		snprintf(items[i].label, sizeof(items[i].label), "%s-%d", label, i);
	}
	return items;
}

static void views_say_list(const char *name, struct list_head *head, struct views_item *items, int reachable)
{
	views_say("list %s %px count=%d offset=%zu first=%px last=%px size=%zu", name, head, reachable, offsetof(struct views_item, list),
		  reachable ? &items[0] : NULL, reachable ? &items[reachable - 1] : NULL, sizeof(struct views_item));
}

static int views_lists(void)
{
	struct { const char *name; struct list_head *head; } lists[] = {
		{ "whole", &views_list }, { "cut", &views_cut_list }, { "wild", &views_wild_list }, { "cyclic", &views_cyclic_list },
	};
	unsigned int which;
	int i;

	for (which = 0; which < ARRAY_SIZE(lists); which++) {
		struct views_item *items = views_items(lists[which].name);
		int reachable = ITEMS;

		if (!items)
			return -ENOMEM;
		for (i = 0; i < ITEMS; i++)
			list_add_tail(&items[i].list, lists[which].head);
		if (lists[which].head == &views_cut_list)
			items[(reachable = 25) - 1].list.next = NULL;
		if (lists[which].head == &views_wild_list)
			items[(reachable = 30) - 1].list.next = (void *)0x6b6b6b6b6b6b6b6bUL;
		if (lists[which].head == &views_cyclic_list)
			items[(reachable = 35) - 1].list.next = &items[10].list;
		views_say_list(lists[which].name, lists[which].head, items, reachable);
	}
	views_say_list("empty", &views_empty_list, NULL, 0);
	return 0;
}

static int views_hlists(void)
{
	struct views_item *items = views_items("hlist"), *cyclic = views_items("hcycle");
	int i;

	if (!items || !cyclic)
		return -ENOMEM;
	for (i = 0; i < ITEMS; i++) {
		hlist_add_head(&items[i].hash, &views_hlist);
		hlist_add_head(&cyclic[i].hash, &views_cyclic_hlist);
	}
	/* Newest first: the last of the chain is item 0, and points back to item 20. */
	cyclic[0].hash.next = &cyclic[20].hash;
	views_say("hlist whole %px count=%d offset=%zu first=%px last=%px", &views_hlist, ITEMS, offsetof(struct views_item, hash),
		  &items[ITEMS - 1], &items[0]);
	views_say("hlist cyclic %px count=%d offset=%zu first=%px last=%px", &views_cyclic_hlist, ITEMS, offsetof(struct views_item, hash),
		  &cyclic[ITEMS - 1], &cyclic[0]);
	return 0;
}

static bool views_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct views_item, tree)->key < rb_entry(b, struct views_item, tree)->key;
}

static void views_insert(struct views_item *item, struct rb_root *root)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = views_less(&item->tree, parent) ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&item->tree, parent, link);
	rb_insert_color(&item->tree, root);
}

static int views_trees(void)
{
	struct views_item *items = views_items("tree"), *cached = views_items("cached"), *cyclic = views_items("rbcycle");
	bool leftmost = true;
	struct rb_node **link, *parent;
	int i;

	if (!items || !cached || !cyclic)
		return -ENOMEM;
	for (i = 0; i < ITEMS; i++) {
		views_insert(&items[i], &views_tree);
		views_insert(&cyclic[i], &views_cyclic_tree);
		leftmost = true;
		parent = NULL;
		for (link = &views_cached_tree.rb_root.rb_node; *link;) {
			parent = *link;
			if (views_less(&cached[i].tree, parent)) {
				link = &parent->rb_left;
			} else {
				link = &parent->rb_right;
				leftmost = false;
			}
		}
		rb_link_node(&cached[i].tree, parent, link);
		rb_insert_color_cached(&cached[i].tree, &views_cached_tree, leftmost);
	}
	/* The greatest node's right child is the root. */
	rb_last(&views_cyclic_tree)->rb_right = views_cyclic_tree.rb_node;
	views_say("rbtree whole %px count=%d offset=%zu", &views_tree, ITEMS, offsetof(struct views_item, tree));
	views_say("rbtree cached %px count=%d offset=%zu leftmost=%px", &views_cached_tree, ITEMS, offsetof(struct views_item, tree),
		  views_cached_tree.rb_leftmost);
	views_say("rbtree cyclic %px count=%d offset=%zu", &views_cyclic_tree, ITEMS, offsetof(struct views_item, tree));
	return 0;
}

static int views_xarrays(void)
{
	static const unsigned long indices[] = { 0, 1, 63, 64, 65, 4095, 4096, 262144, 1UL << 30, ULONG_MAX };
	struct views_item *items = views_items("xarray");
	unsigned int i;

	if (!items)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(indices); i++)
		if (xa_err(xa_store(&views_xarray, indices[i], &items[i], GFP_KERNEL)))
			return -ENOMEM;
	xa_set_mark(&views_xarray, 64, XA_MARK_1);
	xa_set_mark(&views_xarray, 4096, XA_MARK_0);
	views_say("xarray whole %px count=%zu first=%px indices=0,1,63,64,65,4095,4096,262144,%lu,%lu", &views_xarray, ARRAY_SIZE(indices),
		  &items[0], 1UL << 30, ULONG_MAX);
	xa_store(&views_single_xarray, 0, &items[20], GFP_KERNEL);
	views_say("xarray single %px count=1 first=%px indices=0", &views_single_xarray, &items[20]);
	views_say("xarray empty %px count=0", &views_empty_xarray);
#ifdef CONFIG_XARRAY_MULTI
	{
		static DEFINE_XARRAY(views_multi_xarray);

		xa_store_range(&views_multi_xarray, 512, 1023, &items[21], GFP_KERNEL);
		xa_store(&views_multi_xarray, 3, xa_mk_value(4242), GFP_KERNEL);
		views_say("xarray multi %px count=2 first=%lx indices=3,512 last=1023", &views_multi_xarray,
			  (unsigned long)xa_mk_value(4242));
	}
#endif
	for (i = 0; i < 5; i++)
		if (radix_tree_insert(&views_radix, i * 1000, &items[30 + i]))
			return -ENOMEM;
	radix_tree_tag_set(&views_radix, 2000, 1);
	views_say("radix whole %px count=5 first=%px indices=0,1000,2000,3000,4000", &views_radix, &items[30]);
	return 0;
}

static int views_maples(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
	struct views_item *items = views_items("maple");
	int i;

	if (!items)
		return -ENOMEM;
	for (i = 0; i < ITEMS; i++)
		if (mtree_store_range(&views_maple, i * 100 + 10, i * 100 + 19, &items[i], GFP_KERNEL))
			return -ENOMEM;
	views_say("maple whole %px count=%d first=%px size=%zu step=100 start=10 length=10", &views_maple, ITEMS, &items[0],
		  sizeof(struct views_item));
	for (i = 0; i < ITEMS; i++)
		if (mtree_store_range(&views_gap_maple, i * 100 + 10, i * 100 + 19, &items[i], GFP_KERNEL))
			return -ENOMEM;
	views_say("maple gaps %px count=%d first=%px size=%zu step=100 start=10 length=10", &views_gap_maple, ITEMS, &items[0],
		  sizeof(struct views_item));
	if (mtree_store(&views_single_maple, 0, &items[0], GFP_KERNEL))
		return -ENOMEM;
	views_say("maple single %px count=1 first=%px start=0 length=1", &views_single_maple, &items[0]);
	views_say("maple empty %px count=0", &views_empty_maple);
#endif
	return 0;
}

int views_containers_init(void)
{
	int error = views_lists();

	if (!error)
		error = views_hlists();
	if (!error)
		error = views_trees();
	if (!error)
		error = views_xarrays();
	return error ? error : views_maples();
}
