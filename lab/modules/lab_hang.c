// SPDX-License-Identifier: GPL-2.0
/*
 * Kernels that do not die by themselves but stop.
 *   echo MODE > /sys/module/lab_hang/parameters/trigger
 *   mutex  lab-ab and lab-ba take two mutexes in opposite order, three lab-wait threads queue behind them
 *   rwsem  lab-reader sleeps for ever holding a rw_semaphore for reading, lab-writer waits for it
 *   soft   a thread spins with preemption off (soft lockup; an RCU stall where that is quicker)
 *   spin   two threads spin on each other's spinlocks with interrupts off
 */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/string.h>

static DEFINE_MUTEX(lab_hang_a);
static DEFINE_MUTEX(lab_hang_b);
static DECLARE_RWSEM(lab_hang_rwsem);
static DEFINE_SPINLOCK(lab_hang_spin_a);
static DEFINE_SPINLOCK(lab_hang_spin_b);
static int lab_hang_taken;

static noinline void lab_hang_take_both(struct mutex *first, struct mutex *second)
{
	mutex_lock(first);
	lab_hang_taken++;
	msleep(300);
	mutex_lock(second);
	lab_hang_taken++;
	mutex_unlock(second);
	mutex_unlock(first);
}

static int lab_hang_ab(void *unused)
{
	lab_hang_take_both(&lab_hang_a, &lab_hang_b);
	return 0;
}

static int lab_hang_ba(void *unused)
{
	lab_hang_take_both(&lab_hang_b, &lab_hang_a);
	return 0;
}

static int lab_hang_wait(void *unused)
{
	msleep(600);
	mutex_lock(&lab_hang_a);
	mutex_unlock(&lab_hang_a);
	return 0;
}

static int lab_hang_reader(void *unused)
{
	down_read(&lab_hang_rwsem);
	for (;;)
		schedule_timeout_idle(HZ * 1000);
	return 0;
}

static int lab_hang_writer(void *unused)
{
	msleep(300);
	down_write(&lab_hang_rwsem);
	up_write(&lab_hang_rwsem);
	return 0;
}

static int lab_hang_spinner(void *unused)
{
	preempt_disable();
	for (;;)
		cpu_relax();
	return 0;
}

static noinline void lab_hang_spin_both(spinlock_t *first, spinlock_t *second)
{
	unsigned long flags;

	spin_lock_irqsave(first, flags);
	mdelay(300);
	spin_lock(second);
	spin_unlock(second);
	spin_unlock_irqrestore(first, flags);
}

static int lab_hang_spin_ab(void *unused)
{
	lab_hang_spin_both(&lab_hang_spin_a, &lab_hang_spin_b);
	return 0;
}

static int lab_hang_spin_ba(void *unused)
{
	lab_hang_spin_both(&lab_hang_spin_b, &lab_hang_spin_a);
	return 0;
}

static int lab_hang_trigger_set(const char *val, const struct kernel_param *kp)
{
	int i;

	pr_info("lab_hang: trigger %s", val);
	if (sysfs_streq(val, "mutex")) {
		kthread_run(lab_hang_ab, NULL, "lab-ab");
		kthread_run(lab_hang_ba, NULL, "lab-ba");
		for (i = 0; i < 3; i++)
			kthread_run(lab_hang_wait, NULL, "lab-wait/%d", i);
	} else if (sysfs_streq(val, "rwsem")) {
		kthread_run(lab_hang_reader, NULL, "lab-reader");
		kthread_run(lab_hang_writer, NULL, "lab-writer");
	} else if (sysfs_streq(val, "soft")) {
		kthread_run(lab_hang_spinner, NULL, "lab-spinner");
	} else if (sysfs_streq(val, "spin")) {
		kthread_run(lab_hang_spin_ab, NULL, "lab-spin-ab");
		kthread_run(lab_hang_spin_ba, NULL, "lab-spin-ba");
	} else {
		return -EINVAL;
	}
	return 0;
}

static const struct kernel_param_ops lab_hang_trigger_ops = { .set = lab_hang_trigger_set };
module_param_cb(trigger, &lab_hang_trigger_ops, NULL, 0200);

static int __init lab_hang_init(void)
{
	pr_info("lab_hang: loaded\n");
	return 0;
}

module_init(lab_hang_init);
MODULE_DESCRIPTION("Inquest lab: deadlocks and lockups");
MODULE_LICENSE("GPL");
