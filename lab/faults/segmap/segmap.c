// SPDX-License-Identifier: GPL-2.0
/* Segments of a log-structured volume on a list, each with a map of its blocks in use. Cleaning goes through all of them. */
#include <linux/module.h>
#include <linux/bitops.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct log_segment {
	u64 start;
	u32 live;
	u32 age;
	unsigned long map;
	struct list_head node;
	u64 written;
};

struct log_volume {
	struct list_head segments;
	u32 count;
	u32 cleaned;
	struct log_segment *last;
};

static struct log_volume volume;

/* Block 0 of a segment is its summary, which is always in use. */
static noinline void log_segment_toggle(struct log_segment *segment, u32 block)
{
	__change_bit(block, &segment->map);
	segment->live++;
}

static inline u32 log_segment_cost(const struct log_segment *segment)
{
	return segment->live * 100 / (segment->age + 1);
}

static noinline struct log_segment *log_cheapest(struct log_volume *volume)
{
	struct log_segment *segment, *best = NULL;

	list_for_each_entry(segment, &volume->segments, node)
		if (!best || log_segment_cost(segment) < log_segment_cost(best))
			best = segment;
	return best;
}

static ssize_t log_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 i;

	for (i = 0; i < 40; i++)
		log_segment_toggle(volume.last, i);
	/* The address of a block counts from the volume's start, and this segment is not the first. */
	log_segment_toggle(volume.last, 64 + 44);
	volume.last = log_cheapest(&volume);
	volume.cleaned++;
	return length;
}

static const struct proc_ops log_proc_ops = { .proc_write = log_write };

static int __init log_init(void)
{
	u32 i;

	INIT_LIST_HEAD(&volume.segments);
	for (i = 0; i < 24; i++) {
		struct log_segment *segment = kzalloc(sizeof(*segment), GFP_KERNEL);

		if (!segment)
			return -ENOMEM;
		segment->start = i * 64;
		segment->age = 24 - i;
		segment->live = i % 5;
		list_add_tail(&segment->node, &volume.segments);
		volume.count++;
		if (i == 13)
			volume.last = segment;
	}
	return proc_create("segmap", 0200, NULL, &log_proc_ops) ? 0 : -ENOMEM;
}

static void __exit log_exit(void)
{
}

module_init(log_init);
module_exit(log_exit);
MODULE_DESCRIPTION("Log segments");
MODULE_LICENSE("GPL");
