// SPDX-License-Identifier: GPL-2.0
/*
 * Locks that kernel threads hold and wait for; none of them will ever be released.
 *   LABVIEW lock NAME ADDRESS kind=mutex|rwsem|rt_mutex|semaphore|completion|waitqueue|folio|spinlock holders=PIDS waiters=PIDS ...
 * Waiters are told in the order in which they came; the threads of readers and of those that wait exclusively are named again.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/rtmutex.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include "views.h"

static DEFINE_MUTEX(lab_views_mutex);
static DECLARE_RWSEM(lab_views_rwsem_write);
static DECLARE_RWSEM(lab_views_rwsem_read);
static struct rt_mutex lab_views_rt_mutex;
static struct semaphore lab_views_semaphore;
static DECLARE_COMPLETION(lab_views_completion);
static DECLARE_WAIT_QUEUE_HEAD(lab_views_queue);
static struct mutex lab_views_chain[2];
static struct mutex lab_views_cycle[3];
static DEFINE_SPINLOCK(lab_views_spinlock);
static struct page *lab_views_page;
static struct task_struct *views_spinner;

static int views_mutex_body(void *lock)
{
	mutex_lock(lock);
	views_sleep_forever();
	return 0;
}

static int views_write_body(void *lock)
{
	down_write(lock);
	views_sleep_forever();
	return 0;
}

static int views_read_body(void *lock)
{
	down_read(lock);
	views_sleep_forever();
	return 0;
}

static int views_rt_body(void *lock)
{
	rt_mutex_lock(lock);
	views_sleep_forever();
	return 0;
}

static int views_semaphore_body(void *lock)
{
	down(lock);
	views_sleep_forever();
	return 0;
}

static int views_completion_body(void *completion)
{
	wait_for_completion(completion);
	return 0;
}

static int views_queue_body(void *queue)
{
	wait_event_interruptible(*(wait_queue_head_t *)queue, false);
	return 0;
}

static int views_exclusive_body(void *queue)
{
	wait_event_interruptible_exclusive(*(wait_queue_head_t *)queue, false);
	return 0;
}

static int views_page_body(void *page)
{
	lock_page(page);
	views_sleep_forever();
	return 0;
}

/* Holds chain[0], which the first waits for; waits for chain[1]. */
static int views_middle_body(void *unused)
{
	mutex_lock(&lab_views_chain[0]);
	mutex_lock(&lab_views_chain[1]);
	return 0;
}

static int views_cycle_body(void *number)
{
	long own = (long)number;

	mutex_lock(&lab_views_cycle[own]);
	/* The others take theirs meanwhile. */
	msleep(300);
	mutex_lock(&lab_views_cycle[(own + 1) % 3]);
	return 0;
}

struct views_party {
	int (*body)(void *);
	void *lock;
	const char *name;
};

/* Start threads one after the other and write their ids, "12,13", to text. */
static int views_start(const struct views_party *parties, unsigned int count, char *text, size_t size)
{
	unsigned int i;
	int length = 0;

	strscpy(text, "-", size);
	for (i = 0; i < count; i++) {
		struct task_struct *task = views_sleeper(parties[i].body, parties[i].lock, parties[i].name);

		if (!task)
			return -ENOMEM;
		length += scnprintf(text + length, size - length, "%s%d", i ? "," : "", task->pid);
	}
	return 0;
}

static int views_lock(const char *name, const char *kind, void *lock, const struct views_party *parties, unsigned int holding,
		      unsigned int count, const char *more)
{
	char holders[64], waiters[96];
	int error = views_start(parties, holding, holders, sizeof(holders));

	if (!error)
		error = views_start(parties + holding, count - holding, waiters, sizeof(waiters));
	if (!error)
		views_say("lock %s %px kind=%s holders=%s waiters=%s%s", name, lock, kind, holders, waiters, more);
	return error;
}

static int views_simple_locks(void)
{
	const struct views_party mutex[] = {
		{ views_mutex_body, &lab_views_mutex, "lv-mutex-own" },
		{ views_mutex_body, &lab_views_mutex, "lv-mutex-w0" },
		{ views_mutex_body, &lab_views_mutex, "lv-mutex-w1" },
		{ views_mutex_body, &lab_views_mutex, "lv-mutex-w2" },
	};
	const struct views_party write[] = {
		{ views_write_body, &lab_views_rwsem_write, "lv-rwsemw-own" },
		{ views_read_body, &lab_views_rwsem_write, "lv-rwsemw-r0" },
		{ views_write_body, &lab_views_rwsem_write, "lv-rwsemw-w1" },
		{ views_read_body, &lab_views_rwsem_write, "lv-rwsemw-r2" },
	};
	const struct views_party read[] = {
		{ views_read_body, &lab_views_rwsem_read, "lv-rwsemr-own0" },
		{ views_read_body, &lab_views_rwsem_read, "lv-rwsemr-own1" },
		{ views_write_body, &lab_views_rwsem_read, "lv-rwsemr-w0" },
		{ views_read_body, &lab_views_rwsem_read, "lv-rwsemr-r1" },
	};
	const struct views_party rt[] = {
		{ views_rt_body, &lab_views_rt_mutex, "lv-rt-own" },
		{ views_rt_body, &lab_views_rt_mutex, "lv-rt-w0" },
		{ views_rt_body, &lab_views_rt_mutex, "lv-rt-w1" },
	};
	int error;

	rt_mutex_init(&lab_views_rt_mutex);
	error = views_lock("mutex", "mutex", &lab_views_mutex, mutex, 1, ARRAY_SIZE(mutex), "");
	if (!error)
		error = views_lock("rwsem-write", "rwsem", &lab_views_rwsem_write, write, 1, ARRAY_SIZE(write), " held=write");
	if (!error)
		error = views_lock("rwsem-read", "rwsem", &lab_views_rwsem_read, read, 2, ARRAY_SIZE(read), " held=read");
	if (!error)
		error = views_lock("rt-mutex", "rt_mutex", &lab_views_rt_mutex, rt, 1, ARRAY_SIZE(rt), "");
	return error;
}

static int views_queues(void)
{
	const struct views_party semaphore[] = {
		{ views_semaphore_body, &lab_views_semaphore, "lv-sem-w0" },
		{ views_semaphore_body, &lab_views_semaphore, "lv-sem-w1" },
	};
	const struct views_party completion[] = {
		{ views_completion_body, &lab_views_completion, "lv-compl-w0" },
		{ views_completion_body, &lab_views_completion, "lv-compl-w1" },
	};
	/* Others go to the front of a queue, exclusive ones to its end. */
	const struct views_party queue[] = {
		{ views_queue_body, &lab_views_queue, "lv-queue-w0" },
		{ views_queue_body, &lab_views_queue, "lv-queue-w1" },
		{ views_exclusive_body, &lab_views_queue, "lv-queue-x2" },
		{ views_exclusive_body, &lab_views_queue, "lv-queue-x3" },
	};
	int error;

	sema_init(&lab_views_semaphore, 0);
	error = views_lock("semaphore", "semaphore", &lab_views_semaphore, semaphore, 0, ARRAY_SIZE(semaphore), " count=0");
	if (!error)
		error = views_lock("completion", "completion", &lab_views_completion, completion, 0, ARRAY_SIZE(completion), " done=0");
	if (!error)
		error = views_lock("waitqueue", "waitqueue", &lab_views_queue, queue, 0, ARRAY_SIZE(queue), " exclusive=lv-queue-x2,lv-queue-x3");
	return error;
}

static int views_page_lock(void)
{
	const struct views_party waiters[] = {
		{ views_page_body, NULL, "lv-page-w0" },
		{ views_page_body, NULL, "lv-page-w1" },
	};
	struct views_party parties[2];
	unsigned int i;

	lab_views_page = alloc_page(GFP_KERNEL);
	if (!lab_views_page)
		return -ENOMEM;
	lock_page(lab_views_page);
	for (i = 0; i < 2; i++) {
		parties[i] = waiters[i];
		parties[i].lock = lab_views_page;
	}
	return views_lock("page", "folio", lab_views_page, parties, 0, 2, "");
}

static int views_chains(void)
{
	const struct views_party chain[] = {
		{ views_mutex_body, &lab_views_chain[1], "lv-chain-c" },
		{ views_middle_body, NULL, "lv-chain-b" },
		{ views_mutex_body, &lab_views_chain[0], "lv-chain-a" },
	};
	struct task_struct *cycle[3];
	char pids[64], name[16];
	int a, b, c;
	long i;

	for (i = 0; i < 2; i++)
		mutex_init(&lab_views_chain[i]);
	for (i = 0; i < 3; i++)
		mutex_init(&lab_views_cycle[i]);
	if (views_start(chain, ARRAY_SIZE(chain), pids, sizeof(pids)) || sscanf(pids, "%d,%d,%d", &c, &b, &a) != 3)
		return -ENOMEM;
	views_say("lock chain-1 %px kind=mutex holders=%d waiters=%d", &lab_views_chain[1], c, b);
	views_say("lock chain-0 %px kind=mutex holders=%d waiters=%d", &lab_views_chain[0], b, a);
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "lv-cycle-%ld", i);
		cycle[i] = kthread_run(views_cycle_body, (void *)i, "%s", name);
		if (IS_ERR(cycle[i]))
			return -ENOMEM;
		views_say("task %s %px pid=%d", name, cycle[i], cycle[i]->pid);
	}
	msleep(900);
	for (i = 0; i < 3; i++)
		views_say("lock cycle-%ld %px kind=mutex holders=%d waiters=%d cycle=1", i, &lab_views_cycle[i], cycle[i]->pid,
			  cycle[(i + 2) % 3]->pid);
	return 0;
}

static int views_spin_body(void *unused)
{
	rcu_read_lock();
	spin_lock(&lab_views_spinlock);
	spin_unlock(&lab_views_spinlock);
	rcu_read_unlock();
	return 0;
}

int views_locks_init(void)
{
	int error = views_simple_locks();

	if (!error)
		error = views_queues();
	if (!error)
		error = views_page_lock();
	if (!error)
		error = views_chains();
	if (error)
		return error;
	if (num_online_cpus() > 1) {
		views_spinner = kthread_create(views_spin_body, NULL, "lv-spin");
		if (IS_ERR(views_spinner))
			return PTR_ERR(views_spinner);
		kthread_bind(views_spinner, 1);
		/* User threads spin on that CPU too, some with a real-time policy. */
		sched_set_fifo(views_spinner);
	}
	/* Taken at the end by the task that dies; "lv-spin" then turns on it on CPU 1, inside rcu_read_lock(). */
	views_say("lock spinlock %px kind=spinlock holders=last waiters=lv-spin", &lab_views_spinlock);
	return 0;
}

void views_locks_last(void)
{
	spin_lock(&lab_views_spinlock);
	if (!views_spinner)
		return;
	wake_up_process(views_spinner);
	/* Until it turns; and long enough for a grace period to start and find that CPU in its way. */
	mdelay(200);
}
