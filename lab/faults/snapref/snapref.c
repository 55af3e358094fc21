// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots with I/O in flight; deleting one waits until none is. The path of a refused request forgets to count itself out.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/atomic.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

struct snap {
	u32 id;
	u32 sectors;
	bool dying;
	atomic_t inflight;
	wait_queue_head_t drained;
	u64 served;
};

static struct snap *snap;

static void snap_put_io(struct snap *s)
{
	if (atomic_dec_and_test(&s->inflight))
		wake_up(&s->drained);
}

static int snap_serve(struct snap *s, u32 sector)
{
	if (s->dying)
		return -ENODEV;
	atomic_inc(&s->inflight);
	if (sector >= s->sectors)
		return -ERANGE;
	s->served++;
	snap_put_io(s);
	return 0;
}

static void snap_drain(struct snap *s)
{
	s->dying = true;
	wait_event(s->drained, atomic_read(&s->inflight) == 0);
}

static int snap_delete(struct snap *s)
{
	snap_drain(s);
	s->sectors = 0;
	return 0;
}

static ssize_t snap_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32];
	u32 sector;
	int error = -EINVAL;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "io %u", &sector) == 1)
		error = snap_serve(snap, sector);
	else if (!strncmp(line, "delete", 6))
		error = snap_delete(snap);
	return error ? error : count;
}

static const struct file_operations snap_fops = { .owner = THIS_MODULE, .write = snap_write };

static struct miscdevice snap_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "snapref",
	.fops = &snap_fops,
};

static int __init snap_init(void)
{
	snap = kzalloc(sizeof(*snap), GFP_KERNEL);
	if (!snap)
		return -ENOMEM;
	snap->id = 7;
	snap->sectors = 2048;
	init_waitqueue_head(&snap->drained);
	return misc_register(&snap_misc);
}

module_init(snap_init);
MODULE_DESCRIPTION("Inquest lab: snapshots with I/O in flight");
MODULE_LICENSE("GPL");
