// SPDX-License-Identifier: GPL-2.0
/* Classifies flows by rules. Both are small and come from one allocator; a flow is kept by the port that saw it last. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct flow_port {
	u32 number;
	u32 speed;
	u64 octets;
};

struct flow_entry {
	u64 key;
	u32 hash;
	u32 hits;
	struct flow_port *in;
	struct flow_port *out;
	struct list_head node;
	u64 first_seen;
	u64 last_seen;
	u8 state[48];
};

struct flow_rule {
	u32 priority;
	u32 action;
	char name[56];
	struct list_head node;
	u64 matched;
	u8 mask[32];
};

struct flow_table {
	struct list_head flows;
	struct list_head rules;
	u32 flow_count;
	u32 rule_count;
	struct flow_entry *last;
	struct flow_port ports[4];
};

static struct flow_table table;

static noinline void *flow_table_alloc(struct flow_table *table, size_t size)
{
	void *object = kzalloc(max(sizeof(struct flow_entry), size), GFP_KERNEL);

	if (object)
		table->flow_count++;
	return object;
}

static struct flow_entry *flow_learn(struct flow_table *table, u64 key)
{
	struct flow_entry *flow = flow_table_alloc(table, sizeof(*flow));

	if (!flow)
		return NULL;
	flow->key = key;
	flow->in = &table->ports[key & 3];
	flow->out = &table->ports[(key >> 2) & 3];
	list_add(&flow->node, &table->flows);
	table->last = flow;
	return flow;
}

static void flow_flush(struct flow_table *table)
{
	struct flow_entry *flow, *next;

	list_for_each_entry_safe(flow, next, &table->flows, node) {
		list_del(&flow->node);
		table->flow_count--;
		kfree(flow);
	}
}

static int rule_insert(struct flow_table *table, u32 priority)
{
	struct flow_rule *rule = flow_table_alloc(table, sizeof(*rule));

	if (!rule)
		return -ENOMEM;
	rule->priority = priority;
	rule->action = priority % 3;
	snprintf(rule->name, sizeof(rule->name), "from any to any port %u keep state", priority);
	list_add_tail(&rule->node, &table->rules);
	table->rule_count++;
	return 0;
}

static noinline void flow_port_charge(struct flow_port *port, u32 length)
{
	port->octets += length;
}

static noinline void flow_charge(struct flow_entry *flow, u32 length)
{
	flow->hits++;
	flow_port_charge(flow->in, length);
	flow_port_charge(flow->out, length);
}

static noinline void flow_receive(struct flow_table *table, u64 key, u32 length)
{
	struct flow_entry *flow = table->last;

	if (!flow || flow->state[0] == 0xff)
		flow = flow_learn(table, key);
	if (flow)
		flow_charge(flow, length);
}

static ssize_t flow_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	char word[16] = "";
	u32 priority;

	if (copy_from_user(word, from, min(length, sizeof(word) - 1)))
		return -EFAULT;
	if (!strncmp(word, "packet", 6))
		flow_receive(&table, 0x1d, 1500);
	else if (!strncmp(word, "flush", 5))
		flow_flush(&table);
	else
		for (priority = 8000; priority < 8000 + 64; priority++)
			rule_insert(&table, priority);
	return length;
}

static const struct proc_ops flow_proc_ops = { .proc_write = flow_write };

static int __init flow_init(void)
{
	INIT_LIST_HEAD(&table.flows);
	INIT_LIST_HEAD(&table.rules);
	return proc_create("flowrule", 0200, NULL, &flow_proc_ops) ? 0 : -ENOMEM;
}

static void __exit flow_exit(void)
{
}

module_init(flow_init);
module_exit(flow_exit);
MODULE_DESCRIPTION("Flow classification");
MODULE_LICENSE("GPL");
