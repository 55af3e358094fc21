// SPDX-License-Identifier: GPL-2.0
/* Buffers of two sizes, each of a cache of its own; a work item gives back what was used. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct buf_head {
	struct list_head link;
	u32 length;
	u32 flags;
};

struct buf_small {
	struct buf_head head;
	u8 data[100];
};

struct buf_large {
	struct buf_head head;
	u8 data[1500];
};

static struct kmem_cache *small_cache;
static struct kmem_cache *large_cache;
static LIST_HEAD(buf_used);
static struct work_struct buf_reap_work;

static noinline struct buf_head *buf_get(u32 length)
{
	struct buf_head *head = kmem_cache_zalloc(length > 100 ? large_cache : small_cache, GFP_KERNEL);

	if (head) {
		head->length = length;
		list_add_tail(&head->link, &buf_used);
	}
	return head;
}

static noinline void buf_put(struct buf_head *head)
{
	list_del(&head->link);
	kmem_cache_free(head->length > 128 ? large_cache : small_cache, head);
}

static noinline u32 buf_reap_all(void)
{
	struct buf_head *head, *next;
	u32 reaped = 0;

	list_for_each_entry_safe(head, next, &buf_used, link) {
		buf_put(head);
		reaped++;
	}
	return reaped;
}

static void buf_reap(struct work_struct *work)
{
	buf_reap_all();
}

static ssize_t buf_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	buf_get(60);
	buf_get(1400);
	buf_get(120);
	buf_get(64);
	schedule_work(&buf_reap_work);
	flush_work(&buf_reap_work);
	return length;
}

static const struct proc_ops buf_proc_ops = { .proc_write = buf_write };

static int __init buf_init(void)
{
	small_cache = kmem_cache_create("buf_small", sizeof(struct buf_small), 0, SLAB_PANIC, NULL);
	large_cache = kmem_cache_create("buf_large", sizeof(struct buf_large), 0, SLAB_PANIC, NULL);
	INIT_WORK(&buf_reap_work, buf_reap);
	return proc_create("bufmgr", 0200, NULL, &buf_proc_ops) ? 0 : -ENOMEM;
}

static void __exit buf_exit(void)
{
}

module_init(buf_init);
module_exit(buf_exit);
MODULE_DESCRIPTION("Buffers");
MODULE_LICENSE("GPL");
