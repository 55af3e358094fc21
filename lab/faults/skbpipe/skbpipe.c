// SPDX-License-Identifier: GPL-2.0
/* A modem's receive path: fragments that belong together are put into one buffer, in a timer that stands for its interrupt. */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/version.h>

#define SKP_BUFFER 1536

struct skp_fragment {
	u16 length;
	u8 last;
	u8 channel;
};

struct skp_channel {
	struct sk_buff *skb;
	u32 fragments;
	u64 bytes;
};

struct skp_modem {
	struct timer_list poll;
	struct skp_channel channels[4];
	u32 next;
	u32 wanted;
	struct sk_buff_head done;
};

static struct skp_modem *skp;
static u8 skp_dma[1024];

static struct sk_buff *skp_channel_skb(struct skp_channel *channel)
{
	if (!channel->skb)
		channel->skb = netdev_alloc_skb(NULL, SKP_BUFFER);
	return channel->skb;
}

static noinline void skp_append(struct skp_channel *channel, const struct skp_fragment *fragment)
{
	struct sk_buff *skb = skp_channel_skb(channel);

	if (!skb)
		return;
	skb_put_data(skb, skp_dma, fragment->length);
	channel->fragments++;
	channel->bytes += fragment->length;
}

static noinline void skp_receive(struct skp_modem *modem, const struct skp_fragment *fragment)
{
	struct skp_channel *channel = &modem->channels[fragment->channel & 3];

	skp_append(channel, fragment);
	if (fragment->last) {
		skb_queue_tail(&modem->done, channel->skb);
		channel->skb = NULL;
	}
}

static void skp_poll(struct timer_list *timer)
{
	struct skp_modem *modem = container_of(timer, struct skp_modem, poll);
	struct skp_fragment fragment = { .length = 480 + modem->next, .channel = modem->next % 3 };

	skp_receive(modem, &fragment);
	if (modem->next++ < modem->wanted)
		mod_timer(&modem->poll, jiffies + 2);
}

static ssize_t skp_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	skp->wanted = 40;
	mod_timer(&skp->poll, jiffies + 2);
	return length;
}

static const struct proc_ops skp_proc_ops = { .proc_write = skp_write };

static int __init skp_init(void)
{
	skp = kzalloc(sizeof(*skp), GFP_KERNEL);
	if (!skp)
		return -ENOMEM;
	skb_queue_head_init(&skp->done);
	timer_setup(&skp->poll, skp_poll, 0);
	return proc_create("skbpipe", 0200, NULL, &skp_proc_ops) ? 0 : -ENOMEM;
}

module_init(skp_init);
MODULE_DESCRIPTION("Inquest lab: modem");
MODULE_LICENSE("GPL");
