// SPDX-License-Identifier: GPL-2.0
/* Endpoints of a host controller, each with a watchdog; and traces of what happened on them. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct hcd_endpoint {
	u32 address;
	u32 interval;
	u64 errors;
	struct timer_list watchdog;
	u8 ring[96];
};

struct hcd_trace {
	u32 samples[44];
};

static struct hcd_endpoint *hcd_endpoints[12];
static struct hcd_trace *hcd_traces[24];

static void hcd_timeout(struct timer_list *timer)
{
	struct hcd_endpoint *endpoint = container_of(timer, struct hcd_endpoint, watchdog);

	endpoint->errors++;
}

static noinline struct hcd_endpoint *hcd_endpoint_enable(u32 address)
{
	struct hcd_endpoint *endpoint = kzalloc(sizeof(*endpoint), GFP_KERNEL);

	if (!endpoint)
		return NULL;
	endpoint->address = address;
	endpoint->interval = 8;
	timer_setup(&endpoint->watchdog, hcd_timeout, 0);
	return endpoint;
}

static noinline void hcd_endpoint_start(struct hcd_endpoint *endpoint)
{
	mod_timer(&endpoint->watchdog, jiffies + HZ / 2 + endpoint->address * 16);
}

static noinline void hcd_endpoint_disable(struct hcd_endpoint *endpoint)
{
	endpoint->interval = 0;
	kfree(endpoint);
}

static noinline struct hcd_trace *hcd_trace_take(u32 what)
{
	struct hcd_trace *trace = kmalloc(sizeof(*trace), GFP_KERNEL);
	u32 i;

	if (!trace)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(trace->samples); i++)
		trace->samples[i] = 0x00200000 + what * 256 + i;
	return trace;
}

static ssize_t hcd_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 i;

	migrate_disable();
	for (i = 0; i < ARRAY_SIZE(hcd_endpoints); i++) {
		hcd_endpoints[i] = hcd_endpoint_enable(i);
		if (!hcd_endpoints[i])
			goto out;
	}
	for (i = 0; i < 4; i++)
		hcd_endpoint_start(hcd_endpoints[i * 3]);
	hcd_endpoint_disable(hcd_endpoints[6]);
	for (i = 0; i < ARRAY_SIZE(hcd_traces); i++)
		hcd_traces[i] = hcd_trace_take(i);
out:
	migrate_enable();
	return length;
}

static const struct proc_ops hcd_proc_ops = { .proc_write = hcd_write };

static int __init hcd_init(void)
{
	return proc_create("hcdring", 0200, NULL, &hcd_proc_ops) ? 0 : -ENOMEM;
}

static void __exit hcd_exit(void)
{
}

module_init(hcd_init);
module_exit(hcd_exit);
MODULE_DESCRIPTION("Host controller");
MODULE_LICENSE("GPL");
