// SPDX-License-Identifier: GPL-2.0
/* A meter that does nothing wrong: what is planted here happens outside of it. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct hwpf_sample {
	struct list_head node;
	u64 stamp;
	u32 value;
};

struct hwpf_meter {
	struct mutex lock;
	struct list_head samples;
	u32 count;
	u32 ticks;
	struct timer_list tick;
};

static struct hwpf_meter *hwpf;

static void hwpf_tick(struct timer_list *timer)
{
	struct hwpf_meter *meter = container_of(timer, struct hwpf_meter, tick);

	meter->ticks++;
	mod_timer(&meter->tick, jiffies + HZ / 10);
}

static int hwpf_add(struct hwpf_meter *meter, u32 value)
{
	struct hwpf_sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL);

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

static ssize_t hwpf_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 value;
	int error = kstrtou32_from_user(ubuf, count, 0, &value);

	if (!error)
		error = hwpf_add(hwpf, value);
	return error ? error : count;
}

static ssize_t hwpf_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&hwpf->lock);
	length = scnprintf(line, sizeof(line), "%u %u\n", hwpf->count, hwpf->ticks);
	mutex_unlock(&hwpf->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations hwpf_fops = {
	.owner = THIS_MODULE,
	.read = hwpf_read,
	.write = hwpf_write,
};

static struct miscdevice hwpf_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hwpfail",
	.fops = &hwpf_fops,
};

static int __init hwpf_init(void)
{
	hwpf = kzalloc(sizeof(*hwpf), GFP_KERNEL);
	if (!hwpf)
		return -ENOMEM;
	mutex_init(&hwpf->lock);
	INIT_LIST_HEAD(&hwpf->samples);
	timer_setup(&hwpf->tick, hwpf_tick, 0);
	mod_timer(&hwpf->tick, jiffies + HZ / 10);
	return misc_register(&hwpf_misc);
}

module_init(hwpf_init);
MODULE_DESCRIPTION("Inquest lab: meter beside a page reported bad");
MODULE_LICENSE("GPL");
