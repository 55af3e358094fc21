// SPDX-License-Identifier: GPL-2.0
/*
 * Faults away from any process: who is `current` there is an accident.
 *   echo MODE > /sys/module/lab_irq/parameters/trigger
 *   timer  a NULL write in a timer callback (softirq)
 *   irq    a NULL write in an irq_work callback (hard interrupt)
 *   panic  panic() in an inter-processor interrupt on the other CPU
 *   work   a NULL write in a workqueue worker
 */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/timer.h>
#include <linux/irq_work.h>
#include <linux/workqueue.h>
#include <linux/smp.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/string.h>

struct lab_ring {
	u64 produced;
	u64 consumed;
};

static struct lab_ring *lab_irq_ring;
static u64 lab_irq_events;

static noinline void lab_irq_account(struct lab_ring *ring, u64 events)
{
	ring->consumed = events;
}

static noinline void lab_irq_drain(const char *context)
{
	lab_irq_events++;
	pr_info("lab_irq: draining from %s, event %llu\n", context, lab_irq_events);
	lab_irq_account(READ_ONCE(lab_irq_ring), lab_irq_events);
	pr_info("lab_irq: drained\n");
}

static void lab_irq_timer_fn(struct timer_list *unused)
{
	lab_irq_drain("timer");
}

static void lab_irq_work_fn(struct irq_work *unused)
{
	lab_irq_drain("irq_work");
}

static void lab_irq_worker_fn(struct work_struct *unused)
{
	lab_irq_drain("worker");
}

static void lab_irq_panic_fn(void *info)
{
	panic("lab_irq: told to die by %s", (const char *)info);
}

static struct timer_list lab_irq_timer;
static struct irq_work lab_irq_irq_work;
static DECLARE_WORK(lab_irq_worker, lab_irq_worker_fn);

static int lab_irq_trigger_set(const char *val, const struct kernel_param *kp)
{
	unsigned int other;

	pr_info("lab_irq: trigger %s", val);
	if (sysfs_streq(val, "timer")) {
		mod_timer(&lab_irq_timer, jiffies + HZ / 10);
	} else if (sysfs_streq(val, "irq")) {
		irq_work_queue(&lab_irq_irq_work);
	} else if (sysfs_streq(val, "work")) {
		schedule_work(&lab_irq_worker);
	} else if (sysfs_streq(val, "panic")) {
		preempt_disable();
		other = cpumask_any_but(cpu_online_mask, smp_processor_id());
		smp_call_function_single(other, lab_irq_panic_fn, "the other cpu", 1);
		preempt_enable();
	} else {
		return -EINVAL;
	}
	return 0;
}

static const struct kernel_param_ops lab_irq_trigger_ops = { .set = lab_irq_trigger_set };
module_param_cb(trigger, &lab_irq_trigger_ops, NULL, 0200);

static int __init lab_irq_init(void)
{
	timer_setup(&lab_irq_timer, lab_irq_timer_fn, 0);
	init_irq_work(&lab_irq_irq_work, lab_irq_work_fn);
	pr_info("lab_irq: loaded\n");
	return 0;
}

module_init(lab_irq_init);
MODULE_DESCRIPTION("Inquest lab: faults in interrupt context");
MODULE_LICENSE("GPL");
