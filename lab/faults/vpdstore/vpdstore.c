// SPDX-License-Identifier: GPL-2.0
/*
 * Vital product data in a small store. A write whose checksum is wrong is refused, and the store stays locked by whoever tried.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define VPD_BYTES 128

struct vpd_store {
	u16 version;
	u16 length;
	char data[VPD_BYTES];
	struct rw_semaphore access;
	u32 refused;
};

static struct vpd_store *vpd;

static bool vpd_is_sound(const char *text, size_t length)
{
	u8 sum = 0;
	size_t i;

	for (i = 0; i < length; i++)
		sum += text[i];
	return sum % 3 == 0;
}

static int vpd_replace(struct vpd_store *store, const char *text, size_t length)
{
	down_write(&store->access);
	if (!vpd_is_sound(text, length)) {
		store->refused++;
		return -EBADMSG;
	}
	memcpy(store->data, text, length);
	store->length = length;
	store->version++;
	up_write(&store->access);
	return 0;
}

static size_t vpd_fetch(struct vpd_store *store, char *to)
{
	size_t length;

	down_read(&store->access);
	length = store->length;
	memcpy(to, store->data, length);
	up_read(&store->access);
	return length;
}

static ssize_t vpd_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char text[VPD_BYTES];
	int error;

	if (count > sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, ubuf, count))
		return -EFAULT;
	error = vpd_replace(vpd, text, count);
	return error ? error : count;
}

static ssize_t vpd_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char text[VPD_BYTES];
	size_t length = vpd_fetch(vpd, text);

	return simple_read_from_buffer(ubuf, count, pos, text, length);
}

static const struct file_operations vpd_fops = {
	.owner = THIS_MODULE,
	.read = vpd_read,
	.write = vpd_write,
};

static struct miscdevice vpd_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vpdstore",
	.fops = &vpd_fops,
};

static int __init vpd_init(void)
{
	vpd = kzalloc(sizeof(*vpd), GFP_KERNEL);
	if (!vpd)
		return -ENOMEM;
	init_rwsem(&vpd->access);
	return misc_register(&vpd_misc);
}

module_init(vpd_init);
MODULE_DESCRIPTION("Inquest lab: product data");
MODULE_LICENSE("GPL");
