// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct cgm_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct cgm_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct cgm_meter *cgm;

static void cgm_tick(struct timer_list *timer)
{
	struct cgm_meter *meter = container_of(timer, struct cgm_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int cgm_add(struct cgm_meter *meter, u32 value)
{
	struct cgm_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t cgm_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = cgm_add(cgm, value);
	return error ? error : count;
}

static ssize_t cgm_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&cgm->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", cgm->count, cgm->ticks);
	mutex_unlock(&cgm->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations cgm_fops = {
	.owner = THIS_MODULE,
	.read = cgm_read,
	.write = cgm_write,
};

static struct miscdevice cgm_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "cgcache",
	.fops = &cgm_fops,
};

static int __init cgm_init(void)
{
	cgm = kzalloc(sizeof(*cgm), GFP_KERNEL);
	if (!cgm)
		return -ENOMEM;
	mutex_init(&cgm->lock);
	INIT_LIST_HEAD(&cgm->samples);
	timer_setup(&cgm->tick, cgm_tick, 0);
	mod_timer(&cgm->tick, jiffies + HZ / 10);
	return misc_register(&cgm_misc);
}

module_init(cgm_init);
MODULE_DESCRIPTION("Inquest lab: meter beside a memory cgroup at its limit");
MODULE_LICENSE("GPL");
