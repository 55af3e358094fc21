// SPDX-License-Identifier: GPL-2.0
/* Flows of a traffic meter: each counts per CPU. A flow that is seen again within its lifetime is renewed. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define FLOWS 64

struct flow_counters {
	u64 packets;
	u64 bytes;
	u64 drops;
	u32 sizes[250];
};

struct flow {
	u32 key;
	u32 renewals;
	u64 first_seen;
	struct flow_counters __percpu *counters;
};

struct flow_meter {
	struct mutex lock;
	u32 next_key;
	struct flow flows[FLOWS];
};

static struct flow_meter *meter;

static noinline int flow_start(struct flow *flow, u32 key)
{
	flow->counters = alloc_percpu(struct flow_counters);
	if (!flow->counters)
		return -ENOMEM;
	flow->key = key;
	flow->first_seen = get_jiffies_64();
	this_cpu_inc(flow->counters->packets);
	return 0;
}

static void flow_end(struct flow *flow)
{
	free_percpu(flow->counters);
	flow->counters = NULL;
	flow->key = 0;
}

static noinline int flow_seen(struct flow_meter *m, u32 key)
{
	struct flow *flow = &m->flows[key % FLOWS];

	if (flow->key && flow->key != key)
		flow_end(flow);
	else if (flow->key == key)
		flow->renewals++;
	return flow_start(flow, key);
}

static ssize_t flow_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 n, i;
	int error = kstrtou32_from_user(ubuf, count, 0, &n);

	mutex_lock(&meter->lock);
	for (i = 0; !error && i < n; i++)
		error = flow_seen(meter, 1 + meter->next_key++ % FLOWS);
	mutex_unlock(&meter->lock);
	return error ? error : count;
}

static const struct file_operations flow_fops = {
	.owner = THIS_MODULE,
	.write = flow_write,
};

static struct miscdevice flow_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "flowstat",
	.fops = &flow_fops,
};

static int __init flow_init(void)
{
	meter = kzalloc(sizeof(*meter), GFP_KERNEL);
	if (!meter)
		return -ENOMEM;
	mutex_init(&meter->lock);
	return misc_register(&flow_misc);
}

module_init(flow_init);
MODULE_DESCRIPTION("Inquest lab: traffic meter");
MODULE_LICENSE("GPL");
