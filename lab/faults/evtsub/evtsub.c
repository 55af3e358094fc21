// SPDX-License-Identifier: GPL-2.0
/* Subscribers to events, on a list by priority. Changing its priority moves a subscriber; one that never subscribed is on no list. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct evt_subscriber {
	const char *name;
	u32 mask;
	u32 priority;
	u64 delivered;
	struct list_head link;
	void (*notify)(struct evt_subscriber *subscriber, u32 event);
};

static LIST_HEAD(evt_subscribers);
static DEFINE_SPINLOCK(evt_lock);
static struct evt_subscriber *evt_known[6];

static void evt_count(struct evt_subscriber *subscriber, u32 event)
{
	subscriber->delivered++;
}

static struct evt_subscriber *evt_alloc(const char *name)
{
	struct evt_subscriber *subscriber = kzalloc(sizeof(*subscriber), GFP_KERNEL);

	if (subscriber) {
		subscriber->name = name;
		subscriber->notify = evt_count;
	}
	return subscriber;
}

static void evt_subscribe(struct evt_subscriber *subscriber, u32 mask)
{
	subscriber->mask = mask;
	list_add_tail(&subscriber->link, &evt_subscribers);
}

static noinline void evt_reprioritise(struct evt_subscriber *subscriber, u32 priority)
{
	spin_lock(&evt_lock);
	subscriber->priority = priority;
	list_move(&subscriber->link, &evt_subscribers);
	spin_unlock(&evt_lock);
}

static noinline void evt_balance(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(evt_known); i++)
		evt_reprioritise(evt_known[i], 10 - i);
}

static ssize_t evt_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	evt_balance();
	return length;
}

static const struct proc_ops evt_proc_ops = { .proc_write = evt_write };

static int __init evt_init(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(evt_known); i++) {
		evt_known[i] = evt_alloc(i & 1 ? "odd" : "even");
		if (!evt_known[i])
			return -ENOMEM;
		if (i != 4)
			evt_subscribe(evt_known[i], 1 << i);
	}
	return proc_create("evtsub", 0200, NULL, &evt_proc_ops) ? 0 : -ENOMEM;
}

static void __exit evt_exit(void)
{
}

module_init(evt_init);
module_exit(evt_exit);
MODULE_DESCRIPTION("Event subscribers");
MODULE_LICENSE("GPL");
