// SPDX-License-Identifier: GPL-2.0
/*
 * An array whose stripes are handled one after another on an ordered workqueue. The scrub of a stripe that fails is tried again for ever, and
 * all later stripes stay queued; a process that wants the array clean waits for them.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#define STRIPES 6

struct raid_stripe {
	u32 number;
	u32 parity;
	u32 expected;
	u32 retries;
	struct work_struct work;
	struct raid_array *array;
};

struct raid_array {
	struct workqueue_struct *wq;
	u32 scrubbed;
	struct raid_stripe stripes[STRIPES];
};

static struct raid_array *array;

static bool raid_read_parity(struct raid_stripe *stripe)
{
	usleep_range(2000, 4000);
	return stripe->parity == stripe->expected;
}

static void raid_scrub_stripe(struct raid_stripe *stripe)
{
	while (!raid_read_parity(stripe))
		stripe->retries++;
	stripe->array->scrubbed++;
}

static void raid_stripe_work(struct work_struct *work)
{
	raid_scrub_stripe(container_of(work, struct raid_stripe, work));
}

static void raid_start_scrub(struct raid_array *raid)
{
	unsigned int i;

	for (i = 0; i < STRIPES; i++)
		queue_work_on(1, raid->wq, &raid->stripes[i].work);
}

static void raid_wait_clean(struct raid_array *raid)
{
	flush_work(&raid->stripes[STRIPES - 1].work);
}

static ssize_t raid_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char word;

	if (count == 0 || get_user(word, ubuf))
		return -EFAULT;
	if (word == 's')
		raid_start_scrub(array);
	else
		raid_wait_clean(array);
	return count;
}

static const struct file_operations raid_fops = { .owner = THIS_MODULE, .write = raid_write };

static struct miscdevice raid_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "raidscrub",
	.fops = &raid_fops,
};

static int __init raid_init(void)
{
	unsigned int i;

	array = kzalloc(sizeof(*array), GFP_KERNEL);
	if (!array)
		return -ENOMEM;
	array->wq = alloc_workqueue("raid_scrub", WQ_MEM_RECLAIM, 1);
	if (!array->wq)
		return -ENOMEM;
	for (i = 0; i < STRIPES; i++) {
		struct raid_stripe *stripe = &array->stripes[i];

		stripe->number = i;
		stripe->array = array;
		stripe->expected = stripe->parity = 0x5a0 + i;
		INIT_WORK(&stripe->work, raid_stripe_work);
	}
	array->stripes[1].parity ^= 8;
	return misc_register(&raid_misc);
}

module_init(raid_init);
MODULE_DESCRIPTION("Inquest lab: scrub of an array");
MODULE_LICENSE("GPL");
