// SPDX-License-Identifier: GPL-2.0
/* A device that is given a 64-bit cookie with each command and returns it with the completion: the command's address. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/interrupt.h>

struct hw_completion {
	__le64 cookie;
	__le32 status;
	__le32 length;
};

struct hw_command {
	u32 opcode;
	u32 status;
	u64 address;
	u32 transferred;
	u32 retries;
	void *waiter;
};

struct hw_device {
	struct hw_completion *ring;
	u32 head;
	u32 tail;
	u64 completions;
	struct tasklet_struct bottom;
	struct hw_command *commands[8];
};

static struct hw_device *hw;

static noinline void hw_command_finish(struct hw_device *device, struct hw_command *command, u32 status, u32 length)
{
	command->status = status;
	command->transferred = length;
	device->completions++;
}

static noinline void hw_reap(struct hw_device *device)
{
	while (device->head != device->tail) {
		struct hw_completion *completion = &device->ring[device->head++ & 15];
		struct hw_command *command = (struct hw_command *)(unsigned long)le64_to_cpu(completion->cookie);

		hw_command_finish(device, command, le32_to_cpu(completion->status), le32_to_cpu(completion->length));
	}
}

static void hw_bottom_half(unsigned long data)
{
	hw_reap((struct hw_device *)data);
}

/* What the device does: the cookie of the last one is cut off and shifted, its firmware having 48 bits for it. */
static void hw_device_complete(struct hw_device *device, struct hw_command *command, bool wide)
{
	struct hw_completion *completion = &device->ring[device->tail++ & 15];
	u64 cookie = (u64)(unsigned long)command;

	completion->cookie = cpu_to_le64(wide ? cookie : (cookie << 13) & 0x0000ffffffffffffULL);
	completion->length = cpu_to_le32(512);
}

static ssize_t hw_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(hw->commands); i++)
		hw_device_complete(hw, hw->commands[i], i != 6);
	tasklet_schedule(&hw->bottom);
	return length;
}

static const struct proc_ops hw_proc_ops = { .proc_write = hw_write };

static int __init hw_init(void)
{
	u32 i;

	hw = kzalloc(sizeof(*hw), GFP_KERNEL);
	if (!hw)
		return -ENOMEM;
	hw->ring = kcalloc(16, sizeof(*hw->ring), GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(hw->commands); i++)
		hw->commands[i] = kzalloc(sizeof(struct hw_command), GFP_KERNEL);
	tasklet_init(&hw->bottom, hw_bottom_half, (unsigned long)hw);
	return proc_create("hwcookie", 0200, NULL, &hw_proc_ops) ? 0 : -ENOMEM;
}

static void __exit hw_exit(void)
{
}

module_init(hw_init);
module_exit(hw_exit);
MODULE_DESCRIPTION("Commands with cookies");
MODULE_LICENSE("GPL");
