// SPDX-License-Identifier: GPL-2.0
/*
 * A serial multiplexer. A timer on the CPU of the interrupt polls the channels; closing a channel deletes the timer when it was the last.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync(timer) del_timer_sync(timer)
#endif

#define MUX_CHANNELS 4

struct mux_channel {
	u32 received;
	bool open;
};

struct mux_card {
	struct mux_channel channels[MUX_CHANNELS];
	u32 opened;
	spinlock_t lock;
	struct timer_list poll;
};

static struct mux_card *card;

static void mux_fetch(struct mux_card *mux, unsigned int channel)
{
	/* A register of the card is slow to answer. */
	udelay(900);
	mux->channels[channel].received++;
}

static void mux_drain(struct mux_card *mux)
{
	unsigned int i;

	spin_lock(&mux->lock);
	for (i = 0; i < MUX_CHANNELS; i++)
		if (mux->channels[i].open)
			mux_fetch(mux, i);
	spin_unlock(&mux->lock);
}

static void mux_poll(struct timer_list *timer)
{
	struct mux_card *mux = container_of(timer, struct mux_card, poll);

	mux_drain(mux);
	mod_timer(&mux->poll, jiffies + 1);
}

static void mux_open(struct mux_card *mux, unsigned int channel)
{
	spin_lock_bh(&mux->lock);
	mux->channels[channel].open = true;
	if (mux->opened++ == 0) {
		mux->poll.expires = jiffies + 1;
		add_timer_on(&mux->poll, 1);
	}
	spin_unlock_bh(&mux->lock);
}

static void mux_quiesce(struct mux_card *mux)
{
	timer_delete_sync(&mux->poll);
}

static void mux_close(struct mux_card *mux, unsigned int channel)
{
	spin_lock_bh(&mux->lock);
	mux->channels[channel].open = false;
	/* Bytes that are on their way are let come in. */
	mdelay(60);
	if (--mux->opened == 0)
		mux_quiesce(mux);
	spin_unlock_bh(&mux->lock);
}

static ssize_t mux_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16] = {};
	unsigned int channel;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (sscanf(line, "open %u", &channel) == 1 && channel < MUX_CHANNELS)
		mux_open(card, channel);
	else if (sscanf(line, "close %u", &channel) == 1 && channel < MUX_CHANNELS)
		mux_close(card, channel);
	else
		return -EINVAL;
	return count;
}

static const struct file_operations mux_fops = {
	.owner = THIS_MODULE,
	.write = mux_write,
};

static struct miscdevice mux_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "portmux",
	.fops = &mux_fops,
};

static int __init mux_init(void)
{
	card = kzalloc(sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	spin_lock_init(&card->lock);
	timer_setup(&card->poll, mux_poll, TIMER_PINNED);
	return misc_register(&mux_misc);
}

module_init(mux_init);
MODULE_DESCRIPTION("Inquest lab: serial multiplexer");
MODULE_LICENSE("GPL");
