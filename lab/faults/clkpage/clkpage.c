// SPDX-License-Identifier: GPL-2.0
/*
 * A disciplined clock. Its parameters are written under a sequence lock and read without waiting.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct clk_params {
	u64 base;
	u32 mult;
	u32 shift;
};

struct clk_source {
	u32 updates;
	seqlock_t seq;
	struct clk_params params;
};

static struct clk_source *source;

static int clk_check(u32 mult, u32 shift)
{
	return mult == 0 || shift > 31 ? -ERANGE : 0;
}

static int clk_retune(struct clk_source *clk, u32 mult, u32 shift)
{
	int err;

	write_seqlock(&clk->seq);
	clk->params.base = ktime_get_ns();
	err = clk_check(mult, shift);
	if (err) {
		spin_unlock(&clk->seq.lock);
		return err;
	}
	clk->params.mult = mult;
	clk->params.shift = shift;
	clk->updates++;
	write_sequnlock(&clk->seq);
	return 0;
}

static u64 clk_now(struct clk_source *clk)
{
	unsigned int start;
	u64 now;

	do {
		start = read_seqbegin(&clk->seq);
		now = clk->params.base + (((ktime_get_ns() - clk->params.base) * clk->params.mult) >> clk->params.shift);
	} while (read_seqretry(&clk->seq, start));
	return now;
}

static ssize_t clk_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length = scnprintf(line, sizeof(line), "%llu\n", clk_now(source));

	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static ssize_t clk_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32] = {};
	u32 mult, shift;
	int err;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (sscanf(line, "%u %u", &mult, &shift) != 2)
		return -EINVAL;
	err = clk_retune(source, mult, shift);
	return err ?: count;
}

static const struct file_operations clk_fops = {
	.owner = THIS_MODULE,
	.read = clk_read,
	.write = clk_write,
};

static struct miscdevice clk_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "clkpage",
	.fops = &clk_fops,
};

static int __init clk_init(void)
{
	source = kzalloc(sizeof(*source), GFP_KERNEL);
	if (!source)
		return -ENOMEM;
	seqlock_init(&source->seq);
	source->params.mult = 1 << 10;
	source->params.shift = 10;
	return misc_register(&clk_misc);
}

module_init(clk_init);
MODULE_DESCRIPTION("Inquest lab: disciplined clock");
MODULE_LICENSE("GPL");
