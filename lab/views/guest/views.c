// SPDX-License-Identifier: Apache-2.0
/* See views.h; with arguments it is a tool for the scripts. Stages that need the script between them are asked for by real-time signals. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "views.h"

void say(const char *format, ...)
{
	va_list arguments;

	fputs("LABVIEW ", stdout);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "views: %s: %s\n", what, strerror(errno));
	exit(1);
}

void cannot(const char *what)
{
	say("missing %s - errno=%d", what, errno);
}

unsigned long inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) ? 0 : status.st_ino;
}

struct start {
	const char *name;
	void *(*body)(void *);
	void *argument;
	volatile int tid;
};

static void *begin(void *argument)
{
	struct start start = *(struct start *)argument;

	prctl(PR_SET_NAME, start.name);
	((struct start *)argument)->tid = syscall(SYS_gettid);
	return start.body(start.argument);
}

int start_thread(const char *name, void *(*body)(void *), void *argument)
{
	struct start start = { name, body, argument, 0 };
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 * 1024);
	must(!pthread_create(&thread, &attributes, begin, &start), "thread");
	while (!start.tid)
		usleep(1000);
	return start.tid;
}

int main(int argc, char **argv)
{
	sigset_t stages;
	int stage;

	if (argc > 1)
		return run_tool(argc, argv);
	sigemptyset(&stages);
	for (stage = 0; stage < 3; stage++)
		sigaddset(&stages, SIGRTMIN + 8 + stage);
	sigprocmask(SIG_BLOCK, &stages, NULL);
	say("process views - pid=%d", getpid());
	make_tasks();
	make_files();
	make_ipc();
	make_sockets();
	make_unix_sockets();
	make_packet_sockets();
	make_timers();
	make_memory();
	make_bpf();
	make_signals();
	say("stage ready - number=0");
	for (;;) {
		if (sigwait(&stages, &stage))
			continue;
		stage -= SIGRTMIN + 8;
		if (stage == 0)
			make_swapped("disk");
		else if (stage == 1)
			make_swapped("zram");
		else
			unleash();
		say("stage done - number=%d", stage + 1);
	}
}
