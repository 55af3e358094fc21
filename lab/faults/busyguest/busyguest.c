// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct busyg_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct busyg_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct busyg_meter *busyg;

static void busyg_tick(struct timer_list *timer)
{
	struct busyg_meter *meter = container_of(timer, struct busyg_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int busyg_add(struct busyg_meter *meter, u32 value)
{
	struct busyg_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t busyg_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = busyg_add(busyg, value);
	return error ? error : count;
}

static ssize_t busyg_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&busyg->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", busyg->count, busyg->ticks);
	mutex_unlock(&busyg->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations busyg_fops = {
	.owner = THIS_MODULE,
	.read = busyg_read,
	.write = busyg_write,
};

static struct miscdevice busyg_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "busyguest",
	.fops = &busyg_fops,
};

static int __init busyg_init(void)
{
	busyg = kzalloc(sizeof(*busyg), GFP_KERNEL);
	if (!busyg)
		return -ENOMEM;
	mutex_init(&busyg->lock);
	INIT_LIST_HEAD(&busyg->samples);
	timer_setup(&busyg->tick, busyg_tick, 0);
	mod_timer(&busyg->tick, jiffies + HZ / 10);
	return misc_register(&busyg_misc);
}

module_init(busyg_init);
MODULE_DESCRIPTION("Inquest lab: meter on a busy machine that dies as asked");
MODULE_LICENSE("GPL");
