// SPDX-License-Identifier: GPL-2.0
/* A registry of services, read under RCU by a monitor thread that takes its time with each. */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/proc_fs.h>
#include <linux/rculist.h>
#include <linux/slab.h>

struct svc_endpoint {
	u16 family;
	u16 port;
	u32 weight;
	u64 requests;
};

struct svc_entry {
	u32 id;
	u32 generation;
	struct svc_endpoint *endpoint;
	struct list_head node;
	char name[32];
	u64 digest;
};

static LIST_HEAD(svc_list);
static DEFINE_SPINLOCK(svc_lock);
static struct task_struct *svc_monitor;
static struct kmem_cache *svc_cache;

static inline u64 svc_mix(u64 digest, u64 value)
{
	return (digest ^ value) * 0x100000001b3ULL;
}

static noinline u64 svc_digest(const struct svc_entry *entry)
{
	u64 digest = entry->id;
	unsigned int i;

	for (i = 0; i < sizeof(entry->name) && entry->name[i]; i++)
		digest = svc_mix(digest, entry->name[i]);
	/* Sixteen rounds more, as the wire format asks for. */
	mdelay(40);
	return svc_mix(digest, entry->endpoint->requests);
}

static noinline u64 svc_survey(void)
{
	struct svc_entry *entry;
	u64 all = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(entry, &svc_list, node)
		all ^= svc_digest(entry);
	rcu_read_unlock();
	return all;
}

static int svc_monitor_thread(void *unused)
{
	u64 last = 0;

	while (!kthread_should_stop()) {
		u64 now = svc_survey();

		if (now != last)
			pr_debug("svcreg: changed\n");
		last = now;
		schedule_timeout_interruptible(1);
	}
	return 0;
}

static void svc_remove(struct svc_entry *entry)
{
	spin_lock(&svc_lock);
	list_del_rcu(&entry->node);
	spin_unlock(&svc_lock);
	kfree(entry->endpoint);
	kmem_cache_free(svc_cache, entry);
}

static ssize_t svc_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	struct svc_entry *entry, *next;

	list_for_each_entry_safe(entry, next, &svc_list, node)
		svc_remove(entry);
	return length;
}

static const struct proc_ops svc_proc_ops = { .proc_write = svc_write };

static int svc_add(u32 id)
{
	struct svc_entry *entry = kmem_cache_zalloc(svc_cache, GFP_KERNEL);

	if (!entry)
		return -ENOMEM;
	entry->endpoint = kzalloc(sizeof(*entry->endpoint), GFP_KERNEL);
	entry->id = id;
	snprintf(entry->name, sizeof(entry->name), "service-%u", id);
	spin_lock(&svc_lock);
	list_add_tail_rcu(&entry->node, &svc_list);
	spin_unlock(&svc_lock);
	return 0;
}

static int __init svc_init(void)
{
	u32 id;

	svc_cache = KMEM_CACHE(svc_entry, 0);
	if (!svc_cache)
		return -ENOMEM;
	for (id = 1; id <= 10; id++)
		svc_add(id);
	svc_monitor = kthread_run(svc_monitor_thread, NULL, "svc-monitor");
	return proc_create("svcreg", 0200, NULL, &svc_proc_ops) ? 0 : -ENOMEM;
}

static void __exit svc_exit(void)
{
}

module_init(svc_init);
module_exit(svc_exit);
MODULE_DESCRIPTION("Service registry");
MODULE_LICENSE("GPL");
