// SPDX-License-Identifier: GPL-2.0
/* Log records of a firmware, from a slab cache; each is formatted into its buffer and dropped once it was read. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct fw_record {
	u32 module;
	u32 level;
	u64 stamp;
	char line[48];
};

static struct kmem_cache *fw_cache;
static struct fw_record *fw_records[32];

static noinline int fw_format(struct fw_record *record, const char *unit, u32 code)
{
	char *to = record->line;

	to += sprintf(to, "[%llu] ", record->stamp);
	to += sprintf(to, "%s: code %08x, see the manual", unit, code);
	return to - record->line;
}

static noinline int fw_append(u32 slot, const char *unit, u32 code)
{
	struct fw_record *record = kmem_cache_zalloc(fw_cache, GFP_KERNEL);

	if (!record)
		return -ENOMEM;
	record->module = slot;
	record->stamp = 1000 + slot;
	fw_records[slot] = record;
	return fw_format(record, unit, code);
}

static noinline void fw_drop(u32 slot)
{
	kmem_cache_free(fw_cache, fw_records[slot]);
	fw_records[slot] = NULL;
}

static ssize_t fw_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 slot;

	for (slot = 0; slot < 24; slot++)
		fw_append(slot, slot == 17 ? "retimer-upper-7" : "phy", 0x11 * slot);
	for (slot = 0; slot < 24; slot++)
		fw_drop(slot);
	return length;
}

static const struct proc_ops fw_proc_ops = { .proc_write = fw_write };

static int __init fw_init(void)
{
	fw_cache = KMEM_CACHE(fw_record, 0);
	if (!fw_cache)
		return -ENOMEM;
	return proc_create("fwlog", 0200, NULL, &fw_proc_ops) ? 0 : -ENOMEM;
}

static void __exit fw_exit(void)
{
}

module_init(fw_init);
module_exit(fw_exit);
MODULE_DESCRIPTION("Firmware log");
MODULE_LICENSE("GPL");
