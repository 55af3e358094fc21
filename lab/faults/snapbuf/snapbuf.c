// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots of a logic analyser: one large buffer, taken anew when the depth changes. The old one is swapped out and handed to whoever asked
 * for the new depth, which only looks at its header.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

struct snap_header {
	u32 generation;
	u32 depth;
	u64 trigger;
};

struct snap_unit {
	struct mutex lock;
	struct snap_header *buffer;
	u32 generation;
	u32 depth;
};

static struct snap_unit *unit;

static struct snap_header *snap_make(struct snap_unit *snap, u32 depth)
{
	struct snap_header *header = vzalloc(sizeof(*header) + depth * PAGE_SIZE);

	if (!header)
		return NULL;
	header->generation = ++snap->generation;
	header->depth = depth;
	return header;
}

static struct snap_header *snap_exchange(struct snap_unit *snap, struct snap_header *next)
{
	struct snap_header *old;

	mutex_lock(&snap->lock);
	old = snap->buffer;
	snap->buffer = next;
	snap->depth = next->depth;
	mutex_unlock(&snap->lock);
	return old;
}

static u32 snap_resize(struct snap_unit *snap, u32 depth)
{
	struct snap_header *next = snap_make(snap, depth);
	struct snap_header *old;

	if (!next)
		return 0;
	old = snap_exchange(snap, next);
	return old ? old->depth : depth;
}

static ssize_t snap_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 depth;
	int error = kstrtou32_from_user(ubuf, count, 0, &depth);

	if (error)
		return error;
	if (depth == 0 || depth > 256)
		return -EINVAL;
	return snap_resize(unit, depth) ? count : -ENOMEM;
}

static const struct file_operations snap_fops = { .owner = THIS_MODULE, .write = snap_write };

static struct miscdevice snap_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "snapbuf",
	.fops = &snap_fops,
};

static int __init snap_init(void)
{
	unit = kzalloc(sizeof(*unit), GFP_KERNEL);
	if (!unit)
		return -ENOMEM;
	mutex_init(&unit->lock);
	return misc_register(&snap_misc);
}

module_init(snap_init);
MODULE_DESCRIPTION("Inquest lab: snapshots of a logic analyser");
MODULE_LICENSE("GPL");
