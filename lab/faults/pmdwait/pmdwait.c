// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that times its device with an instruction that not every CPU has, without asking for it.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct pmd_device {
	u32 ready;
	u32 waits;
	u64 deadline;
};

static struct pmd_device *pmd;

static inline u64 pmd_read_cycles(void)
{
#ifdef CONFIG_X86_64
	u32 low, high;

	/* rdpru, register 1: APERF */
	asm volatile(".byte 0x0f, 0x01, 0xfd" : "=a"(low), "=d"(high) : "c"(1));
	return low | ((u64)high << 32);
#else
	u64 cycles;

	/* An implementation-defined register of another vendor's core. */
	asm volatile("mrs %0, s3_0_c15_c7_4" : "=r"(cycles));
	return cycles;
#endif
}

static int pmd_wait_ready(struct pmd_device *device)
{
	while (!READ_ONCE(device->ready)) {
		device->waits++;
		if (pmd_read_cycles() > device->deadline)
			return -ETIMEDOUT;
	}
	return 0;
}

static int pmd_command(struct pmd_device *device, u32 command)
{
	device->deadline = 1000 + command;
	return pmd_wait_ready(device);
}

static ssize_t pmd_file_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 command;
	int error = kstrtou32_from_user(ubuf, count, 0, &command);

	if (!error)
		error = pmd_command(pmd, command);
	return error ? error : count;
}

static const struct file_operations pmd_fops = { .owner = THIS_MODULE, .write = pmd_file_write };

static struct miscdevice pmd_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pmdwait",
	.fops = &pmd_fops,
};

static int __init pmdwait_init(void)
{
	pmd = kzalloc(sizeof(*pmd), GFP_KERNEL);
	if (!pmd)
		return -ENOMEM;
	return misc_register(&pmd_misc);
}

module_init(pmdwait_init);
MODULE_DESCRIPTION("Inquest lab: polling driver");
MODULE_LICENSE("GPL");
