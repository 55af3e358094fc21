// SPDX-License-Identifier: GPL-2.0
/* Firmware images made of sections, loaded into vmalloc memory. A section's header says how long it is. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

struct image_section {
	__le32 magic;
	__le32 length;
	__le32 load_address;
	__le32 flags;
	u8 data[];
};

struct image {
	u8 *bytes;
	size_t size;
	u32 sections;
	u32 crc;
};

#define IMAGE_MAGIC	0x49465746

static struct image *image;

static noinline u32 image_crc(const u8 *data, u32 length)
{
	u32 crc = ~0;
	u32 i, bit;

	for (i = 0; i < length; i++) {
		crc ^= data[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static noinline int image_check_section(struct image *image, struct image_section *section)
{
	u32 length = le32_to_cpu(section->length);

	if (le32_to_cpu(section->magic) != IMAGE_MAGIC)
		return -EINVAL;
	image->crc ^= image_crc(section->data, length);
	image->sections++;
	return length;
}

static noinline int image_check(struct image *image)
{
	size_t at = 0;

	while (at + sizeof(struct image_section) <= image->size) {
		int length = image_check_section(image, (struct image_section *)(image->bytes + at));

		if (length < 0)
			return length;
		at += sizeof(struct image_section) + length;
	}
	return image->sections;
}

static void image_add(struct image *image, size_t at, u32 length)
{
	struct image_section *section = (struct image_section *)(image->bytes + at);

	section->magic = cpu_to_le32(IMAGE_MAGIC);
	section->length = cpu_to_le32(length);
	section->load_address = cpu_to_le32(0x20000000 + at);
}

static ssize_t image_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	image->size = 3 * PAGE_SIZE;
	image->bytes = vzalloc(image->size);
	if (!image->bytes)
		return -ENOMEM;
	image_add(image, 0, 1000);
	image_add(image, 1016, 2000);
	image_add(image, 3032, 64000);
	image_check(image);
	return length;
}

static const struct proc_ops image_proc_ops = { .proc_write = image_write };

static int __init image_init(void)
{
	image = kzalloc(sizeof(*image), GFP_KERNEL);
	if (!image)
		return -ENOMEM;
	return proc_create("fwimage", 0200, NULL, &image_proc_ops) ? 0 : -ENOMEM;
}

static void __exit image_exit(void)
{
}

module_init(image_init);
module_exit(image_exit);
MODULE_DESCRIPTION("Firmware images");
MODULE_LICENSE("GPL");
