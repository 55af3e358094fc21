// SPDX-License-Identifier: GPL-2.0
/*
 * Timers, high-resolution timers and work items that are still to come, and work that runs but sleeps.
 *   LABVIEW timer NAME ADDRESS expires=JIFFIES now=JIFFIES function=NAME cpu=N deferrable=0|1
 *   LABVIEW hrtimer NAME ADDRESS expires=NANOSECONDS clock=monotonic|realtime|boottime function=NAME mode=hard|soft
 *   LABVIEW work NAME ADDRESS wq=NAME state=running|pending|delayed function=NAME [timer=ADDRESS]
 *   LABVIEW rcu NAME ADDRESS function=NAME        a callback queued immediately before the end
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include "views.h"

/* A queue is to say whether it is unbound; 7.x warns of one that does not. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define VIEWS_PERCPU WQ_PERCPU
#else
#define VIEWS_PERCPU 0
#endif

static struct timer_list lab_views_timers[4];
static struct hrtimer lab_views_hrtimers[4];
static struct workqueue_struct *lab_views_wq;
static struct workqueue_struct *lab_views_unbound_wq;
static struct work_struct lab_views_works[4];
static struct work_struct lab_views_unbound_work;
static struct delayed_work lab_views_delayed[2];
static struct rcu_head lab_views_rcu[3];

static void lab_views_timer_function(struct timer_list *timer)
{
}

static enum hrtimer_restart lab_views_hrtimer_function(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

static void lab_views_sleeping_work(struct work_struct *work)
{
	views_sleep_forever();
}

static void lab_views_waiting_work(struct work_struct *work)
{
}

static void lab_views_rcu_function(struct rcu_head *head)
{
}

static void views_timers(void)
{
	static const struct { const char *name; unsigned int flags; unsigned int seconds; } timers[] = {
		{ "plain", 0, 1000 }, { "far", 0, 500000 }, { "deferrable", TIMER_DEFERRABLE, 2000 }, { "pinned", TIMER_PINNED, 3000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(timers); i++) {
		struct timer_list *timer = &lab_views_timers[i];
		int cpu = i % num_online_cpus();

		timer_setup(timer, lab_views_timer_function, timers[i].flags);
		timer->expires = jiffies + timers[i].seconds * HZ;
		add_timer_on(timer, cpu);
		views_say("timer %s %px expires=%lu now=%lu function=lab_views_timer_function cpu=%d deferrable=%d", timers[i].name, timer,
			  timer->expires, jiffies, cpu, !!(timers[i].flags & TIMER_DEFERRABLE));
	}
}

static void views_hrtimer(int i, const char *name, clockid_t clock, const char *clock_name, enum hrtimer_mode mode, s64 seconds)
{
	struct hrtimer *timer = &lab_views_hrtimers[i];

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, lab_views_hrtimer_function, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = lab_views_hrtimer_function;
#endif
	hrtimer_start(timer, ktime_set(seconds, 123456789), mode);
	views_say("hrtimer %s %px expires=%lld clock=%s function=lab_views_hrtimer_function mode=%s", name, timer,
		  ktime_to_ns(hrtimer_get_expires(timer)), clock_name, mode & HRTIMER_MODE_SOFT ? "soft" : "hard");
}

static void views_hrtimers(void)
{
	views_hrtimer(0, "monotonic", CLOCK_MONOTONIC, "monotonic", HRTIMER_MODE_REL, 4000);
	views_hrtimer(1, "realtime", CLOCK_REALTIME, "realtime", HRTIMER_MODE_ABS, 5000000000LL);
	views_hrtimer(2, "boottime", CLOCK_BOOTTIME, "boottime", HRTIMER_MODE_REL, 6000);
	views_hrtimer(3, "soft", CLOCK_MONOTONIC, "monotonic", HRTIMER_MODE_REL_SOFT, 7000);
}

static int views_fifo_body(void *unused)
{
	views_sleep_forever();
	return 0;
}

static int views_flush_body(void *unused)
{
	flush_work(&lab_views_works[0]);
	return 0;
}

static void views_say_work(const char *name, struct work_struct *work, const char *wq, const char *state)
{
	views_say("work %s %px wq=%s state=%s function=%s", name, work, wq, state,
		  work->func == lab_views_sleeping_work ? "lab_views_sleeping_work" : "lab_views_waiting_work");
}

static int views_works(void)
{
	static const char * const names[] = { "running", "pending-1", "pending-2", "pending-3" };
	int i;

	/* One at a time: behind the one that sleeps the others wait. */
	lab_views_wq = alloc_workqueue("lab_views_wq", VIEWS_PERCPU, 1);
	lab_views_unbound_wq = alloc_workqueue("lab_views_unbound", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!lab_views_wq || !lab_views_unbound_wq)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(lab_views_works); i++) {
		INIT_WORK(&lab_views_works[i], i ? lab_views_waiting_work : lab_views_sleeping_work);
		queue_work_on(0, lab_views_wq, &lab_views_works[i]);
		views_say_work(names[i], &lab_views_works[i], "lab_views_wq", i ? "pending" : "running");
	}
	INIT_WORK(&lab_views_unbound_work, lab_views_sleeping_work);
	queue_work(lab_views_unbound_wq, &lab_views_unbound_work);
	views_say_work("unbound", &lab_views_unbound_work, "lab_views_unbound", "running");
	for (i = 0; i < ARRAY_SIZE(lab_views_delayed); i++) {
		INIT_DELAYED_WORK(&lab_views_delayed[i], lab_views_waiting_work);
		queue_delayed_work_on(i % num_online_cpus(), i ? lab_views_unbound_wq : lab_views_wq, &lab_views_delayed[i], (900 + i) * HZ);
		views_say("work delayed-%d %px wq=%s state=delayed function=lab_views_waiting_work timer=%px expires=%lu", i,
			  &lab_views_delayed[i].work, i ? "lab_views_unbound" : "lab_views_wq", &lab_views_delayed[i].timer,
			  lab_views_delayed[i].timer.expires);
	}
	return views_sleeper(views_flush_body, NULL, "lv-flush") ? 0 : -ENOMEM;
}

int views_time_init(void)
{
	struct task_struct *task;
	int i;

	views_timers();
	views_hrtimers();
	for (i = 0; i < ARRAY_SIZE(lab_views_rcu); i++)
		views_say("rcu callback-%d %px function=lab_views_rcu_function", i, &lab_views_rcu[i]);
	task = views_sleeper(views_fifo_body, NULL, "lv-fifo");
	if (!task)
		return -ENOMEM;
	sched_set_fifo(task);
	return views_works();
}

void views_time_last(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(lab_views_rcu); i++)
		call_rcu(&lab_views_rcu[i], lab_views_rcu_function);
}
