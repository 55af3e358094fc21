// SPDX-License-Identifier: GPL-2.0
/* Virtual interfaces of two kinds over one bearer; each kind has its slab cache, and the bearer knows its interfaces as void pointers. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct vif_queue {
	u32 depth;
	u32 limit;
	u64 bytes;
};

struct vif_small {
	u32 kind;
	u32 id;
	u64 packets;
	char name[16];
};

struct vif_full {
	u32 kind;
	u32 id;
	u64 packets;
	char name[16];
	u64 filters[24];
	struct vif_queue *queues[4];
	u64 errors;
};

struct vif_bearer {
	struct work_struct work;
	void *interfaces[8];
	u32 count;
	u32 polls;
};

static struct kmem_cache *vif_small_cache, *vif_full_cache;
static struct vif_bearer *bearer;
static struct vif_queue vif_queues[4];

static noinline u32 vif_queue_drain(struct vif_queue *queue)
{
	u32 depth = queue->depth;

	queue->depth = 0;
	queue->bytes += depth * 64;
	return depth;
}

static noinline u32 vif_poll(struct vif_full *vif)
{
	u32 i, sum = 0;

	for (i = 0; i < 4; i++)
		sum += vif_queue_drain(vif->queues[i]);
	vif->packets += sum;
	return sum;
}

static void bearer_work(struct work_struct *work)
{
	struct vif_bearer *bearer = container_of(work, struct vif_bearer, work);
	u32 i;

	for (i = 0; i < bearer->count; i++)
		bearer->polls += vif_poll(bearer->interfaces[i]);
}

static void *vif_add(u32 id, bool full)
{
	struct vif_full *vif = kmem_cache_zalloc(full ? vif_full_cache : vif_small_cache, GFP_KERNEL);
	u32 i;

	if (!vif)
		return NULL;
	vif->kind = full ? 2 : 1;
	vif->id = id;
	snprintf(vif->name, sizeof(vif->name), "%s%u", full ? "vif" : "mon", id);
	for (i = 0; full && i < 4; i++)
		vif->queues[i] = &vif_queues[i];
	return vif;
}

static ssize_t vif_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 i;

	for (i = 0; i < 5; i++)
		bearer->interfaces[bearer->count++] = vif_add(i, i != 3);
	schedule_work(&bearer->work);
	return length;
}

static const struct proc_ops vif_proc_ops = { .proc_write = vif_write };

static int __init vif_init(void)
{
	u32 i;

	bearer = kzalloc(sizeof(*bearer), GFP_KERNEL);
	if (!bearer)
		return -ENOMEM;
	INIT_WORK(&bearer->work, bearer_work);
	vif_small_cache = kmem_cache_create("vif_small", sizeof(struct vif_small), 0, SLAB_PANIC | SLAB_RECLAIM_ACCOUNT, NULL);
	vif_full_cache = kmem_cache_create("vif_full", sizeof(struct vif_full), 0, SLAB_PANIC | SLAB_RECLAIM_ACCOUNT, NULL);
	/* Monitors that were there before. */
	for (i = 0; i < 300; i++)
		if (!vif_add(100 + i, false))
			return -ENOMEM;
	return proc_create("vifmux", 0200, NULL, &vif_proc_ops) ? 0 : -ENOMEM;
}

static void __exit vif_exit(void)
{
}

module_init(vif_init);
module_exit(vif_exit);
MODULE_DESCRIPTION("Virtual interfaces");
MODULE_LICENSE("GPL");
