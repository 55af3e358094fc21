// SPDX-License-Identifier: GPL-2.0
/* Options of a device, "name=value,name=value", with defaults. */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

struct cfg_options {
	u32 mtu;
	u32 queues;
	u32 unknown;
};

struct cfg_device {
	char *text;
	struct cfg_options options;
	char typed[64];
};

static struct cfg_device *cfg_device;

static inline void cfg_option(struct cfg_options *options, const char *name, const char *value)
{
	if (!strcmp(name, "mtu"))
		options->mtu = simple_strtoul(value, NULL, 0);
	else if (!strcmp(name, "queues"))
		options->queues = simple_strtoul(value, NULL, 0);
	else
		options->unknown++;
}

static noinline void cfg_parse(struct cfg_device *device, char *text)
{
	char *name = text;
	char *at;

	for (at = text; *at; at++) {
		char *value;

		if (*at != '=')
			continue;
		*at = '\0';
		value = ++at;
		while (*at && *at != ',')
			at++;
		cfg_option(&device->options, name, value);
		name = at + 1;
		if (!*at)
			break;
	}
}

static noinline void cfg_apply(struct cfg_device *device)
{
	cfg_parse(device, device->text);
}

static ssize_t cfg_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	size_t used = min(length, sizeof(cfg_device->typed) - 1);

	if (copy_from_user(cfg_device->typed, from, used))
		return -EFAULT;
	cfg_device->typed[used] = '\0';
	cfg_device->text = cfg_device->typed;
	if (!strncmp(cfg_device->typed, "default", 7))
		cfg_device->text = "mtu=1500,queues=4";
	cfg_apply(cfg_device);
	return length;
}

static const struct proc_ops cfg_proc_ops = { .proc_write = cfg_write };

static int __init cfg_init(void)
{
	cfg_device = kzalloc(sizeof(*cfg_device), GFP_KERNEL);
	if (!cfg_device)
		return -ENOMEM;
	return proc_create("cfgparse", 0200, NULL, &cfg_proc_ops) ? 0 : -ENOMEM;
}

static void __exit cfg_exit(void)
{
}

module_init(cfg_init);
module_exit(cfg_exit);
MODULE_DESCRIPTION("Device options");
MODULE_LICENSE("GPL");
