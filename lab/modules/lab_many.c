// SPDX-License-Identifier: GPL-2.0
/* Many sleeping kernel threads (`count`), all with the same short stack: insmod lab_many.ko count=5000. */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/wait.h>

static unsigned int count = 100;
module_param(count, uint, 0444);

static DECLARE_WAIT_QUEUE_HEAD(lab_many_queue);
static bool lab_many_released;

static noinline void lab_many_wait(void)
{
	wait_event_idle(lab_many_queue, READ_ONCE(lab_many_released));
}

static int lab_many_thread(void *unused)
{
	lab_many_wait();
	return 0;
}

static int __init lab_many_init(void)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct task_struct *task = kthread_run(lab_many_thread, NULL, "lab-many/%u", i);

		if (IS_ERR(task)) {
			pr_err("lab_many: thread %u failed\n", i);
			return 0;
		}
	}
	pr_info("lab_many: %u threads\n", count);
	return 0;
}

module_init(lab_many_init);
MODULE_DESCRIPTION("Inquest lab: many sleeping threads");
MODULE_LICENSE("GPL");
