// SPDX-License-Identifier: GPL-2.0
/* A frame grabber: readers get the lines of the last frame. It can be unplugged. */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#define VID_PITCH 2048
#define VID_LINES 240

struct vid_frame {
	u8 *pixels;
	u32 pitch;
	u32 lines;
	u64 sequence;
};

struct vid_device {
	char name[16];
	struct mutex lock;
	struct vid_frame frame;
	bool present;
};

struct vid_reader {
	struct vid_device *device;
	const struct vid_frame *frame;
	u32 line;
	u8 copy[64];
};

static struct vid_device *vid_device;

static int vid_open(struct inode *inode, struct file *file)
{
	struct vid_reader *reader;

	if (!vid_device->present)
		return -ENODEV;
	reader = kzalloc(sizeof(*reader), GFP_KERNEL);
	if (!reader)
		return -ENOMEM;
	reader->device = vid_device;
	reader->frame = &vid_device->frame;
	file->private_data = reader;
	return 0;
}

static noinline u32 vid_line_sum(const u8 *line, u32 bytes)
{
	u32 sum = 0;

	while (bytes--)
		sum = sum * 3 + *line++;
	return sum;
}

static noinline u32 vid_next_line(struct vid_reader *reader)
{
	const struct vid_frame *frame = reader->frame;
	u32 line = reader->line++ % frame->lines;

	return vid_line_sum(frame->pixels + line * frame->pitch, frame->pitch);
}

static ssize_t vid_read(struct file *file, char __user *to, size_t length, loff_t *at)
{
	struct vid_reader *reader = file->private_data;
	u32 sum;

	mutex_lock(&reader->device->lock);
	sum = vid_next_line(reader);
	mutex_unlock(&reader->device->lock);
	if (length < sizeof(sum) || copy_to_user(to, &sum, sizeof(sum)))
		return -EFAULT;
	return sizeof(sum);
}

static noinline void vid_unplug(struct vid_device *device)
{
	mutex_lock(&device->lock);
	device->present = false;
	vfree(device->frame.pixels);
	mutex_unlock(&device->lock);
}

static ssize_t vid_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	vid_unplug(vid_device);
	return length;
}

static const struct proc_ops vid_proc_ops = { .proc_open = vid_open, .proc_read = vid_read, .proc_write = vid_write };

static int __init vid_init(void)
{
	vid_device = kzalloc(sizeof(*vid_device), GFP_KERNEL);
	if (!vid_device)
		return -ENOMEM;
	strcpy(vid_device->name, "vidcap0");
	mutex_init(&vid_device->lock);
	vid_device->frame.pitch = VID_PITCH;
	vid_device->frame.lines = VID_LINES;
	vid_device->frame.pixels = vzalloc(VID_PITCH * VID_LINES);
	if (!vid_device->frame.pixels)
		return -ENOMEM;
	vid_device->present = true;
	return proc_create("vidcap", 0600, NULL, &vid_proc_ops) ? 0 : -ENOMEM;
}

static void __exit vid_exit(void)
{
}

module_init(vid_init);
module_exit(vid_exit);
MODULE_DESCRIPTION("Frame grabber");
MODULE_LICENSE("GPL");
