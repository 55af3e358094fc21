// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors of every kind, files with known contents, locks.
 *   LABVIEW file NAME - fd=N ino=N kind=WORD path=TEXT|- [count=N] [size=N]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "views.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static int open_file(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0640);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	return fd;
}

static void plain_files(void)
{
	static const char text[] = "the lab's own file with known contents\n";
	int fd = open_file("/tmp/views.file", text), deleted = open_file("/tmp/views.deleted", text), locked = open_file("/tmp/views.locked", text);
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5 };
	int appending = open("/tmp/views.file", O_WRONLY | O_APPEND), directory = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	unlink("/tmp/views.deleted");
	say("file plain - fd=%d ino=%lu kind=file path=/tmp/views.file size=%zu", fd, inode_of(fd), sizeof(text) - 1);
	say("file appending - fd=%d ino=%lu kind=file path=/tmp/views.file flags=append", appending, inode_of(appending));
	say("file directory - fd=%d ino=%lu kind=directory path=/tmp", directory, inode_of(directory));
	say("file deleted - fd=%d ino=%lu kind=file path=/tmp/views.deleted deleted=1 size=%zu", deleted, inode_of(deleted), sizeof(text) - 1);
	must(!fcntl(locked, F_SETLK, &range) && !flock(fd, LOCK_EX), "lock files");
	say("filelock posix - fd=%d ino=%lu start=10 end=14 type=write", locked, inode_of(locked));
	say("filelock flock - fd=%d ino=%lu type=write", fd, inode_of(fd));
}

static void special_files(void)
{
	int pair[2], set = epoll_create1(0), fd;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 0x1234567890abcdefULL };
	struct itimerspec hour = { .it_value.tv_sec = 3600, .it_interval.tv_sec = 60 };
	struct io_uring_params parameters;
	sigset_t signals;

	must(!pipe(pair), "pipe");
	must(write(pair[1], "bytes in a pipe", 15) == 15, "pipe");
	say("file pipe-read - fd=%d ino=%lu kind=pipe size=15", pair[0], inode_of(pair[0]));
	say("file pipe-write - fd=%d ino=%lu kind=pipe", pair[1], inode_of(pair[1]));
	must(set >= 0 && !epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event), "epoll");
	say("file epoll - fd=%d ino=%lu kind=eventpoll watches=%d data=1234567890abcdef", set, inode_of(set), pair[0]);
	fd = eventfd(7, 0);
	say("file eventfd - fd=%d ino=%lu kind=eventfd count=7", fd, inode_of(fd));
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(fd, 0, &hour, NULL);
	say("file timerfd - fd=%d ino=%lu kind=timerfd seconds=3600 interval=60", fd, inode_of(fd));
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	fd = signalfd(-1, &signals, 0);
	say("file signalfd - fd=%d ino=%lu kind=signalfd mask=%x", fd, inode_of(fd), 1 << (SIGUSR2 - 1));
	fd = inotify_init1(0);
	inotify_add_watch(fd, "/tmp/views.file", IN_MODIFY);
	say("file inotify - fd=%d ino=%lu kind=inotify watch=/tmp/views.file", fd, inode_of(fd));
	fd = memfd_create("lab-views-memfd", 0);
	must(write(fd, "memfd contents", 14) == 14, "memfd");
	say("file memfd - fd=%d ino=%lu kind=memfd size=14 path=memfd:lab-views-memfd", fd, inode_of(fd));
	fd = syscall(SYS_pidfd_open, 1, 0);
	if (fd < 0)
		cannot("pidfd");
	else
		say("file pidfd - fd=%d ino=%lu kind=pidfd pid=1", fd, inode_of(fd));
	memset(&parameters, 0, sizeof(parameters));
	fd = syscall(425, 8, &parameters);
	if (fd < 0)
		cannot("io_uring");
	else
		say("file io_uring - fd=%d ino=%lu kind=io_uring entries=8", fd, inode_of(fd));
}

void make_files(void)
{
	plain_files();
	special_files();
}
