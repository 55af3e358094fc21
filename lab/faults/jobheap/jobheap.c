// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct jobh_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct jobh_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct jobh_meter *jobh;

static void jobh_tick(struct timer_list *timer)
{
	struct jobh_meter *meter = container_of(timer, struct jobh_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int jobh_add(struct jobh_meter *meter, u32 value)
{
	struct jobh_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t jobh_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = jobh_add(jobh, value);
	return error ? error : count;
}

static ssize_t jobh_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&jobh->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", jobh->count, jobh->ticks);
	mutex_unlock(&jobh->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations jobh_fops = {
	.owner = THIS_MODULE,
	.read = jobh_read,
	.write = jobh_write,
};

static struct miscdevice jobh_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "jobheap",
	.fops = &jobh_fops,
};

static int __init jobh_init(void)
{
	jobh = kzalloc(sizeof(*jobh), GFP_KERNEL);
	if (!jobh)
		return -ENOMEM;
	mutex_init(&jobh->lock);
	INIT_LIST_HEAD(&jobh->samples);
	timer_setup(&jobh->tick, jobh_tick, 0);
	mod_timer(&jobh->tick, jiffies + HZ / 10);
	return misc_register(&jobh_misc);
}

module_init(jobh_init);
MODULE_DESCRIPTION("Inquest lab: meter beside a process that eats memory");
MODULE_LICENSE("GPL");
