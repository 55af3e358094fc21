// SPDX-License-Identifier: GPL-2.0
/* Filters of an Ethernet controller: each is on a list while the hardware has it. They expire by a timer, and are removed by hand. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct eth_filter {
	u8 address[6];
	u16 vlan;
	u32 location;
	struct list_head list;
	unsigned long expires;
	u64 matches;
};

struct eth_filters {
	spinlock_t lock;
	struct list_head active;
	struct eth_filter *by_location[8];
	struct timer_list ageing;
	u32 removed;
};

static struct eth_filters filters;

static inline void eth_filter_write(struct eth_filters *filters, struct eth_filter *filter)
{
	filter->location |= 0x80000000;
	filters->removed++;
}

static void eth_filter_remove(struct eth_filters *filters, struct eth_filter *filter)
{
	eth_filter_write(filters, filter);
	list_del(&filter->list);
}

static void eth_filters_age(struct timer_list *timer)
{
	struct eth_filters *filters = container_of(timer, struct eth_filters, ageing);
	struct eth_filter *filter, *next;

	spin_lock(&filters->lock);
	list_for_each_entry_safe(filter, next, &filters->active, list)
		if (time_after(jiffies, filter->expires))
			eth_filter_remove(filters, filter);
	spin_unlock(&filters->lock);
	mod_timer(timer, jiffies + HZ / 4);
}

static noinline void eth_filters_flush(struct eth_filters *filters)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(filters->by_location); i++) {
		struct eth_filter *filter = filters->by_location[i];

		if (!filter)
			continue;
		eth_filter_remove(filters, filter);
		filters->by_location[i] = NULL;
	}
}

static int eth_rules_set(const char *value, const struct kernel_param *kp)
{
	spin_lock_bh(&filters.lock);
	eth_filters_flush(&filters);
	spin_unlock_bh(&filters.lock);
	return 0;
}

static const struct kernel_param_ops eth_rules_ops = { .set = eth_rules_set };
module_param_cb(rules, &eth_rules_ops, NULL, 0200);

static int __init eth_init(void)
{
	unsigned int i;

	spin_lock_init(&filters.lock);
	INIT_LIST_HEAD(&filters.active);
	for (i = 0; i < ARRAY_SIZE(filters.by_location); i++) {
		struct eth_filter *filter = kzalloc(sizeof(*filter), GFP_KERNEL);

		if (!filter)
			return -ENOMEM;
		filter->location = i;
		filter->vlan = 100 + i;
		/* The fourth is a short lease. */
		filter->expires = jiffies + (i == 3 ? HZ / 4 : 3600 * HZ);
		list_add_tail(&filter->list, &filters.active);
		filters.by_location[i] = filter;
	}
	timer_setup(&filters.ageing, eth_filters_age, 0);
	mod_timer(&filters.ageing, jiffies + HZ / 4);
	return 0;
}

static void __exit eth_exit(void)
{
}

module_init(eth_init);
module_exit(eth_exit);
MODULE_DESCRIPTION("Ethernet filters");
MODULE_LICENSE("GPL");
