// SPDX-License-Identifier: GPL-2.0
/* Register banks of a sensor hub: a bank is read over by number, and its checksum kept. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

struct reg_bank {
	u16 count;
	u16 width;
	u32 checksum;
	u32 *values;
};

struct reg_hub {
	spinlock_t lock;
	u32 scans;
	struct reg_bank banks[4];
};

static struct reg_hub *hub;

static noinline u32 reg_fold(u32 sum, u32 value)
{
	return (sum << 5 | sum >> 27) ^ value;
}

static noinline void reg_bank_scan(struct reg_bank *bank)
{
	u32 sum = bank->width;
	u8 reg;

	for (reg = 0; reg < bank->count; reg++)
		sum = reg_fold(sum, bank->values[reg]);
	bank->checksum = sum;
}

static int reg_hub_refresh(struct reg_hub *h, u32 number)
{
	struct reg_bank *bank;

	if (number >= ARRAY_SIZE(h->banks))
		return -EINVAL;
	bank = &h->banks[number];
	spin_lock(&h->lock);
	reg_bank_scan(bank);
	h->scans++;
	spin_unlock(&h->lock);
	return 0;
}

static ssize_t reg_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 number;
	int error = kstrtou32_from_user(ubuf, count, 0, &number);

	if (!error)
		error = reg_hub_refresh(hub, number);
	return error ? error : count;
}

static const struct file_operations reg_fops = {
	.owner = THIS_MODULE,
	.write = reg_write,
};

static struct miscdevice reg_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "regscan",
	.fops = &reg_fops,
};

static int __init reg_init(void)
{
	static const u16 counts[] = { 32, 128, 64, 320 };
	u32 i, j;

	hub = kzalloc(sizeof(*hub), GFP_KERNEL);
	if (!hub)
		return -ENOMEM;
	spin_lock_init(&hub->lock);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		struct reg_bank *bank = &hub->banks[i];

		bank->count = counts[i];
		bank->width = 4;
		bank->values = kcalloc(bank->count, sizeof(u32), GFP_KERNEL);
		if (!bank->values)
			return -ENOMEM;
		for (j = 0; j < bank->count; j++)
			bank->values[j] = j * 0x1003f;
	}
	return misc_register(&reg_misc);
}

module_init(reg_init);
MODULE_DESCRIPTION("Inquest lab: register banks of a sensor hub");
MODULE_LICENSE("GPL");
