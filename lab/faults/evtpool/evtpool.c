// SPDX-License-Identifier: GPL-2.0
/*
 * Events of a field bus, each handled by a thread of its own that waits until the event is acknowledged. An event of a group that is muted is
 * never acknowledged.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

struct evt_event {
	struct list_head link;
	u32 group;
	u32 sequence;
	bool acknowledged;
	wait_queue_head_t changed;
	struct task_struct *handler;
};

struct evt_bus {
	spinlock_t lock;
	struct list_head events;
	u32 sequence;
	u32 muted;
};

static struct evt_bus *bus;

static void evt_wait_acknowledged(struct evt_event *event)
{
	wait_event_interruptible(event->changed, READ_ONCE(event->acknowledged));
}

static int evt_handle(void *data)
{
	struct evt_event *event = data;

	evt_wait_acknowledged(event);
	spin_lock(&bus->lock);
	list_del(&event->link);
	spin_unlock(&bus->lock);
	kfree(event);
	return 0;
}

static void evt_acknowledge(struct evt_event *event)
{
	WRITE_ONCE(event->acknowledged, true);
	wake_up(&event->changed);
}

static int evt_raise(struct evt_bus *b, u32 group)
{
	struct evt_event *event = kzalloc(sizeof(*event), GFP_KERNEL);
	struct task_struct *handler;

	if (!event)
		return -ENOMEM;
	event->group = group;
	init_waitqueue_head(&event->changed);
	spin_lock(&b->lock);
	event->sequence = b->sequence++;
	list_add_tail(&event->link, &b->events);
	spin_unlock(&b->lock);
	handler = kthread_create(evt_handle, event, "evt_handler/%u", event->sequence);
	if (IS_ERR(handler))
		return PTR_ERR(handler);
	event->handler = handler;
	wake_up_process(handler);
	if (group != b->muted)
		evt_acknowledge(event);
	return 0;
}

static ssize_t evt_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 group, n;
	char line[24] = {};
	int err = 0;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (sscanf(line, "%u %u", &group, &n) != 2 || n > 1000)
		return -EINVAL;
	while (!err && n--)
		err = evt_raise(bus, group);
	return err ?: count;
}

static const struct file_operations evt_fops = {
	.owner = THIS_MODULE,
	.write = evt_write,
};

static struct miscdevice evt_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "evtpool",
	.fops = &evt_fops,
};

static int __init evt_init(void)
{
	bus = kzalloc(sizeof(*bus), GFP_KERNEL);
	if (!bus)
		return -ENOMEM;
	spin_lock_init(&bus->lock);
	INIT_LIST_HEAD(&bus->events);
	bus->muted = 7;
	return misc_register(&evt_misc);
}

module_init(evt_init);
MODULE_DESCRIPTION("Inquest lab: events of a field bus");
MODULE_LICENSE("GPL");
