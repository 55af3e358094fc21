// SPDX-License-Identifier: GPL-2.0
/* Counters of a switch's ports: each port has a set per CPU; a timer ages them. */
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct port_counters {
	u64 packets;
	u64 bytes;
	u64 errors;
	u64 aged;
};

struct switch_port {
	u32 number;
	u32 vlan;
	void *counters;
	u64 last_seen;
};

struct switch_core {
	struct switch_port ports[4];
	struct timer_list aging;
	u32 rounds;
};

static struct switch_core *switch_core;

static inline void port_count(struct switch_port *port, u32 bytes)
{
	struct port_counters *counters = this_cpu_ptr((struct port_counters __percpu *)port->counters);

	counters->packets++;
	counters->bytes += bytes;
}

static noinline void port_age(struct switch_port *port)
{
	struct port_counters *counters = port->counters;

	counters->aged += counters->packets;
	counters->packets = 0;
	port->last_seen = jiffies;
}

static void switch_age(struct timer_list *timer)
{
	struct switch_core *core = container_of(timer, struct switch_core, aging);
	u32 i;

	core->rounds++;
	for (i = 0; i < ARRAY_SIZE(core->ports); i++)
		port_age(&core->ports[i]);
}

static ssize_t switch_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	port_count(&switch_core->ports[1], 1500);
	mod_timer(&switch_core->aging, jiffies + HZ / 20);
	return length;
}

static const struct proc_ops switch_proc_ops = { .proc_write = switch_write };

static int __init switch_init(void)
{
	u32 i;

	switch_core = kzalloc(sizeof(*switch_core), GFP_KERNEL);
	if (!switch_core)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(switch_core->ports); i++) {
		switch_core->ports[i].number = i;
		switch_core->ports[i].vlan = 100 + i;
		switch_core->ports[i].counters = (void __force *)alloc_percpu(struct port_counters);
		if (!switch_core->ports[i].counters)
			return -ENOMEM;
	}
	timer_setup(&switch_core->aging, switch_age, 0);
	return proc_create("pcpstat", 0200, NULL, &switch_proc_ops) ? 0 : -ENOMEM;
}

static void __exit switch_exit(void)
{
}

module_init(switch_init);
module_exit(switch_exit);
MODULE_DESCRIPTION("Port counters");
MODULE_LICENSE("GPL");
