// SPDX-License-Identifier: GPL-2.0
/*
 * Controls of a sound card. Muting a channel tells its listeners under the card's spinlock; one of them reads the level back through the
 * function that takes the lock itself.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#define MIX_CHANNELS 8

struct mix_card;

struct mix_listener {
	struct list_head node;
	void (*notify)(struct mix_card *card, unsigned int channel);
};

struct mix_card {
	struct list_head listeners;
	u8 levels[MIX_CHANNELS];
	u32 changes;
	u32 peak;
	spinlock_t regs;
};

static struct mix_card *mix;

static u8 mix_get_level(struct mix_card *card, unsigned int channel)
{
	u8 level;

	spin_lock(&card->regs);
	level = card->levels[channel];
	spin_unlock(&card->regs);
	return level;
}

static void mix_count_change(struct mix_card *card, unsigned int channel)
{
	card->changes++;
}

static void mix_track_peak(struct mix_card *card, unsigned int channel)
{
	if (channel < 2)
		card->peak = max_t(u32, card->peak, mix_get_level(card, channel));
}

static void mix_tell(struct mix_card *card, unsigned int channel)
{
	struct mix_listener *listener;

	list_for_each_entry(listener, &card->listeners, node)
		listener->notify(card, channel);
}

static void mix_set_level(struct mix_card *card, unsigned int channel, u8 level)
{
	spin_lock(&card->regs);
	card->levels[channel] = level;
	mix_tell(card, channel);
	spin_unlock(&card->regs);
}

static ssize_t mix_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	unsigned int channel, level;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "%u %u", &channel, &level) != 2 || channel >= MIX_CHANNELS)
		return -EINVAL;
	mix_set_level(mix, channel, level);
	return count;
}

static const struct file_operations mix_fops = { .owner = THIS_MODULE, .write = mix_write };

static struct miscdevice mix_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mixctl",
	.fops = &mix_fops,
};

static int mix_listen(struct mix_card *card, void (*notify)(struct mix_card *, unsigned int))
{
	struct mix_listener *listener = kzalloc(sizeof(*listener), GFP_KERNEL);

	if (!listener)
		return -ENOMEM;
	listener->notify = notify;
	list_add_tail(&listener->node, &card->listeners);
	return 0;
}

static int __init mix_init(void)
{
	mix = kzalloc(sizeof(*mix), GFP_KERNEL);
	if (!mix)
		return -ENOMEM;
	spin_lock_init(&mix->regs);
	INIT_LIST_HEAD(&mix->listeners);
	if (mix_listen(mix, mix_count_change) || mix_listen(mix, mix_track_peak))
		return -ENOMEM;
	return misc_register(&mix_misc);
}

module_init(mix_init);
MODULE_DESCRIPTION("Inquest lab: sound card");
MODULE_LICENSE("GPL");
