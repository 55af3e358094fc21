// SPDX-License-Identifier: Apache-2.0
/*
 * System V objects with contents and waiters, signals pending and blocked, POSIX and interval timers.
 *   LABVIEW shm|sem|msg NAME ADDRESS id=N key=HEX ...
 *   LABVIEW signal NAME - tid=N blocked=HEX pending=HEX shared=HEX
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "views.h"

struct message {
	long type;
	char text[4000];
};

static int queue, semaphores;

static void *wait_for_message(void *unused)
{
	struct message message;

	msgrcv(queue, &message, sizeof(message.text), 99, 0);
	return unused;
}

static void *wait_for_semaphore(void *unused)
{
	struct sembuf down = { .sem_num = 2, .sem_op = -1 };

	semop(semaphores, &down, 1);
	return unused;
}

void make_ipc(void)
{
	static const size_t lengths[] = { 10, 1000, 4000 };
	unsigned short values[3] = { 3, 1, 0 };
	struct message message;
	char *attached;
	unsigned int i;
	int id = shmget(0x1ab, 3 * 4096, IPC_CREAT | 0640), removed = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);

	if (id < 0 || removed < 0) {
		cannot("sysvipc");
		return;
	}
	attached = shmat(id, NULL, 0);
	strcpy(attached, "shared memory of the lab");
	say("shm keyed %lx id=%d key=1ab size=12288 mode=640 attached=1", (unsigned long)attached, id);
	attached = shmat(removed, NULL, 0);
	strcpy(attached, "removed while attached");
	shmctl(removed, IPC_RMID, NULL);
	say("shm removed %lx id=%d key=0 size=8192 mode=600 attached=1 dest=1", (unsigned long)attached, removed);
	id = shmget(0x1ac, 100 * 4096, IPC_CREAT | 0600);
	say("shm unattached - id=%d key=1ac size=409600 mode=600 attached=0", id);

	semaphores = semget(0x5e3, 3, IPC_CREAT | 0644);
	must(semaphores >= 0 && !semctl(semaphores, 0, SETALL, values), "semget");
	say("sem keyed - id=%d key=5e3 count=3 values=3,1,0 waiter=%d", semaphores, start_thread("v-semop", wait_for_semaphore, NULL));

	queue = msgget(0x359, IPC_CREAT | 0622);
	must(queue >= 0, "msgget");
	for (i = 0; i < 3; i++) {
		message.type = i + 1;
		memset(message.text, 'A' + i, sizeof(message.text));
		must(!msgsnd(queue, &message, lengths[i], 0), "msgsnd");
	}
	say("msg keyed - id=%d key=359 messages=3 bytes=5010 types=1,2,3 waiter=%d", queue, start_thread("v-msgrcv", wait_for_message, NULL));
}

static void handler(int signal)
{
	(void)signal;
}

static void action(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
}

static volatile int blocked_ready;

static void *blocked_thread(void *unused)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGRTMIN + 2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	blocked_ready = 1;
	for (;;)
		pause();
	return unused;
}

void make_signals(void)
{
	struct sigaction plain = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct sigaction full = { .sa_sigaction = action, .sa_flags = SA_SIGINFO | SA_NODEFER };
	union sigval value = { .sival_int = 4711 };
	sigset_t set;
	int tid;

	sigaddset(&plain.sa_mask, SIGTERM);
	sigaction(SIGUSR1, &plain, NULL);
	sigaction(SIGUSR2, &full, NULL);
	signal(SIGPIPE, SIG_IGN);
	say("sigaction usr1 %lx signal=%d flags=restart mask=TERM", (unsigned long)handler, SIGUSR1);
	say("sigaction usr2 %lx signal=%d flags=siginfo,nodefer", (unsigned long)action, SIGUSR2);
	say("sigaction pipe 1 signal=%d ignored=1", SIGPIPE);
	tid = start_thread("v-blocked", blocked_thread, NULL);
	while (!blocked_ready)
		usleep(1000);
	/* Every other thread of the process blocks them too, or the signals for the process would be taken. */
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigaddset(&set, SIGRTMIN + 3);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	syscall(SYS_tgkill, getpid(), tid, SIGHUP);
	syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN + 3);
	say("signal thread - tid=%d pending=HUP blocked=HUP,RTMIN+2", tid);
	say("signal main - tid=%d pending=RTMIN+3 blocked=RTMIN+2,RTMIN+3,RTMIN+8,RTMIN+9,RTMIN+10", getpid());
	if (fork() == 0) {
		int i;

		sigemptyset(&set);
		for (i = SIGRTMIN; i < SIGRTMIN + 4; i++)
			sigaddset(&set, i);
		sigaddset(&set, SIGQUIT);
		sigprocmask(SIG_SETMASK, &set, NULL);
		for (i = 0; i < 3; i++) {
			value.sival_int = 4711 + i;
			sigqueue(getpid(), SIGRTMIN + 1, value);
		}
		kill(getpid(), SIGQUIT);
		say("signal process - tid=%d shared=QUIT,RTMIN+1 queued=3 values=4711,4712,4713", getpid());
		for (;;)
			pause();
	}
}

void make_timers(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 42 };
	struct itimerspec when = { .it_value = { 3000, 500 }, .it_interval = { 10, 0 } };
	struct itimerval later = { .it_value = { 5000, 0 }, .it_interval = { 7, 0 } };
	timer_t timer;

	must(!timer_create(CLOCK_MONOTONIC, &event, &timer) && !timer_settime(timer, 0, &when, NULL), "posix timer");
	say("posixtimer monotonic - id=%d signal=%d value=42 seconds=3000 interval=10", (int)(long)timer, SIGRTMIN + 1);
	event.sigev_notify = SIGEV_NONE;
	must(!timer_create(CLOCK_REALTIME, &event, &timer) && !timer_settime(timer, 0, &when, NULL), "posix timer");
	say("posixtimer realtime - id=%d notify=none seconds=3000 interval=10", (int)(long)timer);
	must(!setitimer(ITIMER_REAL, &later, NULL), "itimer");
	say("itimer real - seconds=5000 interval=7");
}
