// SPDX-License-Identifier: GPL-2.0
/*
 * Reports of a wireless card, each copied for whoever listens. When no one listens, the copy goes nowhere and is not freed.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

struct wl_report {
	struct list_head node;
	u16 channel;
	s16 signal;
	u8 bssid[6];
	u8 elements[900];
};

struct wl_card {
	struct list_head listeners;
	struct wl_report scratch;
	u32 reports;
};

static struct wl_card *wl;

static struct wl_report *wl_clone(const struct wl_report *report)
{
	return kmemdup(report, sizeof(*report), GFP_KERNEL);
}

static bool wl_deliver(struct wl_card *card, struct wl_report *report)
{
	if (list_empty(&card->listeners))
		return false;
	list_add_tail(&report->node, &card->listeners);
	return true;
}

static int wl_scan_channel(struct wl_card *card, u16 channel)
{
	struct wl_report *report;

	card->scratch.channel = channel;
	card->scratch.signal = -40 - channel;
	report = wl_clone(&card->scratch);
	if (!report)
		return -ENOMEM;
	if (wl_deliver(card, report))
		card->reports++;
	return 0;
}

static int wl_scan(struct wl_card *card, u32 rounds)
{
	u16 channel;
	int error = 0;

	while (!error && rounds--)
		for (channel = 1; !error && channel <= 13; channel++)
			error = wl_scan_channel(card, channel);
	return error;
}

static ssize_t wl_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 rounds;
	int error = kstrtou32_from_user(ubuf, count, 0, &rounds);

	if (!error)
		error = wl_scan(wl, rounds);
	return error ? error : count;
}

static const struct file_operations wl_fops = { .owner = THIS_MODULE, .write = wl_write };

static struct miscdevice wl_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "wlstats",
	.fops = &wl_fops,
};

static int __init wl_init(void)
{
	wl = kzalloc(sizeof(*wl), GFP_KERNEL);
	if (!wl)
		return -ENOMEM;
	INIT_LIST_HEAD(&wl->listeners);
	return misc_register(&wl_misc);
}

module_init(wl_init);
MODULE_DESCRIPTION("Inquest lab: wireless reports");
MODULE_LICENSE("GPL");
