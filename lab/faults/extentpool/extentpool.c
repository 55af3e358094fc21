// SPDX-License-Identifier: GPL-2.0
/* Extents from a slab cache. Splitting one frees its halves; merging frees what was merged. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct extent {
	u64 start;
	u64 length;
	u32 flags;
	u32 depth;
	struct extent *left;
	struct extent *right;
	u64 generation;
};

static struct kmem_cache *extent_cache;
static struct extent *extent_root;

static struct extent *extent_new(u64 start, u64 length)
{
	struct extent *extent = kmem_cache_zalloc(extent_cache, GFP_KERNEL);

	if (extent) {
		extent->start = start;
		extent->length = length;
	}
	return extent;
}

static noinline void extent_put(struct extent *extent)
{
	kmem_cache_free(extent_cache, extent);
}

static noinline void extent_split(struct extent *extent)
{
	extent->left = extent_new(extent->start, extent->length / 2);
	extent->right = extent_new(extent->start + extent->length / 2, extent->length / 2);
	extent->depth++;
}

static noinline void extent_merge(struct extent *extent)
{
	extent_put(extent->left);
	extent_put(extent->right);
	extent->flags |= 1;
}

static noinline void extent_trim(struct extent *extent)
{
	if (extent->flags & 1)
		extent_put(extent->left);
}

static ssize_t extent_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	extent_split(extent_root);
	preempt_disable();
	extent_merge(extent_root);
	extent_trim(extent_root);
	preempt_enable();
	return length;
}

static const struct proc_ops extent_proc_ops = { .proc_write = extent_write };

static int __init extent_init(void)
{
	extent_cache = kmem_cache_create("extent_pool", sizeof(struct extent), 0, SLAB_PANIC | SLAB_RECLAIM_ACCOUNT, NULL);
	extent_root = extent_new(0, 1 << 20);
	return proc_create("extentpool", 0200, NULL, &extent_proc_ops) ? 0 : -ENOMEM;
}

static void __exit extent_exit(void)
{
}

module_init(extent_init);
module_exit(extent_exit);
MODULE_DESCRIPTION("Extents");
MODULE_LICENSE("GPL");
