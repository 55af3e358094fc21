// SPDX-License-Identifier: Apache-2.0
/*
 * Processes and threads: stopped, zombie, in namespaces of their own, of every scheduling policy; and threads that spin once unleashed, so
 * that the run queue of CPU 1 is not empty.
 *   LABVIEW task NAME - pid=N policy=WORD nice=N|priority=N ...
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "views.h"

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int gate[2];

static void *sleeping(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* Waits at the gate, then spins. */
static void *spinning(void *unused)
{
	volatile unsigned long turns = 0;
	char byte;

	while (read(gate[0], &byte, 1) != 1)
		;
	for (;;)
		turns++;
	return unused;
}

static void policy(int tid, uint32_t policy, int nice, unsigned int priority, const char *name, const char *word)
{
	struct attributes attributes = { .size = sizeof(attributes), .policy = policy, .nice = nice, .priority = priority };

	if (policy == SCHED_DEADLINE) {
		attributes.runtime = 10000000;
		attributes.deadline = 50000000;
		attributes.period = 100000000;
	}
	if (syscall(SYS_sched_setattr, tid, &attributes, 0))
		cannot(word);
	say("task %s - pid=%d policy=%s nice=%d priority=%u", name, tid, word, nice, priority);
}

static void pin(int tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(tid, sizeof(set), &set))
		cannot("affinity");
}

static void policies(void)
{
	static const struct { const char *name; uint32_t policy; int nice; unsigned int priority; const char *word; } all[] = {
		{ "v-batch", SCHED_BATCH, 5, 0, "batch" }, { "v-idle", SCHED_IDLE, 0, 0, "idle" }, { "v-rr", SCHED_RR, 0, 7, "rr" },
		{ "v-fifo", SCHED_FIFO, 0, 42, "fifo" }, { "v-deadline", SCHED_DEADLINE, 0, 0, "deadline" },
	};
	static const struct { const char *name; uint32_t policy; int nice; unsigned int priority; const char *word; } spinners[] = {
		{ "v-spin-0", SCHED_OTHER, 0, 0, "other" }, { "v-spin-10", SCHED_OTHER, 10, 0, "other" }, { "v-spin-19", SCHED_OTHER, 19, 0, "other" },
		{ "v-spin-rt3", SCHED_FIFO, 0, 3, "fifo" }, { "v-spin-rt5", SCHED_RR, 0, 5, "rr" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		policy(start_thread(all[i].name, sleeping, NULL), all[i].policy, all[i].nice, all[i].priority, all[i].name, all[i].word);
	must(!pipe(gate), "gate");
	for (i = 0; i < sizeof(spinners) / sizeof(spinners[0]); i++) {
		int tid = start_thread(spinners[i].name, spinning, NULL);

		pin(tid, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0);
		policy(tid, spinners[i].policy, spinners[i].nice, spinners[i].priority, spinners[i].name, spinners[i].word);
	}
}

void unleash(void)
{
	must(write(gate[1], "12345", 5) == 5, "unleash");
}

static int in_namespaces(void *unused)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(7500) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)unused;
	prctl(PR_SET_NAME, "v-namespaces");
	sethostname("lab-inner", 9);
	if (bind(fd, (void *)&at, sizeof(at)))
		cannot("inner-udp");
	else
		say("udp inner - fd=%d ino=%lu local=0.0.0.0:7500 netns=own", fd, inode_of(fd));
	if (fork() == 0)
		prctl(PR_SET_NAME, "v-inner");
	for (;;)
		pause();
	return 0;
}

static void children(void)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	int pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NAME, "v-stopped");
		for (;;)
			pause();
	}
	usleep(20000);
	kill(pid, SIGSTOP);
	say("task v-stopped - pid=%d state=T", pid);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "v-zombie");
		_exit(3);
	}
	say("task v-zombie - pid=%d state=Z", pid);
	pid = clone(in_namespaces, stack + sizeof(stack), CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS | SIGCHLD, NULL);
	if (pid < 0)
		cannot("namespaces");
	else
		say("task v-namespaces - pid=%d namespaces=pid,net,uts,ipc,mnt inner=1 nodename=lab-inner", pid);
	usleep(50000);
}

void make_tasks(void)
{
	children();
	policies();
}
