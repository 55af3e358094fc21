// SPDX-License-Identifier: GPL-2.0
/*
 * A volume with snapshots. Writes to the volume go on under a per-CPU rw semaphore; taking a snapshot excludes them.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/percpu-rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define VOL_EXTENTS 32

struct vol_remote {
	u32 window;
	u32 sent;
	struct completion acked;
};

struct vol_volume {
	struct percpu_rw_semaphore frozen;
	struct vol_remote mirror;
	u32 generation;
	u32 extents[VOL_EXTENTS];
};

static struct vol_volume *volume;

static void mirror_send(struct vol_remote *mirror, u32 extent)
{
	if (mirror->sent++ < mirror->window)
		return;
	/* The window is used up: wait until the other side has written. */
	wait_for_completion(&mirror->acked);
	mirror->sent = 0;
}

static void vol_replicate(struct vol_volume *vol, u32 extent)
{
	mirror_send(&vol->mirror, vol->extents[extent]);
}

static void vol_write_extent(struct vol_volume *vol, u32 extent)
{
	percpu_down_read(&vol->frozen);
	vol->extents[extent] = vol->generation;
	vol_replicate(vol, extent);
	percpu_up_read(&vol->frozen);
}

static void vol_snapshot(struct vol_volume *vol)
{
	percpu_down_write(&vol->frozen);
	vol->generation++;
	percpu_up_write(&vol->frozen);
}

static ssize_t vol_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32] = {};
	u32 extent;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (!strncmp(line, "snapshot", 8))
		vol_snapshot(volume);
	else if (sscanf(line, "write %u", &extent) == 1 && extent < VOL_EXTENTS)
		vol_write_extent(volume, extent);
	else
		return -EINVAL;
	return count;
}

static const struct file_operations vol_fops = {
	.owner = THIS_MODULE,
	.write = vol_write,
};

static struct miscdevice vol_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "snapvol",
	.fops = &vol_fops,
};

static int __init vol_init(void)
{
	int err;

	volume = kzalloc(sizeof(*volume), GFP_KERNEL);
	if (!volume)
		return -ENOMEM;
	err = percpu_init_rwsem(&volume->frozen);
	if (err) {
		kfree(volume);
		return err;
	}
	init_completion(&volume->mirror.acked);
	volume->mirror.window = 4;
	return misc_register(&vol_misc);
}

module_init(vol_init);
MODULE_DESCRIPTION("Inquest lab: volume with snapshots");
MODULE_LICENSE("GPL");
