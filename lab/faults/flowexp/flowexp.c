// SPDX-License-Identifier: GPL-2.0
/* A flow cache whose entries are given back after a grace period; an entry goes when it expires and when its port is flushed. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/rculist.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

struct fx_flow {
	struct list_head link;
	u32 port;
	u32 hash;
	u64 bytes;
	u64 expires;
	u8 key[24];
	struct rcu_head rcu;
};

struct fx_cache {
	spinlock_t lock;
	struct list_head flows;
	u32 count;
	atomic_t released;
	u64 clock;
	struct work_struct expire;
};

static struct fx_cache *fx;

static void fx_flow_release(struct rcu_head *head)
{
	struct fx_flow *flow = container_of(head, struct fx_flow, rcu);

	atomic_inc(&fx->released);
	kfree(flow);
}

static void fx_flow_put(struct fx_flow *flow)
{
	call_rcu(&flow->rcu, fx_flow_release);
}

static noinline void fx_expire_old(struct fx_cache *cache)
{
	struct fx_flow *flow, *next;

	list_for_each_entry_safe(flow, next, &cache->flows, link)
		if (flow->expires < cache->clock)
			fx_flow_put(flow);
}

static void fx_expire(struct work_struct *work)
{
	struct fx_cache *cache = container_of(work, struct fx_cache, expire);

	spin_lock_bh(&cache->lock);
	fx_expire_old(cache);
	spin_unlock_bh(&cache->lock);
}

static noinline void fx_flush_port(struct fx_cache *cache, u32 port)
{
	struct fx_flow *flow, *next;

	spin_lock_bh(&cache->lock);
	list_for_each_entry_safe(flow, next, &cache->flows, link) {
		if (flow->port == port)
			fx_flow_put(flow);
	}
	cache->clock = 21;
	spin_unlock_bh(&cache->lock);
	/* Each CPU looks for what is old in its turn. */
	schedule_work_on(cpumask_any_but(cpu_online_mask, raw_smp_processor_id()), &cache->expire);
}

static ssize_t fx_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	char text[16] = {};
	u32 port;

	if (length >= sizeof(text) || copy_from_user(text, from, length))
		return -EINVAL;
	if (kstrtou32(strim(text), 0, &port))
		return -EINVAL;
	fx_flush_port(fx, port);
	return length;
}

static const struct proc_ops fx_proc_ops = { .proc_write = fx_write };

static int __init fx_init(void)
{
	unsigned int i;

	fx = kzalloc(sizeof(*fx), GFP_KERNEL);
	if (!fx)
		return -ENOMEM;
	spin_lock_init(&fx->lock);
	INIT_LIST_HEAD(&fx->flows);
	INIT_WORK(&fx->expire, fx_expire);
	for (i = 0; i < 12; i++) {
		struct fx_flow *flow = kzalloc(sizeof(*flow), GFP_KERNEL);

		if (!flow)
			return -ENOMEM;
		flow->port = i;
		flow->hash = 0x9e3779b9 * i;
		flow->expires = 20 + i * 20;
		list_add_tail_rcu(&flow->link, &fx->flows);
		fx->count++;
	}
	return proc_create("flowexp", 0200, NULL, &fx_proc_ops) ? 0 : -ENOMEM;
}

module_init(fx_init);
MODULE_DESCRIPTION("Inquest lab: flow cache");
MODULE_LICENSE("GPL");
