// SPDX-License-Identifier: Apache-2.0
/*
 * TCP in every state that lasts, UDP, raw and netlink sockets, with known bytes in their queues.
 *   LABVIEW tcp NAME - fd=N ino=N state=WORD local=ADDRESS:PORT remote=ADDRESS:PORT rx=BYTES tx=BYTES
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "views.h"

static const char *const states[] = { "NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
				      "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV" };

static socklen_t address(struct sockaddr_storage *out, int family, const char *host, int port)
{
	memset(out, 0, sizeof(*out));
	if (family == AF_INET6) {
		struct sockaddr_in6 *six = (void *)out;

		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		inet_pton(AF_INET6, host, &six->sin6_addr);
		return sizeof(*six);
	}
	struct sockaddr_in *four = (void *)out;

	four->sin_family = AF_INET;
	four->sin_port = htons(port);
	inet_pton(AF_INET, host, &four->sin_addr);
	return sizeof(*four);
}

static void name_of(const struct sockaddr_storage *from, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const void *)from;

		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%d", host, ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const void *)from;

		inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%d", host, ntohs(four->sin_port));
	}
}

static void say_socket(const char *kind, const char *name, int fd, int tcp)
{
	struct sockaddr_storage local = { 0 }, remote = { 0 };
	socklen_t length = sizeof(local);
	char from[80], to[80] = "-";
	int rx = 0, tx = 0;
	struct tcp_info info = { 0 };

	getsockname(fd, (void *)&local, &length);
	name_of(&local, from, sizeof(from));
	length = sizeof(remote);
	if (!getpeername(fd, (void *)&remote, &length))
		name_of(&remote, to, sizeof(to));
	if (tcp) {
		length = sizeof(info);
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	}
	if (info.tcpi_state != TCP_LISTEN) {
		ioctl(fd, SIOCINQ, &rx);
		ioctl(fd, SIOCOUTQ, &tx);
	}
	say("%s %s - fd=%d ino=%lu state=%s local=%s remote=%s rx=%d tx=%d", kind, name, fd, inode_of(fd),
	    tcp ? states[info.tcpi_state] : "-", from, to, rx, tx);
}

static int listener(int family, const char *host, int port)
{
	struct sockaddr_storage to;
	socklen_t length = address(&to, family, host, port);
	int fd = socket(family, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(!bind(fd, (void *)&to, length) && !listen(fd, 5), "listen");
	return fd;
}

static int connected(int family, const char *host, int port)
{
	struct sockaddr_storage to;
	socklen_t length = address(&to, family, host, port);
	int fd = socket(family, SOCK_STREAM, 0);

	must(!connect(fd, (void *)&to, length), "connect");
	return fd;
}

/* Write until neither queue takes more. */
static void fill(int fd)
{
	char block[4096];
	int tries;

	memset(block, 'F', sizeof(block));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (tries = 0; tries < 5; tries++) {
		while (write(fd, block, sizeof(block)) > 0)
			;
		usleep(20000);
	}
}

static void tcp_pairs(int family, const char *host, int port, const char *suffix)
{
	int small = 4096, listening = listener(family, host, port), ends[2];
	char name[40];
	struct pollfd waiting;

	setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	snprintf(name, sizeof(name), "quiet-client%s", suffix);
	ends[0] = connected(family, host, port);
	ends[1] = accept(listening, NULL, NULL);
	must(write(ends[0], "hello from the client", 21) == 21, "write");
	usleep(20000);
	say_socket("tcp", name, ends[0], 1);
	snprintf(name, sizeof(name), "unread%s", suffix);
	say_socket("tcp", name, ends[1], 1);

	ends[0] = connected(family, host, port);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ends[1] = accept(listening, NULL, NULL);
	fill(ends[0]);
	snprintf(name, sizeof(name), "full-sender%s", suffix);
	say_socket("tcp", name, ends[0], 1);
	snprintf(name, sizeof(name), "full-receiver%s", suffix);
	say_socket("tcp", name, ends[1], 1);

	ends[0] = connected(family, host, port);
	ends[1] = accept(listening, NULL, NULL);
	shutdown(ends[0], SHUT_WR);
	usleep(20000);
	snprintf(name, sizeof(name), "half-closed%s", suffix);
	say_socket("tcp", name, ends[0], 1);
	snprintf(name, sizeof(name), "close-wait%s", suffix);
	say_socket("tcp", name, ends[1], 1);

	/* Two that nobody accepts. */
	snprintf(name, sizeof(name), "backlog%s", suffix);
	say_socket("tcp", name, connected(family, host, port), 1);
	say_socket("tcp", name, connected(family, host, port), 1);
	waiting = (struct pollfd){ .fd = listening, .events = POLLIN };
	poll(&waiting, 1, 1000);
	snprintf(name, sizeof(name), "listener%s", suffix);
	say_socket("tcp", name, listening, 1);
}

static void tcp_time_wait(void)
{
	int listening = listener(AF_INET, "127.0.0.1", 7100), client = connected(AF_INET, "127.0.0.1", 7100);
	int server = accept(listening, NULL, NULL);
	struct sockaddr_storage local;
	socklen_t length = sizeof(local);
	char from[80], byte;

	getsockname(client, (void *)&local, &length);
	name_of(&local, from, sizeof(from));
	close(client);
	while (read(server, &byte, 1) > 0)
		;
	close(server);
	say("tcp time-wait - fd=-1 ino=0 state=TIME_WAIT local=%s remote=127.0.0.1:7100 rx=0 tx=0", from);
}

/* To a neighbour that never answers. */
static void tcp_syn_sent(void)
{
	struct sockaddr_storage to;
	socklen_t length = address(&to, AF_INET, "10.77.0.99", 7200);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (connect(fd, (void *)&to, length) && errno == EINPROGRESS)
		say_socket("tcp", "syn-sent", fd, 1);
	else
		cannot("syn-sent");
}

static int bound_udp(int family, const char *host, int port)
{
	struct sockaddr_storage at;
	socklen_t length = address(&at, family, host, port);
	int fd = socket(family, SOCK_DGRAM, 0);

	must(!bind(fd, (void *)&at, length), "udp");
	return fd;
}

static void udp(int family, const char *host, int port, const char *name)
{
	int receiver = bound_udp(family, host, port), sender = socket(family, SOCK_DGRAM, 0), i;
	struct sockaddr_storage to;
	socklen_t length = address(&to, family, host, port);
	char text[40];

	for (i = 0; i < 3; i++) {
		int size = snprintf(text, sizeof(text), "datagram %d of three", i);

		must(sendto(sender, text, size, 0, (void *)&to, length) == size, "sendto");
	}
	usleep(20000);
	say_socket("udp", name, receiver, 0);
	say("queue %s - ino=%lu packets=3 payload=datagram_N_of_three", name, inode_of(receiver));
	must(!connect(sender, (void *)&to, length), "connect udp");
	snprintf(text, sizeof(text), "%s-connected", name);
	say_socket("udp", text, sender, 0);
}

/* Echo requests that nobody reads. */
static void raw(void)
{
	int receiver = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct sockaddr_storage to;
	socklen_t length = address(&to, AF_INET, "127.0.0.1", 0);
	struct icmphdr echo = { .type = ICMP_ECHO, .checksum = 0xfff7 };

	must(receiver >= 0, "raw");
	must(sendto(receiver, &echo, sizeof(echo), 0, (void *)&to, length) == sizeof(echo), "icmp");
	usleep(20000);
	say_socket("raw", "icmp", receiver, 0);
}

static void netlink(void)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = { .header = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	socklen_t length = sizeof(at);

	must(!bind(fd, (void *)&at, sizeof(at)), "netlink");
	must(send(fd, &request, sizeof(request), 0) == sizeof(request), "netlink dump");
	usleep(20000);
	getsockname(fd, (void *)&at, &length);
	say("netlink route - fd=%d ino=%lu portid=%u groups=%08x", fd, inode_of(fd), at.nl_pid, at.nl_groups);
	fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
	at = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_groups = 1 };
	must(!bind(fd, (void *)&at, sizeof(at)), "netlink uevent");
	length = sizeof(at);
	getsockname(fd, (void *)&at, &length);
	say("netlink uevent - fd=%d ino=%lu portid=%u groups=%08x", fd, inode_of(fd), at.nl_pid, at.nl_groups);
}

/* A permanent neighbour on the dummy device. */
static void neighbour(int family, const char *host)
{
	static const unsigned char hardware[6] = { 2, 0, 0, 0, 0x77, 7 };
	struct {
		struct nlmsghdr header;
		struct ndmsg message;
		char attributes[64];
	} request = { .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg)), .nlmsg_type = RTM_NEWNEIGH,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK },
		      .message = { .ndm_family = family, .ndm_ifindex = if_nametoindex("dummy0"), .ndm_state = NUD_PERMANENT } };
	struct rtattr *attribute = (void *)((char *)&request + request.header.nlmsg_len);
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;

	attribute->rta_type = NDA_DST;
	attribute->rta_len = RTA_LENGTH(family == AF_INET ? 4 : 16);
	inet_pton(family, host, RTA_DATA(attribute));
	request.header.nlmsg_len += RTA_ALIGN(attribute->rta_len);
	attribute = (void *)((char *)&request + request.header.nlmsg_len);
	attribute->rta_type = NDA_LLADDR;
	attribute->rta_len = RTA_LENGTH(6);
	memcpy(RTA_DATA(attribute), hardware, 6);
	request.header.nlmsg_len += RTA_ALIGN(attribute->rta_len);
	must(send(fd, &request, request.header.nlmsg_len, 0) > 0 && recv(fd, &answer, sizeof(answer), 0) > 0, "neighbour");
	if (answer.error.error)
		cannot("neighbour");
	else
		say("neigh %s - device=dummy0 lladdr=02:00:00:00:77:07 state=PERMANENT", host);
	close(fd);
}

static int has_family(int family, const char *word)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	if (fd < 0)
		cannot(word);
	else
		close(fd);
	return fd >= 0;
}

/* Kernels built for other purposes may have no networks. */
void make_sockets(void)
{
	if (!has_family(AF_INET, "inet") || !has_family(AF_INET6, "inet6"))
		return;
	neighbour(AF_INET, "10.77.0.7");
	neighbour(AF_INET6, "fd77::7");
	tcp_pairs(AF_INET, "127.0.0.1", 7000, "");
	tcp_pairs(AF_INET6, "::1", 7006, "6");
	tcp_time_wait();
	tcp_syn_sent();
	udp(AF_INET, "127.0.0.1", 7300, "udp");
	udp(AF_INET6, "::1", 7306, "udp6");
	raw();
	netlink();
}
