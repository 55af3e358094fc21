// SPDX-License-Identifier: GPL-2.0
/* Devices behind a low-pin-count bridge, by ops tables of their kinds; not every kind has every operation. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct lpc_device;

struct lpc_ops {
	int (*probe)(struct lpc_device *device);
	int (*suspend)(struct lpc_device *device, u32 state);
	int (*resume)(struct lpc_device *device);
	void (*shutdown)(struct lpc_device *device);
};

struct lpc_device {
	u32 slot;
	u32 state;
	u16 io_base;
	u16 io_length;
	const struct lpc_ops *ops;
	const char *name;
};

struct lpc_bus {
	u32 count;
	u32 awake;
	struct lpc_device devices[6];
};

static struct lpc_bus *lpc_bus;

static int lpc_uart_suspend(struct lpc_device *device, u32 state)
{
	return device->state == state;
}

static int lpc_uart_resume(struct lpc_device *device)
{
	return 0;
}

static const struct lpc_ops lpc_uart_ops = { .suspend = lpc_uart_suspend, .resume = lpc_uart_resume };
static const struct lpc_ops lpc_tpm_ops = { .resume = lpc_uart_resume };

static noinline int lpc_device_suspend(struct lpc_bus *bus, struct lpc_device *device, u32 state)
{
	int ret;

	ret = device->ops->suspend(device, state);
	if (ret == 0) {
		device->state = state;
		bus->awake--;
	}
	return ret;
}

static noinline int lpc_bus_suspend(struct lpc_bus *bus, u32 state)
{
	u32 i;
	int ret = 0;

	for (i = 0; ret == 0 && i < bus->count; i++)
		ret = lpc_device_suspend(bus, &bus->devices[i], state);
	return ret;
}

static ssize_t lpc_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	int ret = lpc_bus_suspend(lpc_bus, 3);

	return ret < 0 ? ret : length;
}

static const struct proc_ops lpc_proc_ops = { .proc_write = lpc_write };

static int __init lpc_init(void)
{
	u32 i;

	lpc_bus = kzalloc(sizeof(*lpc_bus), GFP_KERNEL);
	if (!lpc_bus)
		return -ENOMEM;
	for (i = 0; i < 5; i++) {
		struct lpc_device *device = &lpc_bus->devices[lpc_bus->count++];

		device->slot = i;
		device->io_base = 0x3f8 - 0x100 * i;
		device->io_length = 8;
		device->ops = i == 3 ? &lpc_tpm_ops : &lpc_uart_ops;
		device->name = i == 3 ? "tpm" : "uart";
		lpc_bus->awake++;
	}
	return proc_create("lpcdev", 0200, NULL, &lpc_proc_ops) ? 0 : -ENOMEM;
}

static void __exit lpc_exit(void)
{
}

module_init(lpc_init);
module_exit(lpc_exit);
MODULE_DESCRIPTION("Low pin count devices");
MODULE_LICENSE("GPL");
