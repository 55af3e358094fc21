// SPDX-License-Identifier: GPL-2.0
/*
 * A table of flows in singly linked buckets. A flow that is offered twice goes to the head of its bucket twice, and from then on the bucket
 * has no end.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/jhash.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#define FLOW_BUCKETS 64

struct flow_ent {
	u32 saddr;
	u32 daddr;
	u64 packets;
	struct flow_ent *next;
};

struct flow_table {
	spinlock_t lock;
	unsigned int count;
	struct flow_ent *cached;
	struct flow_ent *buckets[FLOW_BUCKETS];
};

static struct flow_table *flows;
static struct kmem_cache *flow_cache;

static inline struct flow_ent **flow_bucket(struct flow_table *table, u32 saddr, u32 daddr)
{
	return &table->buckets[jhash_2words(saddr, daddr, 0) % FLOW_BUCKETS];
}

static struct flow_ent *flow_find(struct flow_table *table, u32 saddr, u32 daddr)
{
	struct flow_ent *flow;

	for (flow = *flow_bucket(table, saddr, daddr); flow; flow = flow->next)
		if (flow->saddr == saddr && flow->daddr == daddr)
			return flow;
	return NULL;
}

static void flow_insert(struct flow_table *table, struct flow_ent *flow)
{
	struct flow_ent **bucket = flow_bucket(table, flow->saddr, flow->daddr);

	flow->next = *bucket;
	*bucket = flow;
	table->count++;
}

static void flow_learn(struct flow_table *table, u32 saddr, u32 daddr)
{
	struct flow_ent *flow = table->cached;

	if (!flow || flow->saddr != saddr) {
		flow = kmem_cache_alloc(flow_cache, GFP_ATOMIC);
		if (!flow)
			return;
		flow->saddr = saddr;
		flow->daddr = daddr;
		flow->packets = 0;
		table->cached = flow;
	}
	flow_insert(table, flow);
}

static u64 flow_account(struct flow_table *table, u32 saddr, u32 daddr)
{
	struct flow_ent *flow;
	u64 packets = 0;

	spin_lock_bh(&table->lock);
	flow = flow_find(table, saddr, daddr);
	if (flow)
		packets = ++flow->packets;
	spin_unlock_bh(&table->lock);
	return packets;
}

static ssize_t flow_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[40];
	u32 saddr, daddr;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "learn %x %x", &saddr, &daddr) == 2) {
		spin_lock_bh(&flows->lock);
		flow_learn(flows, saddr, daddr);
		spin_unlock_bh(&flows->lock);
	} else if (sscanf(line, "packet %x %x", &saddr, &daddr) == 2) {
		flow_account(flows, saddr, daddr);
	} else {
		return -EINVAL;
	}
	return count;
}

static const struct file_operations flow_fops = { .owner = THIS_MODULE, .write = flow_write };

static struct miscdevice flow_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "flowtab",
	.fops = &flow_fops,
};

static void flow_construct(void *object)
{
	memset(object, 0, sizeof(struct flow_ent));
}

static int __init flow_init(void)
{
	flows = kzalloc(sizeof(*flows), GFP_KERNEL);
	flow_cache = kmem_cache_create("flow_ent", sizeof(struct flow_ent), 0, 0, flow_construct);
	if (!flows || !flow_cache)
		return -ENOMEM;
	spin_lock_init(&flows->lock);
	return misc_register(&flow_misc);
}

module_init(flow_init);
MODULE_DESCRIPTION("Inquest lab: table of flows");
MODULE_LICENSE("GPL");
