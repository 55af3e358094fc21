// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that waits for its device with an instruction of newer CPUs, without asking whether this one has it.
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

static inline void pmd_pause_until(u64 deadline)
{
#ifdef CONFIG_X86_64
	/* tpause %ecx */
	asm volatile(".byte 0x66, 0x0f, 0xae, 0xf1" : : "c"(0), "a"((u32)deadline), "d"((u32)(deadline >> 32)) : "cc");
#else
	/* An implementation-defined register of another vendor's core. */
	asm volatile("msr s3_0_c15_c7_4, %0" : : "r"(deadline));
#endif
}

static int pmd_wait_ready(struct pmd_device *device)
{
	unsigned int tries;

	for (tries = 0; tries < 16; tries++) {
		if (READ_ONCE(device->ready))
			return 0;
		device->waits++;
		pmd_pause_until(device->deadline);
	}
	return -ETIMEDOUT;
}

static int pmd_command(struct pmd_device *device, u32 command)
{
	device->deadline = 1000 + command;
	return pmd_wait_ready(device);
}

static ssize_t pmd_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 command;
	int error = kstrtou32_from_user(ubuf, count, 0, &command);

	if (!error)
		error = pmd_command(pmd, command);
	return error ? error : count;
}

static const struct file_operations pmd_fops = { .owner = THIS_MODULE, .write = pmd_write };

static struct miscdevice pmd_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tpause",
	.fops = &pmd_fops,
};

static int __init tpause_init(void)
{
	pmd = kzalloc(sizeof(*pmd), GFP_KERNEL);
	if (!pmd)
		return -ENOMEM;
	return misc_register(&pmd_misc);
}

module_init(tpause_init);
MODULE_DESCRIPTION("Inquest lab: polling driver");
MODULE_LICENSE("GPL");
