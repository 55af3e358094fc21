// SPDX-License-Identifier: GPL-2.0
/*
 * Flows and their counters. A timer ages the flows and adds what they counted; a dump goes through the counters and looks up their flows.
 *
 *   ageing   table->lock, then stats->lock   (a timer, softirq)
 *   dump     stats->lock, then table->lock   (a process)
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

#define FLOWS 48

struct flow_entry {
	u32 key;
	u32 packets;
	u32 idle;
};

struct flow_stats {
	spinlock_t lock;
	u64 total;
	u32 dumps;
};

struct flow_table {
	struct timer_list ageing;
	spinlock_t lock;
	struct flow_stats *stats;
	struct flow_entry entries[FLOWS];
};

static struct flow_table *flows;

static void flow_account(struct flow_stats *stats, struct flow_entry *entry)
{
	spin_lock(&stats->lock);
	stats->total += entry->packets;
	entry->packets = 0;
	spin_unlock(&stats->lock);
}

static void flow_expire(struct flow_table *table)
{
	unsigned int i;

	spin_lock(&table->lock);
	for (i = 0; i < FLOWS; i++) {
		/* The hardware's own counter is read through a mailbox. */
		udelay(400);
		table->entries[i].idle++;
		flow_account(table->stats, &table->entries[i]);
	}
	spin_unlock(&table->lock);
}

static void flow_age(struct timer_list *timer)
{
	struct flow_table *table = container_of(timer, struct flow_table, ageing);

	flow_expire(table);
	mod_timer(&table->ageing, jiffies + HZ / 10);
}

static u32 flow_idle(struct flow_table *table, unsigned int i)
{
	u32 idle;

	spin_lock(&table->lock);
	idle = table->entries[i].idle;
	spin_unlock(&table->lock);
	return idle;
}

static u32 flow_dump(struct flow_table *table)
{
	struct flow_stats *stats = table->stats;
	unsigned int i;
	u32 sum = 0;

	spin_lock_bh(&stats->lock);
	stats->dumps++;
	mdelay(250);
	for (i = 0; i < FLOWS; i++)
		sum += flow_idle(table, i);
	spin_unlock_bh(&stats->lock);
	return sum;
}

static ssize_t flow_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16];
	int length = scnprintf(line, sizeof(line), "%u\n", flow_dump(flows));

	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations flow_fops = {
	.owner = THIS_MODULE,
	.read = flow_read,
};

static struct miscdevice flow_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "flowage",
	.fops = &flow_fops,
};

static int __init flow_init(void)
{
	flows = kzalloc(sizeof(*flows), GFP_KERNEL);
	if (!flows)
		return -ENOMEM;
	flows->stats = kzalloc(sizeof(*flows->stats), GFP_KERNEL);
	if (!flows->stats)
		return -ENOMEM;
	spin_lock_init(&flows->lock);
	spin_lock_init(&flows->stats->lock);
	timer_setup(&flows->ageing, flow_age, TIMER_PINNED);
	flows->ageing.expires = jiffies + HZ / 10;
	add_timer_on(&flows->ageing, 1);
	return misc_register(&flow_misc);
}

module_init(flow_init);
MODULE_DESCRIPTION("Inquest lab: ageing of flows");
MODULE_LICENSE("GPL");
