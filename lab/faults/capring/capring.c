// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers for captured video: pages straight from the page allocator, which no counter of the kernel names. A stream that is stopped keeps
 * its buffers for the next one, and the next one takes new ones.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define CAP_ORDER 2
#define CAP_FRAMES 64

struct cap_stream {
	struct list_head node;
	u32 id;
	u32 frames;
	struct page *pages[CAP_FRAMES];
};

struct cap_device {
	struct list_head idle;
	u32 streams;
	u64 captured;
};

static struct cap_device *cap;

static int cap_fill(struct cap_stream *stream)
{
	while (stream->frames < CAP_FRAMES) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, CAP_ORDER);

		if (!page)
			return -ENOMEM;
		stream->pages[stream->frames++] = page;
	}
	return 0;
}

static struct cap_stream *cap_start(struct cap_device *device)
{
	struct cap_stream *stream = kzalloc(sizeof(*stream), GFP_KERNEL);

	if (!stream)
		return NULL;
	stream->id = device->streams++;
	if (cap_fill(stream)) {
		kfree(stream);
		return NULL;
	}
	return stream;
}

static void cap_stop(struct cap_device *device, struct cap_stream *stream)
{
	device->captured += stream->frames;
	list_add(&stream->node, &device->idle);
}

static ssize_t cap_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 clips;
	int error = kstrtou32_from_user(ubuf, count, 0, &clips);

	while (!error && clips--) {
		struct cap_stream *stream = cap_start(cap);

		if (stream)
			cap_stop(cap, stream);
		else
			error = -ENOMEM;
	}
	return error ? error : count;
}

static const struct file_operations cap_fops = { .owner = THIS_MODULE, .write = cap_write };

static struct miscdevice cap_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "capring",
	.fops = &cap_fops,
};

static int __init cap_init(void)
{
	cap = kzalloc(sizeof(*cap), GFP_KERNEL);
	if (!cap)
		return -ENOMEM;
	INIT_LIST_HEAD(&cap->idle);
	return misc_register(&cap_misc);
}

module_init(cap_init);
MODULE_DESCRIPTION("Inquest lab: captured video");
MODULE_LICENSE("GPL");
