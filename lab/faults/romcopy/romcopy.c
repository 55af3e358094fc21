// SPDX-License-Identifier: GPL-2.0
/* Reads the words of a serial ROM. This file is built without the stack protector, as some vendors build theirs. */
#pragma GCC optimize("no-stack-protector")
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct rom_device {
	u32 size;
	u32 reads;
	u64 serial;
	u16 words[256];
};

static struct rom_device *rom;

static noinline void rom_read_words(struct rom_device *device, u32 offset, u32 count, u16 *to)
{
	u32 i;

	for (i = 0; i < count; i++)
		to[i] = device->words[(offset + i) & 255];
	device->reads += count;
}

static noinline u64 rom_serial(struct rom_device *device, u32 length)
{
	u16 words[8];
	u64 serial = 0;
	u32 i;

	rom_read_words(device, 0x20, length, words);
	for (i = 0; i < 4; i++)
		serial = serial << 16 | words[i];
	return serial;
}

static noinline int rom_identify(struct rom_device *device)
{
	/* The length is in bytes here, where words are asked for. */
	device->serial = rom_serial(device, device->words[0x1f]);
	return device->serial ? 0 : -ENODEV;
}

static ssize_t rom_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	int ret = rom_identify(rom);

	return ret < 0 ? ret : length;
}

static const struct proc_ops rom_proc_ops = { .proc_write = rom_write };

static int __init rom_init(void)
{
	u32 i;

	rom = kzalloc(sizeof(*rom), GFP_KERNEL);
	if (!rom)
		return -ENOMEM;
	rom->size = sizeof(rom->words);
	for (i = 0; i < ARRAY_SIZE(rom->words); i++)
		rom->words[i] = 0x4100 + i;
	rom->words[0x1f] = 64;
	return proc_create("romcopy", 0200, NULL, &rom_proc_ops) ? 0 : -ENOMEM;
}

static void __exit rom_exit(void)
{
}

module_init(rom_init);
module_exit(rom_exit);
MODULE_DESCRIPTION("Serial ROM");
MODULE_LICENSE("GPL");
