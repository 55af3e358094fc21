// SPDX-License-Identifier: GPL-2.0
/*
 * Sensors of a board behind a management controller. Each sensor has a table of limits, which a sensor that was found later has not.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define SENS_COUNT 6

struct sens_limits {
	s32 low;
	s32 high;
	u32 crossed;
};

struct sens_channel {
	u32 number;
	s32 value;
	struct sens_limits *limits;
};

struct sens_hub {
	u32 updates;
	struct mutex update_lock;
	struct sens_channel channels[SENS_COUNT];
};

static struct sens_hub *hub;

static bool sens_crosses(struct sens_channel *channel, s32 value)
{
	struct sens_limits *limits = channel->limits;

	if (value < limits->low || value > limits->high) {
		limits->crossed++;
		return true;
	}
	return false;
}

static noinline int sens_store(struct sens_channel *channel, s32 value)
{
	int alarm = sens_crosses(channel, value);

	channel->value = value;
	return alarm;
}

static int sens_update(struct sens_hub *h, u32 number, s32 value)
{
	int alarm;

	mutex_lock(&h->update_lock);
	alarm = sens_store(&h->channels[number], value);
	h->updates += 1 + alarm;
	mutex_unlock(&h->update_lock);
	return alarm;
}

static s32 sens_value(struct sens_hub *h, u32 number)
{
	s32 value;

	mutex_lock(&h->update_lock);
	value = h->channels[number].value;
	mutex_unlock(&h->update_lock);
	return value;
}

static ssize_t sens_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32] = {};
	u32 number;
	s32 value;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (sscanf(line, "%u %d", &number, &value) != 2 || number >= SENS_COUNT)
		return -EINVAL;
	sens_update(hub, number, value);
	return count;
}

static ssize_t sens_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16];
	int length = scnprintf(line, sizeof(line), "%d\n", sens_value(hub, 0));

	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations sens_fops = {
	.owner = THIS_MODULE,
	.read = sens_read,
	.write = sens_write,
};

static struct miscdevice sens_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hwsens",
	.fops = &sens_fops,
};

static int __init sens_init(void)
{
	u32 i;

	hub = kzalloc(sizeof(*hub), GFP_KERNEL);
	if (!hub)
		return -ENOMEM;
	mutex_init(&hub->update_lock);
	for (i = 0; i < SENS_COUNT; i++) {
		hub->channels[i].number = i;
		if (i >= 4)
			continue;
		hub->channels[i].limits = kzalloc(sizeof(struct sens_limits), GFP_KERNEL);
		if (!hub->channels[i].limits)
			return -ENOMEM;
		hub->channels[i].limits->high = 80000;
	}
	return misc_register(&sens_misc);
}

module_init(sens_init);
MODULE_DESCRIPTION("Inquest lab: sensors behind a controller");
MODULE_LICENSE("GPL");
