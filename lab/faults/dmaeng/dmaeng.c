// SPDX-License-Identifier: GPL-2.0
/*
 * A DMA engine with channels; its interrupt completes the transfer of the channel whose bit is set. The status register is read and cleared
 * in one go while a second bit arrives, so one completion gets lost.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

#define DMA_CHANNELS 4

struct dma_xfer {
	u32 channel;
	u32 length;
	dma_addr_t source;
	struct completion done;
	u32 status;
};

struct dma_engine {
	unsigned long pending;
	struct timer_list irq[DMA_CHANNELS];
	struct dma_xfer *active[DMA_CHANNELS];
	u64 interrupts;
};

static struct dma_engine *engine;

static void dma_finish(struct dma_engine *dma, unsigned int channel)
{
	struct dma_xfer *xfer = dma->active[channel];

	dma->active[channel] = NULL;
	if (xfer)
		complete(&xfer->done);
}

static void dma_interrupt(struct timer_list *timer)
{
	struct dma_engine *dma = engine;
	unsigned long pending = xchg(&dma->pending, 0);
	unsigned int channel = timer - dma->irq;

	dma->interrupts++;
	/* The status of the upper channels lies in a second register that nobody reads. */
	pending |= BIT(channel);
	for_each_set_bit(channel, &pending, DMA_CHANNELS / 2)
		dma_finish(dma, channel);
}

static void dma_submit(struct dma_engine *dma, struct dma_xfer *xfer)
{
	dma->active[xfer->channel] = xfer;
	set_bit(xfer->channel, &dma->pending);
	mod_timer(&dma->irq[xfer->channel], jiffies + HZ / 50);
}

static int dma_copy(struct dma_engine *dma, u32 channel, u32 length)
{
	struct dma_xfer *xfer = kzalloc(sizeof(*xfer), GFP_KERNEL);
	int status;

	if (!xfer)
		return -ENOMEM;
	xfer->channel = channel;
	xfer->length = length;
	init_completion(&xfer->done);
	dma_submit(dma, xfer);
	wait_for_completion(&xfer->done);
	status = xfer->status;
	kfree(xfer);
	return status;
}

static ssize_t dma_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 channel;
	int error = kstrtou32_from_user(ubuf, count, 0, &channel);

	if (!error)
		error = channel < DMA_CHANNELS ? dma_copy(engine, channel, 4096) : -EINVAL;
	return error ? error : count;
}

static const struct file_operations dma_fops = { .owner = THIS_MODULE, .write = dma_write };

static struct miscdevice dma_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmaeng",
	.fops = &dma_fops,
};

static int __init dmaeng_init(void)
{
	unsigned int channel;

	engine = kzalloc(sizeof(*engine), GFP_KERNEL);
	if (!engine)
		return -ENOMEM;
	for (channel = 0; channel < DMA_CHANNELS; channel++)
		timer_setup(&engine->irq[channel], dma_interrupt, 0);
	return misc_register(&dma_misc);
}

module_init(dmaeng_init);
MODULE_DESCRIPTION("Inquest lab: DMA engine");
MODULE_LICENSE("GPL");
