// SPDX-License-Identifier: GPL-2.0
/*
 * An Ethernet controller whose slow business (link changes, filters) is done one after the other on a queue of its own.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

struct mac_filter {
	struct work_struct apply;
	u32 hash[8];
	u32 applied;
};

struct mac_port {
	struct workqueue_struct *slow;
	struct work_struct link_change;
	struct mac_filter filter;
	struct completion settled;
	bool up;
};

static struct mac_port *port;

static void mac_apply_filter(struct work_struct *work)
{
	struct mac_filter *filter = container_of(work, struct mac_filter, apply);

	filter->hash[0] ^= 0x5a;
	filter->applied++;
}

/* Whoever changes the filter wants it in the hardware when this returns. */
static void mac_update_filter(struct mac_port *mac)
{
	queue_work(mac->slow, &mac->filter.apply);
	flush_work(&mac->filter.apply);
}

static void mac_link_up(struct mac_port *mac)
{
	mac->up = true;
	mac_update_filter(mac);
	complete_all(&mac->settled);
}

static void mac_link_change(struct work_struct *work)
{
	struct mac_port *mac = container_of(work, struct mac_port, link_change);

	if (!mac->up)
		mac_link_up(mac);
}

static void mac_open(struct mac_port *mac)
{
	queue_work(mac->slow, &mac->link_change);
	wait_for_completion(&mac->settled);
}

static ssize_t mac_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char word;

	if (count == 0 || get_user(word, ubuf))
		return -EFAULT;
	if (word == 'u')
		mac_open(port);
	else
		mac_update_filter(port);
	return count;
}

static const struct file_operations mac_fops = {
	.owner = THIS_MODULE,
	.write = mac_write,
};

static struct miscdevice mac_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "edgemac",
	.fops = &mac_fops,
};

static int __init mac_init(void)
{
	port = kzalloc(sizeof(*port), GFP_KERNEL);
	if (!port)
		return -ENOMEM;
	port->slow = alloc_ordered_workqueue("edgemac_slow", 0);
	if (!port->slow) {
		kfree(port);
		return -ENOMEM;
	}
	INIT_WORK(&port->link_change, mac_link_change);
	INIT_WORK(&port->filter.apply, mac_apply_filter);
	init_completion(&port->settled);
	return misc_register(&mac_misc);
}

module_init(mac_init);
MODULE_DESCRIPTION("Inquest lab: Ethernet controller");
MODULE_LICENSE("GPL");
