// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct inx_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct inx_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct inx_meter *inx;

static void inx_tick(struct timer_list *timer)
{
	struct inx_meter *meter = container_of(timer, struct inx_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int inx_add(struct inx_meter *meter, u32 value)
{
	struct inx_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t inx_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = inx_add(inx, value);
	return error ? error : count;
}

static ssize_t inx_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&inx->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", inx->count, inx->ticks);
	mutex_unlock(&inx->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations inx_fops = {
	.owner = THIS_MODULE,
	.read = inx_read,
	.write = inx_write,
};

static struct miscdevice inx_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "initexit",
	.fops = &inx_fops,
};

static int __init inx_init(void)
{
	inx = kzalloc(sizeof(*inx), GFP_KERNEL);
	if (!inx)
		return -ENOMEM;
	mutex_init(&inx->lock);
	INIT_LIST_HEAD(&inx->samples);
	timer_setup(&inx->tick, inx_tick, 0);
	mod_timer(&inx->tick, jiffies + HZ / 10);
	return misc_register(&inx_misc);
}

module_init(inx_init);
MODULE_DESCRIPTION("Inquest lab: meter beside the death of process 1");
MODULE_LICENSE("GPL");
