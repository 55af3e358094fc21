// SPDX-License-Identifier: GPL-2.0
/* A chain of filters over a line of text; each has a scratch line of its own on the stack and hands on to the next. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>

#define LINE	3000

struct line_filter;

struct line_filter_ops {
	const char *name;
	int (*run)(const struct line_filter *filter, const char *line, size_t length);
};

struct line_filter {
	const struct line_filter_ops *ops;
	const struct line_filter *next;
	u32 hits;
	char from;
	char to;
};

static noinline int line_next(const struct line_filter *filter, const char *line, size_t length)
{
	return filter->next ? filter->next->ops->run(filter->next, line, length) : (int)length;
}

static noinline int line_replace(const struct line_filter *filter, const char *line, size_t length)
{
	char scratch[LINE];
	size_t i;
	int ret;

	memcpy(scratch, line, length);
	memset(scratch + length, 0, sizeof(scratch) - length);
	for (i = 0; i < length; i++)
		if (scratch[i] == filter->from)
			scratch[i] = filter->to;
	ret = line_next(filter, scratch, length);
	return ret + (scratch[length / 2] == filter->to);
}

static noinline int line_double(const struct line_filter *filter, const char *line, size_t length)
{
	char scratch[LINE];
	size_t at = 0, i;
	int ret;

	memset(scratch, ' ', sizeof(scratch));
	for (i = 0; i < length && at + 2 < sizeof(scratch); i++) {
		scratch[at++] = line[i];
		if (line[i] == filter->from)
			scratch[at++] = filter->to;
	}
	ret = line_next(filter, scratch, at);
	return ret + (scratch[at / 2] == filter->to);
}

static const struct line_filter_ops line_replace_ops = { "replace", line_replace };
static const struct line_filter_ops line_double_ops = { "double", line_double };
static struct line_filter line_filters[9];

static ssize_t line_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	static const char line[] = "the quick brown fox jumps over the lazy dog";

	line_filters[0].ops->run(&line_filters[0], line, sizeof(line) - 1);
	return length;
}

static const struct proc_ops line_proc_ops = { .proc_write = line_write };

static int __init line_init(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(line_filters); i++) {
		line_filters[i].ops = i % 3 == 2 ? &line_double_ops : &line_replace_ops;
		line_filters[i].from = 'a' + i;
		line_filters[i].to = 'A' + i;
		if (i)
			line_filters[i - 1].next = &line_filters[i];
	}
	return proc_create("fmtchain", 0200, NULL, &line_proc_ops) ? 0 : -ENOMEM;
}

static void __exit line_exit(void)
{
}

module_init(line_init);
module_exit(line_exit);
MODULE_DESCRIPTION("Filters over lines");
MODULE_LICENSE("GPL");
