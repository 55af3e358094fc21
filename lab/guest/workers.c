// SPDX-License-Identifier: Apache-2.0
/*
 * A user process that sleeps in as many ways as a process can: one named thread per way. Statically linked, runs in the lab's guests.
 * Thread names say where each sleeps, so that a test can check a stack by name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int quiet_pipe[2];
static int quiet_sockets[2];
static int futex_word = 0;

static void *in_pipe_read(void *unused)
{
	char byte;

	prctl(PR_SET_NAME, "w-pipe");
	while (read(quiet_pipe[0], &byte, 1) != 1)
		;
	return unused;
}

static void *in_poll(void *unused)
{
	struct pollfd fd = { .fd = quiet_pipe[0], .events = POLLPRI };

	prctl(PR_SET_NAME, "w-poll");
	while (poll(&fd, 1, -1) < 1)
		;
	return unused;
}

static void *in_epoll(void *unused)
{
	struct epoll_event event = { .events = EPOLLPRI };
	int set = epoll_create1(0);

	prctl(PR_SET_NAME, "w-epoll");
	epoll_ctl(set, EPOLL_CTL_ADD, quiet_sockets[0], &event);
	while (epoll_wait(set, &event, 1, -1) < 1)
		;
	return unused;
}

static void *in_nanosleep(void *unused)
{
	prctl(PR_SET_NAME, "w-nanosleep");
	for (;;)
		sleep(1000);
	return unused;
}

static void *in_futex(void *unused)
{
	prctl(PR_SET_NAME, "w-futex");
	for (;;)
		syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return unused;
}

static void *in_socket(void *unused)
{
	char byte;

	prctl(PR_SET_NAME, "w-socket");
	while (recv(quiet_sockets[1], &byte, 1, 0) != 1)
		;
	return unused;
}

int main(int argc, char **argv)
{
	void *(*ways[])(void *) = { in_pipe_read, in_poll, in_epoll, in_nanosleep, in_futex, in_socket };
	pthread_attr_t attributes;
	char *anonymous;

	(void)argc;
	(void)argv;
	if (pipe(quiet_pipe) || socketpair(AF_UNIX, SOCK_STREAM, 0, quiet_sockets))
		return 1;
	anonymous = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (anonymous == MAP_FAILED)
		return 1;
	memset(anonymous, 'i', 1 << 20);
	strcpy(anonymous, "inquest lab worker heap");
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 * 1024);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attributes, ways[i], NULL))
			return 1;
	}
	for (;;)
		pause();
}
