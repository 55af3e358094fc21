// SPDX-License-Identifier: GPL-2.0
/* Counts what happens to network devices. */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/slab.h>

struct linkmon {
	char name[16];
	struct notifier_block events;
	u64 ups;
	u64 downs;
	u64 others;
};

static struct linkmon *linkmon;

static int linkmon_event(struct notifier_block *block, unsigned long event, void *info)
{
	struct linkmon *monitor = container_of(block, struct linkmon, events);

	if (event == NETDEV_UP)
		monitor->ups++;
	else if (event == NETDEV_DOWN)
		monitor->downs++;
	else
		monitor->others++;
	return NOTIFY_DONE;
}

static int __init linkmon_init(void)
{
	linkmon = kzalloc(sizeof(*linkmon), GFP_KERNEL);
	if (!linkmon)
		return -ENOMEM;
	strcpy(linkmon->name, "linkmon0");
	linkmon->events.notifier_call = linkmon_event;
	return register_netdevice_notifier(&linkmon->events);
}

static void __exit linkmon_exit(void)
{
	pr_info("linkmon: %llu up, %llu down\n", linkmon->ups, linkmon->downs);
}

module_init(linkmon_init);
module_exit(linkmon_exit);
MODULE_DESCRIPTION("Link monitor");
MODULE_LICENSE("GPL");
