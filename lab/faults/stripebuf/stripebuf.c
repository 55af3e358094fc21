// SPDX-License-Identifier: GPL-2.0
/* Stripe buffers with a reference count each, from a slab cache; parity is computed later by a worker. No debugging of slabs. */
#include <linux/module.h>
#include <linux/kref.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct stripe_geometry {
	u32 disks;
	u32 chunk;
	u64 parity_ops;
};

struct stripe_buffer {
	struct kref refs;
	u32 state;
	u64 sector;
	u8 bitmap[48];
	struct stripe_geometry *geometry;
	struct work_struct parity;
	u64 checksums[3];
};

static struct kmem_cache *stripe_cache;
static struct stripe_geometry stripe_geometry = { .disks = 5, .chunk = 64 };
static struct stripe_buffer *stripe_current;

static void stripe_release(struct kref *refs)
{
	kmem_cache_free(stripe_cache, container_of(refs, struct stripe_buffer, refs));
}

static noinline void stripe_put(struct stripe_buffer *stripe)
{
	kref_put(&stripe->refs, stripe_release);
}

static noinline u64 stripe_parity(struct stripe_buffer *stripe)
{
	struct stripe_geometry *geometry = stripe->geometry;
	u64 sum = stripe->sector;
	u32 i;

	for (i = 0; i < geometry->disks; i++)
		sum ^= stripe->checksums[i % 3] << i;
	geometry->parity_ops++;
	return sum;
}

static void stripe_parity_work(struct work_struct *work)
{
	struct stripe_buffer *stripe = container_of(work, struct stripe_buffer, parity);

	stripe->checksums[0] = stripe_parity(stripe);
}

static noinline struct stripe_buffer *stripe_get(u64 sector)
{
	struct stripe_buffer *stripe = kmem_cache_zalloc(stripe_cache, GFP_KERNEL);

	if (!stripe)
		return NULL;
	kref_init(&stripe->refs);
	stripe->sector = sector;
	stripe->geometry = &stripe_geometry;
	INIT_WORK(&stripe->parity, stripe_parity_work);
	return stripe;
}

static noinline void stripe_flush(struct stripe_buffer *stripe)
{
	stripe->checksums[1] = stripe_parity(stripe);
}

static ssize_t stripe_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	if (stripe_current) {
		stripe_flush(stripe_current);
		return length;
	}
	stripe_current = stripe_get(8192);
	if (!stripe_current)
		return -ENOMEM;
	schedule_work(&stripe_current->parity);
	flush_work(&stripe_current->parity);
	stripe_put(stripe_current);
	return length;
}

static const struct proc_ops stripe_proc_ops = { .proc_write = stripe_write };

static int __init stripe_init(void)
{
	stripe_cache = kmem_cache_create("stripe_buffer", sizeof(struct stripe_buffer), 0, SLAB_PANIC | SLAB_RECLAIM_ACCOUNT, NULL);
	return proc_create("stripebuf", 0200, NULL, &stripe_proc_ops) ? 0 : -ENOMEM;
}

static void __exit stripe_exit(void)
{
}

module_init(stripe_init);
module_exit(stripe_exit);
MODULE_DESCRIPTION("Stripe buffers");
MODULE_LICENSE("GPL");
