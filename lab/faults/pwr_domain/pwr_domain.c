// SPDX-License-Identifier: GPL-2.0
/*
 * Power domains with consumers that are told of every change. One consumer answers by asking the domain for a limit, which takes the lock
 * that the domain calls its consumers under.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct pwr_consumer;

struct pwr_domain {
	const char *name;
	u32 millivolts;
	u32 limit;
	struct mutex lock;
	struct list_head consumers;
};

struct pwr_consumer {
	struct list_head node;
	struct pwr_domain *domain;
	void (*changed)(struct pwr_consumer *consumer, u32 millivolts);
	u32 seen;
};

static struct pwr_domain *pwr_core_domain;

static u32 pwr_domain_set_limit(struct pwr_domain *domain, u32 limit)
{
	u32 old;

	mutex_lock(&domain->lock);
	old = domain->limit;
	domain->limit = limit;
	mutex_unlock(&domain->lock);
	return old;
}

static void pwr_led_changed(struct pwr_consumer *consumer, u32 millivolts)
{
	consumer->seen = millivolts;
}

static void pwr_fan_changed(struct pwr_consumer *consumer, u32 millivolts)
{
	consumer->seen = millivolts;
	if (millivolts > 1200)
		pwr_domain_set_limit(consumer->domain, millivolts + 50);
}

static void pwr_domain_notify(struct pwr_domain *domain)
{
	struct pwr_consumer *consumer;

	list_for_each_entry(consumer, &domain->consumers, node)
		consumer->changed(consumer, domain->millivolts);
}

static int pwr_domain_set_voltage(struct pwr_domain *domain, u32 millivolts)
{
	mutex_lock(&domain->lock);
	if (domain->millivolts != millivolts) {
		domain->millivolts = millivolts;
		pwr_domain_notify(domain);
	}
	mutex_unlock(&domain->lock);
	return 0;
}

static ssize_t pwr_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 millivolts;
	int error = kstrtou32_from_user(ubuf, count, 0, &millivolts);

	if (error)
		return error;
	pwr_domain_set_voltage(pwr_core_domain, millivolts);
	return count;
}

static ssize_t pwr_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16];
	int length;

	mutex_lock(&pwr_core_domain->lock);
	length = scnprintf(line, sizeof(line), "%u\n", pwr_core_domain->millivolts);
	mutex_unlock(&pwr_core_domain->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations pwr_fops = {
	.owner = THIS_MODULE,
	.read = pwr_read,
	.write = pwr_write,
};

static struct miscdevice pwr_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pwrcore",
	.fops = &pwr_fops,
};

static int pwr_add_consumer(struct pwr_domain *domain, void (*changed)(struct pwr_consumer *, u32))
{
	struct pwr_consumer *consumer = kzalloc(sizeof(*consumer), GFP_KERNEL);

	if (!consumer)
		return -ENOMEM;
	consumer->domain = domain;
	consumer->changed = changed;
	list_add_tail(&consumer->node, &domain->consumers);
	return 0;
}

static int __init pwr_init(void)
{
	pwr_core_domain = kzalloc(sizeof(*pwr_core_domain), GFP_KERNEL);
	if (!pwr_core_domain)
		return -ENOMEM;
	pwr_core_domain->name = "core";
	pwr_core_domain->millivolts = 1100;
	mutex_init(&pwr_core_domain->lock);
	INIT_LIST_HEAD(&pwr_core_domain->consumers);
	if (pwr_add_consumer(pwr_core_domain, pwr_led_changed) || pwr_add_consumer(pwr_core_domain, pwr_fan_changed))
		return -ENOMEM;
	return misc_register(&pwr_misc);
}

module_init(pwr_init);
MODULE_DESCRIPTION("Inquest lab: power domain with consumers");
MODULE_LICENSE("GPL");
