// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct scr_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct scr_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct scr_meter *scr;

static void scr_tick(struct timer_list *timer)
{
	struct scr_meter *meter = container_of(timer, struct scr_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int scr_add(struct scr_meter *meter, u32 value)
{
	struct scr_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t scr_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = scr_add(scr, value);
	return error ? error : count;
}

static ssize_t scr_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&scr->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", scr->count, scr->ticks);
	mutex_unlock(&scr->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations scr_fops = {
	.owner = THIS_MODULE,
	.read = scr_read,
	.write = scr_write,
};

static struct miscdevice scr_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "scratchfs",
	.fops = &scr_fops,
};

static int __init scr_init(void)
{
	scr = kzalloc(sizeof(*scr), GFP_KERNEL);
	if (!scr)
		return -ENOMEM;
	mutex_init(&scr->lock);
	INIT_LIST_HEAD(&scr->samples);
	timer_setup(&scr->tick, scr_tick, 0);
	mod_timer(&scr->tick, jiffies + HZ / 10);
	return misc_register(&scr_misc);
}

module_init(scr_init);
MODULE_DESCRIPTION("Inquest lab: meter beside a tmpfs that fills memory");
MODULE_LICENSE("GPL");
