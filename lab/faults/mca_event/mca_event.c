// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct mcav_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct mcav_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct mcav_meter *mcav;

static void mcav_tick(struct timer_list *timer)
{
	struct mcav_meter *meter = container_of(timer, struct mcav_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int mcav_add(struct mcav_meter *meter, u32 value)
{
	struct mcav_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t mcav_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = mcav_add(mcav, value);
	return error ? error : count;
}

static ssize_t mcav_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&mcav->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", mcav->count, mcav->ticks);
	mutex_unlock(&mcav->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations mcav_fops = {
	.owner = THIS_MODULE,
	.read = mcav_read,
	.write = mcav_write,
};

static struct miscdevice mcav_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mca_event",
	.fops = &mcav_fops,
};

static int __init mcav_init(void)
{
	mcav = kzalloc(sizeof(*mcav), GFP_KERNEL);
	if (!mcav)
		return -ENOMEM;
	mutex_init(&mcav->lock);
	INIT_LIST_HEAD(&mcav->samples);
	timer_setup(&mcav->tick, mcav_tick, 0);
	mod_timer(&mcav->tick, jiffies + HZ / 10);
	return misc_register(&mcav_misc);
}

module_init(mcav_init);
MODULE_DESCRIPTION("Inquest lab: meter beside a machine check");
MODULE_LICENSE("GPL");
