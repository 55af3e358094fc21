// SPDX-License-Identifier: GPL-2.0
/* Means over windows of samples, computed by a timer. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct sample_window {
	u32 index;
	u32 sum;
	u32 count;
	u32 mean;
};

struct sample_source {
	struct timer_list timer;
	u32 windows;
	u32 current_window;
	struct sample_window window[16];
};

static struct sample_source *source;

static inline u32 sample_mean(const struct sample_window *window)
{
	return window->sum / window->count;
}

static noinline void sample_close(struct sample_window *window)
{
	window->mean = sample_mean(window);
	window->index += 16;
}

static noinline void sample_rotate(struct sample_source *source)
{
	struct sample_window *window = &source->window[source->current_window];

	sample_close(window);
	source->current_window = (source->current_window + 1) % source->windows;
}

static void sample_expired(struct timer_list *timer)
{
	struct sample_source *source = container_of(timer, struct sample_source, timer);

	sample_rotate(source);
	mod_timer(timer, jiffies + 2);
}

static ssize_t sample_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	mod_timer(&source->timer, jiffies + 2);
	return length;
}

static const struct proc_ops sample_proc_ops = { .proc_write = sample_write };

static int __init sample_init(void)
{
	u32 i;

	source = kzalloc(sizeof(*source), GFP_KERNEL);
	if (!source)
		return -ENOMEM;
	source->windows = 16;
	for (i = 0; i < 16; i++) {
		source->window[i].index = i;
		source->window[i].sum = 1000 * i;
		/* Nothing was received while the line was down. */
		source->window[i].count = i == 11 ? 0 : 10;
	}
	timer_setup(&source->timer, sample_expired, 0);
	return proc_create("sampler", 0200, NULL, &sample_proc_ops) ? 0 : -ENOMEM;
}

static void __exit sample_exit(void)
{
}

module_init(sample_init);
module_exit(sample_exit);
MODULE_DESCRIPTION("Sample windows");
MODULE_LICENSE("GPL");
