// SPDX-License-Identifier: GPL-2.0
/*
 * A cache of routes read under RCU. A route that is moved to another bucket is put there without leaving its old one; a reader that follows
 * its next pointer comes round for ever.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#define RT_BUCKETS 8

struct rt_route {
	struct hlist_node node;
	u32 prefix;
	u32 metric;
	u32 hits;
};

struct rt_cache {
	spinlock_t lock;
	struct hlist_head buckets[RT_BUCKETS];
	u32 generation;
};

static struct rt_cache *rt_cache;

static struct rt_route *rt_lookup(struct rt_cache *cache, unsigned int bucket, u32 prefix)
{
	struct rt_route *route;

	hlist_for_each_entry_rcu(route, &cache->buckets[bucket], node) {
		if (route->prefix == prefix)
			return route;
		route->hits++;
	}
	return NULL;
}

static u32 rt_metric(struct rt_cache *cache, u32 prefix)
{
	struct rt_route *route;
	u32 metric = ~0u;

	rcu_read_lock();
	route = rt_lookup(cache, prefix % RT_BUCKETS, prefix);
	if (route)
		metric = route->metric;
	rcu_read_unlock();
	return metric;
}

static int rt_add(struct rt_cache *cache, u32 prefix, u32 metric)
{
	struct rt_route *route = kzalloc(sizeof(*route), GFP_KERNEL);

	if (!route)
		return -ENOMEM;
	route->prefix = prefix;
	route->metric = metric;
	spin_lock(&cache->lock);
	hlist_add_head_rcu(&route->node, &cache->buckets[prefix % RT_BUCKETS]);
	spin_unlock(&cache->lock);
	return 0;
}

/* The newest route to the front, where it is found sooner. */
static void rt_promote(struct rt_cache *cache, u32 prefix)
{
	unsigned int bucket = prefix % RT_BUCKETS;
	struct rt_route *route;

	spin_lock(&cache->lock);
	route = rt_lookup(cache, bucket, prefix);
	if (route) {
		hlist_add_head_rcu(&route->node, &cache->buckets[bucket]);
		cache->generation++;
	}
	spin_unlock(&cache->lock);
}

static ssize_t rt_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[40];
	u32 prefix, metric;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "add %u %u", &prefix, &metric) == 2)
		return rt_add(rt_cache, prefix, metric) ?: count;
	if (sscanf(line, "promote %u", &prefix) == 1)
		rt_promote(rt_cache, prefix);
	else if (sscanf(line, "get %u", &prefix) == 1)
		rt_metric(rt_cache, prefix);
	else
		return -EINVAL;
	return count;
}

static const struct file_operations rt_fops = { .owner = THIS_MODULE, .write = rt_write };

static struct miscdevice rt_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "rtcache",
	.fops = &rt_fops,
};

static int __init rt_init(void)
{
	rt_cache = kzalloc(sizeof(*rt_cache), GFP_KERNEL);
	if (!rt_cache)
		return -ENOMEM;
	spin_lock_init(&rt_cache->lock);
	return misc_register(&rt_misc);
}

module_init(rt_init);
MODULE_DESCRIPTION("Inquest lab: cache of routes");
MODULE_LICENSE("GPL");
