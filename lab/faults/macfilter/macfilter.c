// SPDX-License-Identifier: GPL-2.0
/* A filter of addresses that forgets the old ones: a timer ages what a process adds. */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct mac_entry {
	struct list_head link;
	u64 address;
	u32 age;
	u32 hits;
};

struct mac_filter {
	spinlock_t lock;
	u32 count;
	u32 sweeps;
	struct list_head entries;
	struct timer_list ageing;
};

static struct mac_filter *filter;

static noinline void mac_sweep(struct mac_filter *f)
{
	struct mac_entry *entry;

	spin_lock(&f->lock);
	list_for_each_entry(entry, &f->entries, link)
		entry->age++;
	f->sweeps++;
	spin_unlock(&f->lock);
}

static void mac_ageing(struct timer_list *timer)
{
	struct mac_filter *f = container_of(timer, struct mac_filter, ageing);

	mac_sweep(f);
	mod_timer(&f->ageing, jiffies + HZ / 20);
}

/* The card takes one address at a time. */
static noinline void mac_program(struct mac_entry *entry)
{
	udelay(500);
	entry->hits = 0;
}

static noinline void mac_program_all(struct mac_filter *f)
{
	struct mac_entry *entry;

	spin_lock(&f->lock);
	list_for_each_entry(entry, &f->entries, link)
		mac_program(entry);
	spin_unlock(&f->lock);
}

static int mac_add(struct mac_filter *f, u64 address)
{
	struct mac_entry *entry = kzalloc(sizeof(*entry), GFP_KERNEL);

	if (!entry)
		return -ENOMEM;
	entry->address = address;
	spin_lock_bh(&f->lock);
	list_add_tail(&entry->link, &f->entries);
	f->count++;
	spin_unlock_bh(&f->lock);
	return 0;
}

static ssize_t mac_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 n, i;
	int error = kstrtou32_from_user(ubuf, count, 0, &n);

	if (error)
		return error;
	for (i = 0; !error && i < n; i++)
		error = mac_add(filter, 0x525400000000ull + i);
	mod_timer(&filter->ageing, jiffies + HZ / 20);
	if (!error)
		mac_program_all(filter);
	return error ? error : count;
}

static const struct file_operations mac_fops = {
	.owner = THIS_MODULE,
	.write = mac_write,
};

static struct miscdevice mac_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "macfilter",
	.fops = &mac_fops,
};

static int __init mac_init(void)
{
	filter = kzalloc(sizeof(*filter), GFP_KERNEL);
	if (!filter)
		return -ENOMEM;
	spin_lock_init(&filter->lock);
	INIT_LIST_HEAD(&filter->entries);
	timer_setup(&filter->ageing, mac_ageing, TIMER_PINNED);
	return misc_register(&mac_misc);
}

module_init(mac_init);
MODULE_DESCRIPTION("Inquest lab: filter of addresses");
MODULE_LICENSE("GPL");
