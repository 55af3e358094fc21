// SPDX-License-Identifier: GPL-2.0
/*
 * A hub that hands events on to subscribers, whose list is read under SRCU. A subscriber that leaves waits for the readers with the hub's
 * lock held; a subscriber that is told of an event asks the hub for its statistics, which wants that lock.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/delay.h>
#include <linux/uaccess.h>

struct hub_subscriber {
	struct list_head link;
	u32 id;
	u32 seen;
	int (*notify)(struct hub_subscriber *sub, u32 event);
};

struct event_hub {
	struct srcu_struct readers;
	struct mutex config;
	struct list_head subscribers;
	u64 delivered;
	u32 count;
};

static struct event_hub *hub;

static u64 hub_statistics(struct event_hub *h, u32 id)
{
	u64 value;

	mutex_lock(&h->config);
	value = h->delivered * h->count + id;
	mutex_unlock(&h->config);
	return value;
}

static int hub_meter(struct hub_subscriber *sub, u32 event)
{
	/* A meter on a slow bus. */
	msleep(400);
	sub->seen += event;
	return hub_statistics(hub, sub->id) & 1;
}

static int hub_publish(struct event_hub *h, u32 event)
{
	struct hub_subscriber *sub;
	int idx, wanted = 0;

	idx = srcu_read_lock(&h->readers);
	list_for_each_entry_rcu(sub, &h->subscribers, link, srcu_read_lock_held(&h->readers))
		wanted += sub->notify(sub, event);
	srcu_read_unlock(&h->readers, idx);
	return wanted;
}

static int hub_subscribe(struct event_hub *h, u32 id)
{
	struct hub_subscriber *sub = kzalloc(sizeof(*sub), GFP_KERNEL);

	if (!sub)
		return -ENOMEM;
	sub->id = id;
	sub->notify = hub_meter;
	mutex_lock(&h->config);
	list_add_tail_rcu(&sub->link, &h->subscribers);
	h->count++;
	mutex_unlock(&h->config);
	return 0;
}

static int hub_unsubscribe(struct event_hub *h, u32 id)
{
	struct hub_subscriber *sub;
	int err = -ENOENT;

	mutex_lock(&h->config);
	list_for_each_entry(sub, &h->subscribers, link) {
		if (sub->id != id)
			continue;
		list_del_rcu(&sub->link);
		h->count--;
		synchronize_srcu(&h->readers);
		kfree(sub);
		err = 0;
		break;
	}
	mutex_unlock(&h->config);
	return err;
}

static ssize_t hub_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char text[32] = {};
	u32 n;
	int err = 0;

	if (count >= sizeof(text) || copy_from_user(text, ubuf, count))
		return -EINVAL;
	if (sscanf(text, "add %u", &n) == 1)
		err = hub_subscribe(hub, n);
	else if (sscanf(text, "del %u", &n) == 1)
		err = hub_unsubscribe(hub, n);
	else if (sscanf(text, "event %u", &n) == 1)
		hub->delivered += hub_publish(hub, n);
	return err ?: count;
}

static const struct file_operations hub_fops = {
	.owner = THIS_MODULE,
	.write = hub_write,
};

static struct miscdevice hub_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "evhub",
	.fops = &hub_fops,
};

static int __init hub_init(void)
{
	int err;

	hub = kzalloc(sizeof(*hub), GFP_KERNEL);
	if (!hub)
		return -ENOMEM;
	mutex_init(&hub->config);
	INIT_LIST_HEAD(&hub->subscribers);
	err = init_srcu_struct(&hub->readers);
	if (err) {
		kfree(hub);
		return err;
	}
	return misc_register(&hub_misc);
}

module_init(hub_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Event hub");
