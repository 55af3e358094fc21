// SPDX-License-Identifier: Apache-2.0
/*
 * UNIX sockets: named, abstract and nameless, with queued bytes, datagrams, a descriptor in flight and connections not yet accepted.
 *   LABVIEW unix NAME - fd=N ino=N type=stream|dgram|seqpacket path=TEXT|- peer=INO rx=BYTES
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "views.h"

static void say_unix(const char *name, int fd, const char *type, const char *path, int peer)
{
	int rx = 0;

	ioctl(fd, SIOCINQ, &rx);
	say("unix %s - fd=%d ino=%lu type=%s path=%s peer=%lu rx=%d", name, fd, inode_of(fd), type, path, peer < 0 ? 0 : inode_of(peer), rx);
}

static socklen_t unix_address(struct sockaddr_un *at, const char *path)
{
	memset(at, 0, sizeof(*at));
	at->sun_family = AF_UNIX;
	strncpy(at->sun_path, path, sizeof(at->sun_path) - 1);
	/* "@name" is abstract. */
	if (path[0] == '@')
		at->sun_path[0] = 0;
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] != '@');
}

static void stream(const char *name, const char *path)
{
	struct sockaddr_un at;
	socklen_t length = unix_address(&at, path);
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), waiting = socket(AF_UNIX, SOCK_STREAM, 0);
	int server;
	char text[60];

	must(!bind(listening, (void *)&at, length) && !listen(listening, 3), "unix listen");
	must(!connect(client, (void *)&at, length), "unix connect");
	server = accept(listening, NULL, NULL);
	must(!connect(waiting, (void *)&at, length), "unix connect");
	must(write(client, "queued on a unix stream", 23) == 23, "unix write");
	snprintf(text, sizeof(text), "%s-listener", name);
	say("unix %s - fd=%d ino=%lu type=stream path=%s backlog=1", text, listening, inode_of(listening), path);
	snprintf(text, sizeof(text), "%s-client", name);
	say_unix(text, client, "stream", "-", server);
	snprintf(text, sizeof(text), "%s-server", name);
	say_unix(text, server, "stream", path, client);
	snprintf(text, sizeof(text), "%s-waiting", name);
	say("unix %s - fd=%d ino=%lu type=stream path=-", text, waiting, inode_of(waiting));
}

/* A descriptor that only a queue refers to. */
static void in_flight(void)
{
	int pair[2], passed = socket(AF_UNIX, SOCK_DGRAM, 0);
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { "fd", 2 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	must(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &passed, sizeof(int));
	must(sendmsg(pair[0], &message, 0) == 2, "sendmsg");
	say("inflight socket - ino=%lu queue=%lu", inode_of(passed), inode_of(pair[1]));
	close(passed);
	say_unix("passing-from", pair[0], "dgram", "-", pair[1]);
	say_unix("passing-to", pair[1], "dgram", "-", pair[0]);
}

void make_unix_sockets(void)
{
	int pair[2], i;
	struct sockaddr_un at;
	socklen_t length = unix_address(&at, "/tmp/views.dgram");
	int dgram = socket(AF_UNIX, SOCK_DGRAM, 0), sender = socket(AF_UNIX, SOCK_DGRAM, 0);

	stream("named", "/tmp/views.stream");
	stream("abstract", "@lab-views-abstract");
	must(!bind(dgram, (void *)&at, length), "unix dgram");
	for (i = 0; i < 4; i++)
		must(sendto(sender, "one unix datagram", 17, 0, (void *)&at, length) == 17, "unix sendto");
	say("queue dgram - ino=%lu packets=4 payload=one_unix_datagram", inode_of(dgram));
	say_unix("dgram", dgram, "dgram", "/tmp/views.dgram", -1);
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), "seqpacket");
	must(write(pair[0], "in sequence", 11) == 11, "seqpacket");
	say_unix("seqpacket-0", pair[0], "seqpacket", "-", pair[1]);
	say_unix("seqpacket-1", pair[1], "seqpacket", "-", pair[0]);
	in_flight();
}
