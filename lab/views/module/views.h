/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lab_views builds objects of every kind that a view shows, leaves them standing, and tells of each in /proc/lab_views:
 *
 *   LABVIEW kind name address key=value ...
 *
 * Addresses are plain hex, numbers decimal, process ids "pid=", lists of them "waiters=12,13" in the order of queueing ("-" when empty).
 */
#ifndef LAB_VIEWS_H
#define LAB_VIEWS_H

#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/sched.h>
#include <linux/version.h>

/* One line of truth, without "LABVIEW " and newline. */
__printf(1, 2) void views_say(const char *fmt, ...);

/* A kernel thread that has started and come to sleep. */
struct task_struct *views_sleeper(int (*body)(void *), void *argument, const char *name);

/* Sleep for good: what a thread does that only has to hold something. */
void views_sleep_forever(void);

int views_containers_init(void);
int views_memory_init(void);
int views_slab_init(unsigned long many);
int views_locks_init(void);
int views_time_init(void);

/* Immediately before the end. */
void views_memory_last(void);
void views_slab_last(void);
void views_locks_last(void);
void views_time_last(void);

#endif
