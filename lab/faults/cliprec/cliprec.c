// SPDX-License-Identifier: GPL-2.0
/*
 * A recorder of clips: each frame is a page of its own that begins with a head. Frames that come in while the recorder is paused are counted
 * and dropped.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

struct clip_format {
	u32 fourcc;
	u32 stride;
	void (*fill)(void *line, u32 stride);
};

struct clip_frame {
	const struct clip_format *format;
	u64 sequence;
	u32 bytes;
	u32 flags;
	u8 line[];
};

struct clip_recorder {
	const struct clip_format *format;
	u64 sequence;
	u64 dropped;
	bool paused;
	unsigned int kept;
	struct clip_frame *frames[16];
};

static void clip_fill_grey(void *line, u32 stride)
{
	memset(line, 0x80, stride);
}

static const struct clip_format clip_grey = { .fourcc = 0x59455247, .stride = 640, .fill = clip_fill_grey };

static struct clip_recorder *recorder;

static struct clip_frame *clip_grab(struct clip_recorder *rec)
{
	struct clip_frame *frame = (struct clip_frame *)__get_free_page(GFP_KERNEL);

	if (!frame)
		return NULL;
	frame->format = rec->format;
	frame->sequence = rec->sequence++;
	frame->bytes = rec->format->stride;
	frame->flags = 0;
	rec->format->fill(frame->line, rec->format->stride);
	return frame;
}

static int clip_store(struct clip_recorder *rec, struct clip_frame *frame)
{
	if (rec->paused || rec->kept == ARRAY_SIZE(rec->frames)) {
		rec->dropped++;
		return -EBUSY;
	}
	rec->frames[rec->kept++] = frame;
	return 0;
}

static int clip_record(struct clip_recorder *rec, u32 count)
{
	struct clip_frame *frame;

	while (count--) {
		frame = clip_grab(rec);
		if (!frame)
			return -ENOMEM;
		clip_store(rec, frame);
	}
	return 0;
}

static ssize_t clip_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 frames;
	int error = kstrtou32_from_user(ubuf, count, 0, &frames);

	if (!error)
		error = clip_record(recorder, frames);
	return error ? error : count;
}

static const struct file_operations clip_fops = { .owner = THIS_MODULE, .write = clip_write };

static struct miscdevice clip_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "cliprec",
	.fops = &clip_fops,
};

static int __init clip_init(void)
{
	recorder = kzalloc(sizeof(*recorder), GFP_KERNEL);
	if (!recorder)
		return -ENOMEM;
	recorder->format = &clip_grey;
	return misc_register(&clip_misc);
}

module_init(clip_init);
MODULE_DESCRIPTION("Inquest lab: a recorder of clips");
MODULE_LICENSE("GPL");
