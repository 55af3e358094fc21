// SPDX-License-Identifier: GPL-2.0
/* A hub of temperature sensors behind one platform device, with an attribute per channel. Built without BTF, as many are. */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/radix-tree.h>
#include <linux/slab.h>
#include <linux/mutex.h>

struct therm_channel;

struct therm_channel_ops {
	int (*read)(struct therm_channel *channel, long *millidegrees);
	int (*set_limit)(struct therm_channel *channel, long millidegrees);
};

struct therm_channel {
	u32 id;
	u32 flags;
	char name[16];
	long offset;
	long gain;
	const struct therm_channel_ops *ops;
	u32 samples;
};

struct therm_hub {
	struct device *dev;
	struct mutex lock;
	struct radix_tree_root channels;
	u32 conversions;
};

static struct platform_device *therm_device;

static struct therm_channel *therm_find(struct therm_hub *hub, u32 id)
{
	return radix_tree_lookup(&hub->channels, id);
}

static noinline int therm_convert(struct therm_hub *hub, u32 id, long *millidegrees)
{
	struct therm_channel *channel;
	int ret;

	mutex_lock(&hub->lock);
	channel = therm_find(hub, id);
	hub->conversions++;
	ret = channel->ops->read(channel, millidegrees);
	if (ret == 0)
		*millidegrees = *millidegrees * channel->gain / 1000 + channel->offset;
	mutex_unlock(&hub->lock);
	return ret;
}

static ssize_t therm_show(struct device *dev, char *buffer, u32 id)
{
	long value = 0;
	int ret = therm_convert(dev_get_drvdata(dev), id, &value);

	return ret < 0 ? ret : sprintf(buffer, "%ld\n", value);
}

static ssize_t temp1_input_show(struct device *dev, struct device_attribute *attribute, char *buffer)
{
	return therm_show(dev, buffer, 1);
}
static DEVICE_ATTR_RO(temp1_input);

static ssize_t temp4_input_show(struct device *dev, struct device_attribute *attribute, char *buffer)
{
	return therm_show(dev, buffer, 4);
}
static DEVICE_ATTR_RO(temp4_input);

static struct attribute *therm_attrs[] = { &dev_attr_temp1_input.attr, &dev_attr_temp4_input.attr, NULL };
static const struct attribute_group therm_group = { .attrs = therm_attrs };

static int therm_fixed_read(struct therm_channel *channel, long *millidegrees)
{
	*millidegrees = 21500 + 10 * (channel->samples++ % 7);
	return 0;
}

static const struct therm_channel_ops therm_fixed_ops = { .read = therm_fixed_read };

static int therm_add(struct therm_hub *hub, u32 id)
{
	struct therm_channel *channel = kzalloc(sizeof(*channel), GFP_KERNEL);

	if (!channel)
		return -ENOMEM;
	channel->id = id;
	channel->gain = 1000;
	channel->ops = &therm_fixed_ops;
	snprintf(channel->name, sizeof(channel->name), "sensor%u", id);
	return radix_tree_insert(&hub->channels, id, channel);
}

static int __init therm_init(void)
{
	struct therm_hub *hub = kzalloc(sizeof(*hub), GFP_KERNEL);
	u32 id;

	if (!hub)
		return -ENOMEM;
	therm_device = platform_device_register_simple("thermhub", -1, NULL, 0);
	if (IS_ERR(therm_device))
		return PTR_ERR(therm_device);
	mutex_init(&hub->lock);
	INIT_RADIX_TREE(&hub->channels, GFP_KERNEL);
	hub->dev = &therm_device->dev;
	dev_set_drvdata(hub->dev, hub);
	for (id = 1; id < 4; id++)
		therm_add(hub, id);
	return sysfs_create_group(&hub->dev->kobj, &therm_group);
}

static void __exit therm_exit(void)
{
}

module_init(therm_init);
module_exit(therm_exit);
MODULE_DESCRIPTION("Temperature sensor hub");
MODULE_LICENSE("GPL");
