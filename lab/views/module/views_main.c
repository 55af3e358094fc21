// SPDX-License-Identifier: GPL-2.0
/*
 * The module's frame: the truth in /proc/lab_views, and the end:
 *   echo crash > /sys/module/lab_views/parameters/trigger
 * does what may only be done last (objects freed, a CPU spinning on a spinlock that the dying task holds), then what sysrq-c does.
 * `many` asks for so many more slab objects (for timing): insmod lab_views.ko many=1000000.
 */
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>
#include <linux/delay.h>
#include <linux/sysrq.h>
#include <linux/wait.h>
#include "views.h"

#define TEXT_SIZE (512 * 1024)

static unsigned long many;
module_param(many, ulong, 0444);

static char *views_text;
static size_t views_length;
static DECLARE_WAIT_QUEUE_HEAD(views_forever);

void views_say(const char *fmt, ...)
{
	va_list args;

	if (views_length >= TEXT_SIZE - 512)
		return;
	views_length += scnprintf(views_text + views_length, TEXT_SIZE - views_length, "LABVIEW ");
	va_start(args, fmt);
	views_length += vscnprintf(views_text + views_length, TEXT_SIZE - views_length, fmt, args);
	va_end(args);
	views_length += scnprintf(views_text + views_length, TEXT_SIZE - views_length, "\n");
}

static int views_show(struct seq_file *file, void *unused)
{
	seq_write(file, views_text, views_length);
	return 0;
}

void views_sleep_forever(void)
{
	wait_event_idle(views_forever, false);
}

/* Neither running nor on its way to a CPU (TASK_WAKING). */
static bool views_sleeps(struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 14, 0)
	return READ_ONCE(task->__state) & TASK_NORMAL;
#else
	return READ_ONCE(task->state) & TASK_NORMAL;
#endif
}

struct task_struct *views_sleeper(int (*body)(void *), void *argument, const char *name)
{
	struct task_struct *task = kthread_run(body, argument, "%s", name);
	int i;

	if (IS_ERR(task)) {
		pr_err("lab_views: no thread %s\n", name);
		return NULL;
	}
	/* Its first sleep is the one it is made for. */
	for (i = 0; i < 5000 && !views_sleeps(task); i++)
		msleep(1);
	msleep(2);
	views_say("task %s %px pid=%d", name, task, task->pid);
	return task;
}

static int views_trigger_set(const char *val, const struct kernel_param *kp)
{
	if (!sysfs_streq(val, "crash"))
		return -EINVAL;
	views_slab_last();
	views_memory_last();
	views_time_last();
	views_locks_last();
	handle_sysrq('c');
	return 0;
}

static const struct kernel_param_ops views_trigger_ops = { .set = views_trigger_set };
module_param_cb(trigger, &views_trigger_ops, NULL, 0200);

static int __init views_init(void)
{
	int error;

	views_text = vmalloc(TEXT_SIZE);
	if (!views_text)
		return -ENOMEM;
	error = views_containers_init();
	if (!error)
		error = views_memory_init();
	if (!error)
		error = views_slab_init(many);
	if (!error)
		error = views_locks_init();
	if (!error)
		error = views_time_init();
	if (error) {
		/* Threads are running by now: the module stays, without its truth. */
		pr_err("lab_views: failed (%d)\n", error);
		return 0;
	}
	proc_create_single("lab_views", 0444, NULL, views_show);
	pr_info("lab_views: loaded, %zu bytes of truth\n", views_length);
	return 0;
}

module_init(views_init);
MODULE_DESCRIPTION("Inquest lab: objects for the views");
MODULE_LICENSE("GPL");
