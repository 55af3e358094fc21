// SPDX-License-Identifier: GPL-2.0
/* Transfers of a DMA engine with a completion callback each. Finished ones are told from a timer, in softirq context. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct dma_xfer {
	u32 cookie;
	u32 length;
	u64 source;
	u64 target;
	void (*callback)(void *parameter, u32 residue);
	void *parameter;
	struct dma_xfer *next;
	u8 tail[72];
};

struct dma_note {
	char text[124];
	u32 sequence;
};

struct dma_chan {
	spinlock_t lock;
	struct dma_xfer *active;
	struct dma_note *notes[32];
	struct timer_list poll;
	u32 cookie;
	u32 completed;
};

static struct dma_chan *chan;

static void dma_done(void *parameter, u32 residue)
{
	struct dma_chan *chan = parameter;

	chan->completed++;
}

/* Descriptors and notes are of one size, so that the pool below serves both. */
static noinline void *dma_chan_alloc(gfp_t flags)
{
	return kzalloc(128, flags);
}

static noinline int dma_submit(struct dma_chan *chan, u32 length)
{
	struct dma_xfer *xfer = dma_chan_alloc(GFP_KERNEL);

	if (!xfer)
		return -ENOMEM;
	xfer->cookie = ++chan->cookie;
	xfer->length = length;
	xfer->callback = dma_done;
	xfer->parameter = chan;
	chan->active = xfer;
	return xfer->cookie;
}

static noinline void dma_terminate(struct dma_chan *chan)
{
	kfree(chan->active);
}

static noinline void dma_log(struct dma_chan *chan, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		struct dma_note *note = dma_chan_alloc(GFP_KERNEL);

		if (!note)
			return;
		snprintf(note->text, sizeof(note->text), "channel terminated by user request number %u of this channel", i);
		note->sequence = i;
		chan->notes[i] = note;
	}
}

static noinline void dma_complete(struct dma_chan *chan, struct dma_xfer *xfer)
{
	xfer->callback(xfer->parameter, 0);
	chan->active = xfer->next;
}

static void dma_poll(struct timer_list *timer)
{
	struct dma_chan *chan = container_of(timer, struct dma_chan, poll);

	spin_lock(&chan->lock);
	if (chan->active)
		dma_complete(chan, chan->active);
	spin_unlock(&chan->lock);
}

static ssize_t dma_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	dma_submit(chan, 65536);
	mod_timer(&chan->poll, jiffies + HZ / 10);
	dma_terminate(chan);
	dma_log(chan, ARRAY_SIZE(chan->notes));
	return length;
}

static const struct proc_ops dma_proc_ops = { .proc_write = dma_write };

static int __init dma_init(void)
{
	chan = kzalloc(sizeof(*chan), GFP_KERNEL);
	if (!chan)
		return -ENOMEM;
	spin_lock_init(&chan->lock);
	timer_setup(&chan->poll, dma_poll, 0);
	return proc_create("dmacookie", 0200, NULL, &dma_proc_ops) ? 0 : -ENOMEM;
}

static void __exit dma_exit(void)
{
}

module_init(dma_init);
module_exit(dma_exit);
MODULE_DESCRIPTION("DMA engine channels");
MODULE_LICENSE("GPL");
