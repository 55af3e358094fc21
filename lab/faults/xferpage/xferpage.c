// SPDX-License-Identifier: GPL-2.0
/* Transfers of a DMA engine: descriptors in one page, chained by pointers; and a log of what it did, a page at a time. */
#include <linux/module.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct xfer_desc {
	u64 source;
	u64 target;
	u32 bytes;
	u32 control;
	struct xfer_desc *next;
};

struct xfer_channel {
	u32 id;
	u32 resets;
	struct page *page;
	struct xfer_desc *first;
	u64 bytes;
	struct work_struct kick;
};

static struct xfer_channel *xfer_channel;
static char *xfer_log[4];

static noinline int xfer_fill(struct xfer_channel *channel, u32 count)
{
	struct xfer_desc *desc;
	u32 i;

	channel->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!channel->page)
		return -ENOMEM;
	desc = page_address(channel->page);
	channel->first = desc;
	for (i = 0; i < count; i++, desc++) {
		desc->source = 0x10000000 + i * 4096;
		desc->bytes = 4096;
		desc->next = i + 1 < count ? desc + 1 : NULL;
	}
	return 0;
}

static noinline void xfer_reset(struct xfer_channel *channel)
{
	channel->resets++;
	__free_page(channel->page);
}

static noinline void xfer_log_add(u32 at, const char *what)
{
	char *page = (char *)__get_free_page(GFP_KERNEL);
	u32 used;

	if (!page)
		return;
	for (used = 0; used + 80 < PAGE_SIZE;)
		used += scnprintf(page + used, PAGE_SIZE - used, "channel 0: %s after %u bytes\n", what, used);
	xfer_log[at] = page;
}

static inline u64 xfer_desc_bytes(const struct xfer_desc *desc)
{
	return desc->control & 1 ? 0 : desc->bytes;
}

static noinline u64 xfer_total(const struct xfer_channel *channel)
{
	const struct xfer_desc *desc;
	u64 bytes = 0;

	for (desc = channel->first; desc; desc = desc->next)
		bytes += xfer_desc_bytes(desc);
	return bytes;
}

static void xfer_kick(struct work_struct *work)
{
	struct xfer_channel *channel = container_of(work, struct xfer_channel, kick);

	channel->bytes += xfer_total(channel);
}

static ssize_t xfer_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 i;

	schedule_work(&xfer_channel->kick);
	flush_work(&xfer_channel->kick);
	/* The engine reports an error. */
	migrate_disable();
	xfer_reset(xfer_channel);
	for (i = 0; i < ARRAY_SIZE(xfer_log); i++)
		xfer_log_add(i, "reset");
	migrate_enable();
	schedule_work(&xfer_channel->kick);
	return length;
}

static const struct proc_ops xfer_proc_ops = { .proc_write = xfer_write };

static int __init xfer_init(void)
{
	xfer_channel = kzalloc(sizeof(*xfer_channel), GFP_KERNEL);
	if (!xfer_channel)
		return -ENOMEM;
	INIT_WORK(&xfer_channel->kick, xfer_kick);
	if (xfer_fill(xfer_channel, 64))
		return -ENOMEM;
	return proc_create("xferpage", 0200, NULL, &xfer_proc_ops) ? 0 : -ENOMEM;
}

static void __exit xfer_exit(void)
{
}

module_init(xfer_init);
module_exit(xfer_exit);
MODULE_DESCRIPTION("Transfers");
MODULE_LICENSE("GPL");
