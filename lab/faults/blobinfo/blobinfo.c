// SPDX-License-Identifier: GPL-2.0
/* Firmware blobs with a label at their end, which is shown to whoever asks. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#define BLOB_LABEL 32

struct blob {
	u32 version;
	u32 size;
	u8 *image;
	const char *label;
	size_t label_length;
};

static struct blob *blobs[3];

static noinline struct blob *blob_load(u32 version, u32 size, const char *label)
{
	struct blob *blob = kzalloc(sizeof(*blob), GFP_KERNEL);

	if (!blob)
		return NULL;
	blob->image = vmalloc(size);
	if (!blob->image) {
		kfree(blob);
		return NULL;
	}
	blob->version = version;
	blob->size = size;
	memset(blob->image, 0x5c, size - BLOB_LABEL);
	strncpy((char *)blob->image + size - BLOB_LABEL, label, BLOB_LABEL);
	blob->label = (const char *)blob->image + size - BLOB_LABEL;
	return blob;
}

static noinline void blob_measure(struct blob *blob)
{
	blob->label_length = strlen(blob->label);
}

static noinline size_t blobs_show(void)
{
	size_t longest = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(blobs); i++) {
		blob_measure(blobs[i]);
		longest = max(longest, blobs[i]->label_length);
	}
	return longest;
}

static ssize_t blob_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	return blobs_show() ? length : -ENODATA;
}

static const struct proc_ops blob_proc_ops = { .proc_write = blob_write };

static int __init blob_init(void)
{
	blobs[0] = blob_load(1, 4096, "bootloader");
	blobs[1] = blob_load(7, 8192, "radio, release candidate 7, test");
	blobs[2] = blob_load(2, 4096, "power");
	if (!blobs[0] || !blobs[1] || !blobs[2])
		return -ENOMEM;
	return proc_create("blobinfo", 0200, NULL, &blob_proc_ops) ? 0 : -ENOMEM;
}

static void __exit blob_exit(void)
{
}

module_init(blob_init);
module_exit(blob_exit);
MODULE_DESCRIPTION("Firmware blobs");
MODULE_LICENSE("GPL");
