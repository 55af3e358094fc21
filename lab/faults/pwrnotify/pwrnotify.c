// SPDX-License-Identifier: GPL-2.0
/* Clients of a power budget: each hears of heat and of power, over two chains. */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct pwr_domain {
	const char *name;
	u64 load;
	u32 throttled;
	u32 clients;
};

struct pwr_client {
	struct notifier_block heat;
	struct pwr_domain *domain;
	struct notifier_block power;
	u64 budget_mw;
	u64 used_mw;
	u32 priority;
};

static BLOCKING_NOTIFIER_HEAD(pwr_heat_chain);
static BLOCKING_NOTIFIER_HEAD(pwr_power_chain);
static struct pwr_domain pwr_domain = { .name = "soc" };
static struct pwr_client *pwr_clients[4];
static struct work_struct pwr_alarm;

static inline void pwr_domain_throttle(struct pwr_domain *domain, u64 load)
{
	domain->load = load;
	domain->throttled++;
}

static noinline void pwr_client_limit(struct pwr_client *client, unsigned long percent)
{
	pwr_domain_throttle(client->domain, client->used_mw * percent / 100);
}

static int pwr_heat_event(struct notifier_block *block, unsigned long event, void *data)
{
	struct pwr_client *client = container_of(block, struct pwr_client, heat);

	pwr_client_limit(client, event);
	return NOTIFY_OK;
}

static noinline struct pwr_client *pwr_client_add(u64 budget)
{
	struct pwr_client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return NULL;
	client->domain = &pwr_domain;
	client->budget_mw = budget;
	client->used_mw = budget / 2;
	client->heat.notifier_call = pwr_heat_event;
	client->power.notifier_call = pwr_heat_event;
	blocking_notifier_chain_register(&pwr_heat_chain, &client->heat);
	blocking_notifier_chain_register(&pwr_power_chain, &client->power);
	return client;
}

static void pwr_raise(struct work_struct *work)
{
	blocking_notifier_call_chain(&pwr_heat_chain, 80, NULL);
	blocking_notifier_call_chain(&pwr_power_chain, 60, NULL);
}

static ssize_t pwr_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	schedule_work(&pwr_alarm);
	flush_work(&pwr_alarm);
	return length;
}

static const struct proc_ops pwr_proc_ops = { .proc_write = pwr_write };

static int __init pwr_init(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(pwr_clients); i++) {
		pwr_clients[i] = pwr_client_add(45000 + i * 1000);
		if (!pwr_clients[i])
			return -ENOMEM;
	}
	INIT_WORK(&pwr_alarm, pwr_raise);
	return proc_create("pwrnotify", 0200, NULL, &pwr_proc_ops) ? 0 : -ENOMEM;
}

static void __exit pwr_exit(void)
{
}

module_init(pwr_init);
module_exit(pwr_exit);
MODULE_DESCRIPTION("Power budget");
MODULE_LICENSE("GPL");
