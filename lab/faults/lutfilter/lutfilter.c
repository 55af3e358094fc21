// SPDX-License-Identifier: GPL-2.0
/* Filters values through a lookup table whose size follows from the number of bits; the table is allocated for the usual number. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct lut_entry {
	u32 low;
	u32 high;
	u64 weight;
};

struct lut_filter {
	u32 bits;
	u32 shift;
	u64 total;
	struct lut_entry *entries;
	struct delayed_work work;
	u32 input[16];
	u32 inputs;
};

static struct lut_filter *lut;

static inline u32 lut_index(const struct lut_filter *filter, u32 value)
{
	return value >> filter->shift;
}

static noinline u64 lut_weigh(const struct lut_filter *filter, u32 value)
{
	const struct lut_entry *entry = filter->entries + lut_index(filter, value);

	return value >= entry->low && value <= entry->high ? entry->weight : 0;
}

static noinline u64 lut_run(struct lut_filter *filter)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < filter->inputs; i++)
		sum += lut_weigh(filter, filter->input[i]);
	return sum;
}

static void lut_work(struct work_struct *work)
{
	struct lut_filter *filter = container_of(to_delayed_work(work), struct lut_filter, work);

	filter->total += lut_run(filter);
}

static ssize_t lut_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 i;

	for (i = 0; i < 16; i++)
		lut->input[i] = 0x00100000 * i;
	/* A value of a 32-bit converter, in a filter for 24 bits. */
	lut->input[11] = 0xfffff000;
	lut->shift = 5;
	lut->inputs = 16;
	schedule_delayed_work(&lut->work, 1);
	return length;
}

static const struct proc_ops lut_proc_ops = { .proc_write = lut_write };

static int __init lut_init(void)
{
	lut = kzalloc(sizeof(*lut), GFP_KERNEL);
	if (!lut)
		return -ENOMEM;
	lut->bits = 8;
	lut->shift = 16;
	lut->entries = kcalloc(256, sizeof(struct lut_entry), GFP_KERNEL);
	INIT_DELAYED_WORK(&lut->work, lut_work);
	return proc_create("lutfilter", 0200, NULL, &lut_proc_ops) ? 0 : -ENOMEM;
}

static void __exit lut_exit(void)
{
}

module_init(lut_init);
module_exit(lut_exit);
MODULE_DESCRIPTION("Table filter");
MODULE_LICENSE("GPL");
