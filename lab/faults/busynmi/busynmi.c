// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct busyn_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct busyn_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct busyn_meter *busyn;

static void busyn_tick(struct timer_list *timer)
{
	struct busyn_meter *meter = container_of(timer, struct busyn_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int busyn_add(struct busyn_meter *meter, u32 value)
{
	struct busyn_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t busyn_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = busyn_add(busyn, value);
	return error ? error : count;
}

static ssize_t busyn_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&busyn->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", busyn->count, busyn->ticks);
	mutex_unlock(&busyn->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations busyn_fops = {
	.owner = THIS_MODULE,
	.read = busyn_read,
	.write = busyn_write,
};

static struct miscdevice busyn_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "busynmi",
	.fops = &busyn_fops,
};

static int __init busyn_init(void)
{
	busyn = kzalloc(sizeof(*busyn), GFP_KERNEL);
	if (!busyn)
		return -ENOMEM;
	mutex_init(&busyn->lock);
	INIT_LIST_HEAD(&busyn->samples);
	timer_setup(&busyn->tick, busyn_tick, 0);
	mod_timer(&busyn->tick, jiffies + HZ / 10);
	return misc_register(&busyn_misc);
}

module_init(busyn_init);
MODULE_DESCRIPTION("Inquest lab: meter on a busy machine that is stopped from outside");
MODULE_LICENSE("GPL");
