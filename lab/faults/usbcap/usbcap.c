// SPDX-License-Identifier: GPL-2.0
/* A USB capture device: asynchronous requests (struct async) with their urbs, whose buffers come from where the transfer wants them. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/usb.h>

struct cap_state {
	struct list_head pending;
	struct list_head completed;
	spinlock_t lock;
	unsigned long stream_page;
	u32 submitted;
	u32 reaped;
};

struct async {
	struct list_head asynclist;
	struct cap_state *ps;
	unsigned int signr;
	unsigned int ifnum;
	void __user *userbuffer;
	void __user *userurb;
	struct urb *urb;
	unsigned int mem_usage;
	int status;
	u8 bulk_addr;
	u8 bulk_status;
};

static struct cap_state *cap;

static struct async *alloc_async(struct cap_state *ps)
{
	struct async *as = kzalloc(sizeof(*as), GFP_KERNEL);

	if (!as)
		return NULL;
	as->urb = kzalloc(sizeof(*as->urb), GFP_KERNEL);
	if (!as->urb) {
		kfree(as);
		return NULL;
	}
	as->ps = ps;
	return as;
}

static noinline void free_async(struct async *as)
{
	kfree(as->urb->setup_packet);
	kfree(as->urb->transfer_buffer);
	kfree(as->urb);
	kfree(as);
}

static struct async *async_getcompleted(struct cap_state *ps)
{
	struct async *as;

	spin_lock(&ps->lock);
	as = list_first_entry_or_null(&ps->completed, struct async, asynclist);
	if (as)
		list_del_init(&as->asynclist);
	spin_unlock(&ps->lock);
	return as;
}

static noinline int reap_as(struct cap_state *ps)
{
	struct async *as = async_getcompleted(ps);

	if (!as)
		return -EAGAIN;
	ps->reaped++;
	free_async(as);
	return 0;
}

/* A stream has one page that all of its transfers share. */
static void cap_stream_stop(struct cap_state *ps)
{
	free_page(ps->stream_page);
	ps->stream_page = 0;
}

static noinline int cap_submit(struct cap_state *ps, bool stream, unsigned int length)
{
	struct async *as = alloc_async(ps);

	if (!as)
		return -ENOMEM;
	as->urb->transfer_buffer = stream ? (void *)ps->stream_page : kmalloc(length, GFP_KERNEL);
	as->urb->transfer_buffer_length = length;
	as->mem_usage = length + sizeof(*as) + sizeof(struct urb);
	spin_lock(&ps->lock);
	list_add_tail(&as->asynclist, &ps->completed);
	ps->submitted++;
	spin_unlock(&ps->lock);
	return 0;
}

static ssize_t cap_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	unsigned int i;

	for (i = 0; i < 6; i++)
		cap_submit(cap, i >= 3, 2048);
	cap_stream_stop(cap);
	while (reap_as(cap) == 0)
		;
	return length;
}

static const struct proc_ops cap_proc_ops = { .proc_write = cap_write };

static int __init cap_init(void)
{
	cap = kzalloc(sizeof(*cap), GFP_KERNEL);
	if (!cap)
		return -ENOMEM;
	INIT_LIST_HEAD(&cap->pending);
	INIT_LIST_HEAD(&cap->completed);
	spin_lock_init(&cap->lock);
	cap->stream_page = __get_free_page(GFP_KERNEL);
	return proc_create("usbcap", 0200, NULL, &cap_proc_ops) ? 0 : -ENOMEM;
}

static void __exit cap_exit(void)
{
}

module_init(cap_init);
module_exit(cap_exit);
MODULE_DESCRIPTION("Capture device");
MODULE_LICENSE("GPL");
