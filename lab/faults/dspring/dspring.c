// SPDX-License-Identifier: GPL-2.0
/* A signal processor's ring of samples: a character device, each open file with a cursor of its own. */
#include <linux/module.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct dsr_ring {
	u32 size;
	u32 readers;
	u64 produced;
	char *samples;
};

struct dsr_cursor {
	u32 position;
	u32 flags;
	u64 started;
	struct dsr_ring *ring;
	u64 consumed;
};

static struct dsr_ring *dsr_ring;

/* A file opened for writing only needs no cursor. */
static int dsr_open(struct inode *inode, struct file *file)
{
	struct dsr_cursor *cursor;

	if ((file->f_flags & O_ACCMODE) == O_WRONLY)
		return 0;
	cursor = kzalloc(sizeof(*cursor), GFP_KERNEL);
	if (!cursor)
		return -ENOMEM;
	cursor->ring = dsr_ring;
	file->private_data = cursor;
	return 0;
}

static noinline void dsr_rewind(struct dsr_cursor *cursor)
{
	struct dsr_ring *ring = cursor->ring;

	ring->readers++;
	cursor->position = ring->produced % ring->size;
}

static ssize_t dsr_read(struct file *file, char __user *to, size_t length, loff_t *at)
{
	struct dsr_cursor *cursor = file->private_data;

	length = min_t(size_t, length, cursor->ring->size - cursor->position);
	if (copy_to_user(to, cursor->ring->samples + cursor->position, length))
		return -EFAULT;
	cursor->position += length;
	cursor->consumed += length;
	return length;
}

static ssize_t dsr_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	dsr_rewind(file->private_data);
	return length;
}

static const struct file_operations dsr_fops = {
	.owner = THIS_MODULE,
	.open = dsr_open,
	.read = dsr_read,
	.write = dsr_write,
};

static struct miscdevice dsr_misc = { .minor = MISC_DYNAMIC_MINOR, .name = "dspring", .fops = &dsr_fops };

static int __init dsr_init(void)
{
	dsr_ring = kzalloc(sizeof(*dsr_ring), GFP_KERNEL);
	if (!dsr_ring)
		return -ENOMEM;
	dsr_ring->size = 4096;
	dsr_ring->samples = kzalloc(4096, GFP_KERNEL);
	if (!dsr_ring->samples)
		return -ENOMEM;
	return misc_register(&dsr_misc);
}

module_init(dsr_init);
MODULE_DESCRIPTION("Inquest lab: signal processor");
MODULE_LICENSE("GPL");
