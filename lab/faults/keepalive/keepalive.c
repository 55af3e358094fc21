// SPDX-License-Identifier: GPL-2.0
/* Sends keepalives for each open channel from a timer that is part of the channel. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct ka_channel {
	u32 id;
	u32 interval;
	struct list_head node;
	u64 sent;
	u64 answered;
	struct timer_list timer;
	char remote[40];
};

static LIST_HEAD(ka_channels);
static DEFINE_SPINLOCK(ka_lock);

static void ka_expired(struct timer_list *timer)
{
	struct ka_channel *channel = container_of(timer, struct ka_channel, timer);

	channel->sent++;
	mod_timer(timer, jiffies + channel->interval);
}

static struct ka_channel *ka_open(u32 id)
{
	struct ka_channel *channel = kzalloc(sizeof(*channel), GFP_KERNEL);

	if (!channel)
		return NULL;
	channel->id = id;
	channel->interval = HZ / 4 + id;
	snprintf(channel->remote, sizeof(channel->remote), "10.0.0.%u:179", id);
	timer_setup(&channel->timer, ka_expired, 0);
	spin_lock(&ka_lock);
	list_add_tail(&channel->node, &ka_channels);
	spin_unlock(&ka_lock);
	mod_timer(&channel->timer, jiffies + channel->interval);
	return channel;
}

static void ka_release(struct ka_channel *channel)
{
	list_del(&channel->node);
	kfree(channel);
}

static noinline void ka_close_all(void)
{
	struct ka_channel *channel, *next;

	spin_lock(&ka_lock);
	list_for_each_entry_safe(channel, next, &ka_channels, node)
		ka_release(channel);
	spin_unlock(&ka_lock);
}

static ssize_t ka_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	ka_close_all();
	return length;
}

static const struct proc_ops ka_proc_ops = { .proc_write = ka_write };

static int __init ka_init(void)
{
	u32 id;

	for (id = 1; id <= 6; id++)
		ka_open(id);
	return proc_create("keepalive", 0200, NULL, &ka_proc_ops) ? 0 : -ENOMEM;
}

static void __exit ka_exit(void)
{
}

module_init(ka_init);
module_exit(ka_exit);
MODULE_DESCRIPTION("Keepalives");
MODULE_LICENSE("GPL");
