// SPDX-License-Identifier: GPL-2.0
/* A pool of transfer descriptors. A completed transfer gives its descriptor back; so does an aborted one. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct xfer_desc {
	u64 address;
	u32 length;
	u32 tag;
	struct list_head node;
	void *owner;
	u32 status;
	u32 retries;
};

struct xfer_pool {
	spinlock_t lock;
	struct list_head idle;
	struct list_head busy;
	u32 count;
	u32 returned;
	struct work_struct complete;
	struct xfer_desc *current_desc;
};

static struct xfer_pool pool;

static noinline void xfer_pool_return(struct xfer_pool *pool, struct xfer_desc *desc)
{
	spin_lock(&pool->lock);
	desc->status = 0;
	pool->returned++;
	list_add(&desc->node, &pool->idle);
	spin_unlock(&pool->lock);
}

static struct xfer_desc *xfer_pool_take(struct xfer_pool *pool)
{
	struct xfer_desc *desc;

	spin_lock(&pool->lock);
	desc = list_first_entry_or_null(&pool->idle, struct xfer_desc, node);
	if (desc)
		list_del(&desc->node);
	spin_unlock(&pool->lock);
	return desc;
}

static void xfer_complete(struct work_struct *work)
{
	struct xfer_pool *pool = container_of(work, struct xfer_pool, complete);

	xfer_pool_return(pool, pool->current_desc);
}

static noinline void xfer_abort(struct xfer_pool *pool)
{
	/* The engine completes what it has begun. */
	flush_work(&pool->complete);
	xfer_pool_return(pool, pool->current_desc);
}

static noinline int xfer_start(struct xfer_pool *pool, u32 length)
{
	struct xfer_desc *desc = xfer_pool_take(pool);

	if (!desc)
		return -EBUSY;
	desc->length = length;
	desc->owner = current;
	pool->current_desc = desc;
	schedule_work(&pool->complete);
	return 0;
}

static ssize_t xfer_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	int ret = xfer_start(&pool, 4096);

	if (ret == 0)
		xfer_abort(&pool);
	return ret < 0 ? ret : length;
}

static const struct proc_ops xfer_proc_ops = { .proc_write = xfer_write };

static int __init xfer_init(void)
{
	u32 tag;

	spin_lock_init(&pool.lock);
	INIT_LIST_HEAD(&pool.idle);
	INIT_LIST_HEAD(&pool.busy);
	INIT_WORK(&pool.complete, xfer_complete);
	for (tag = 0; tag < 16; tag++) {
		struct xfer_desc *desc = kzalloc(sizeof(*desc), GFP_KERNEL);

		if (!desc)
			return -ENOMEM;
		desc->tag = tag;
		list_add_tail(&desc->node, &pool.idle);
		pool.count++;
	}
	return proc_create("descpool", 0200, NULL, &xfer_proc_ops) ? 0 : -ENOMEM;
}

static void __exit xfer_exit(void)
{
}

module_init(xfer_init);
module_exit(xfer_exit);
MODULE_DESCRIPTION("Transfer descriptors");
MODULE_LICENSE("GPL");
