// SPDX-License-Identifier: GPL-2.0
/* Waits for an edge on a line, with a timeout; then reads samples. Edges come from a timer that stands for the interrupt. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/wait.h>

struct gpio_line {
	u32 offset;
	u32 edges;
	wait_queue_head_t waiters;
	struct timer_list interrupt;
	u64 sum;
};

static struct gpio_line *gpio_line;

static noinline int gpio_wait_edge(struct gpio_line *line, long timeout)
{
	DEFINE_WAIT(wait);

	prepare_to_wait(&line->waiters, &wait, TASK_INTERRUPTIBLE);
	if (!schedule_timeout(timeout))
		return -ETIMEDOUT;
	finish_wait(&line->waiters, &wait);
	return 0;
}

static noinline void gpio_sample(struct gpio_line *line, u32 seed)
{
	u32 samples[64];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(samples); i++)
		WRITE_ONCE(samples[i], seed += 0x00010003);
	for (i = 0; i < ARRAY_SIZE(samples); i++)
		line->sum += READ_ONCE(samples[i]);
}

static noinline void gpio_edge(struct gpio_line *line)
{
	line->edges++;
	wake_up(&line->waiters);
}

static void gpio_interrupt(struct timer_list *timer)
{
	gpio_edge(container_of(timer, struct gpio_line, interrupt));
}

static ssize_t gpio_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	mod_timer(&gpio_line->interrupt, jiffies + HZ / 5);
	gpio_wait_edge(gpio_line, HZ / 20);
	for (;;) {
		gpio_sample(gpio_line, 0x04000400);
		if (gpio_line->edges)
			return length;
		cond_resched();
	}
}

static const struct proc_ops gpio_proc_ops = { .proc_write = gpio_write };

static int __init gpio_init(void)
{
	gpio_line = kzalloc(sizeof(*gpio_line), GFP_KERNEL);
	if (!gpio_line)
		return -ENOMEM;
	gpio_line->offset = 17;
	init_waitqueue_head(&gpio_line->waiters);
	timer_setup(&gpio_line->interrupt, gpio_interrupt, 0);
	return proc_create("gpiowait", 0200, NULL, &gpio_proc_ops) ? 0 : -ENOMEM;
}

static void __exit gpio_exit(void)
{
}

module_init(gpio_init);
module_exit(gpio_exit);
MODULE_DESCRIPTION("Edges of a line");
MODULE_LICENSE("GPL");
