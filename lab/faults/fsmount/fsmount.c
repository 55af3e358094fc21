// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct fsm_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct fsm_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct fsm_meter *fsm;

static void fsm_tick(struct timer_list *timer)
{
	struct fsm_meter *meter = container_of(timer, struct fsm_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int fsm_add(struct fsm_meter *meter, u32 value)
{
	struct fsm_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t fsm_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = fsm_add(fsm, value);
	return error ? error : count;
}

static ssize_t fsm_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&fsm->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", fsm->count, fsm->ticks);
	mutex_unlock(&fsm->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations fsm_fops = {
	.owner = THIS_MODULE,
	.read = fsm_read,
	.write = fsm_write,
};

static struct miscdevice fsm_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "fsmount",
	.fops = &fsm_fops,
};

static int __init fsm_init(void)
{
	fsm = kzalloc(sizeof(*fsm), GFP_KERNEL);
	if (!fsm)
		return -ENOMEM;
	mutex_init(&fsm->lock);
	INIT_LIST_HEAD(&fsm->samples);
	timer_setup(&fsm->tick, fsm_tick, 0);
	mod_timer(&fsm->tick, jiffies + HZ / 10);
	return misc_register(&fsm_misc);
}

module_init(fsm_init);
MODULE_DESCRIPTION("Inquest lab: meter beside a file system with errors=panic");
MODULE_LICENSE("GPL");
