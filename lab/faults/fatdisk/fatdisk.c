// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct gauge_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct gauge {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct gauge *gauge;

static void gauge_tick(struct timer_list *timer)
{
	struct gauge *meter = container_of(timer, struct gauge, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int gauge_add(struct gauge *meter, u32 value)
{
	struct gauge_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

	if (!sample)
		return -ENOMEM;
	sample->value = value;
	sample->stamp = get_jiffies_64();
	mutex_lock(&meter->lock);
	list_add_tail(&sample->node, &meter->samples);
	meter->count++;
	mutex_unlock(&meter->lock);
	return 0;
}

static ssize_t gauge_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = gauge_add(gauge, value);
	return error ? error : count;
}

static ssize_t gauge_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&gauge->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", gauge->count, gauge->ticks);
	mutex_unlock(&gauge->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations gauge_fops = {
	.owner = THIS_MODULE,
	.read = gauge_read,
	.write = gauge_write,
};

static struct miscdevice gauge_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "fatdisk",
	.fops = &gauge_fops,
};

static int __init gauge_init(void)
{
	gauge = kzalloc(sizeof(*gauge), GFP_KERNEL);
	if (!gauge)
		return -ENOMEM;
	mutex_init(&gauge->lock);
	INIT_LIST_HEAD(&gauge->samples);
	timer_setup(&gauge->tick, gauge_tick, 0);
	mod_timer(&gauge->tick, jiffies + HZ / 10);
	return misc_register(&gauge_misc);
}

module_init(gauge_init);
MODULE_DESCRIPTION("Inquest lab: meter beside a disk");
MODULE_LICENSE("GPL");
