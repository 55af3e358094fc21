// SPDX-License-Identifier: Apache-2.0
/*
 * AF_PACKET sockets on lo: TPACKET_V1, V2 and V3 receive rings with captured UDP packets, some frames already given back to the kernel; a
 * transmit ring; a socket without ring. Sockets that have captured enough are closed to more by a filter.
 *   LABVIEW packet NAME ADDRESS fd=N ino=N version=0|1|2|- block_size=N blocks=N frame_size=N frames=N tx=0|1
 *   LABVIEW frame NAME ADDRESS ring=NAME index=N owner=user|kernel len=N snaplen=N mac=OFFSET bytes=HEX
 *   LABVIEW block NAME ADDRESS ring=NAME index=N owner=user|kernel packets=N seq=N
 * with the bytes beginning at the packet's Ethernet header.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "views.h"

#define BLOCK 16384
#define BLOCKS 4
#define FRAME 2048
#define PACKETS 6

static void filter(int fd, struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = { length, code };

	must(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), "filter");
}

static void send_packets(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), i;
	char text[300];

	for (i = 0; i < PACKETS; i++) {
		int length = snprintf(text, sizeof(text), "captured packet %d to port %d", i, port);

		/* Of different lengths. */
		memset(text + length, 'a' + i, i * 40);
		must(sendto(fd, text, length + i * 40, 0, (void *)&to, sizeof(to)) > 0, "send packets");
	}
	close(fd);
	usleep(30000);
}

/* A socket that sees outgoing and incoming UDP packets to one port of lo. */
static int packet_socket(int port)
{
	struct sock_filter code[] = {
		/* From the Ethernet header: IPv4? UDP? destination port? */
		{ BPF_LD | BPF_H | BPF_ABS, 0, 0, 12 },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 5, ETH_P_IP },
		{ BPF_LD | BPF_B | BPF_ABS, 0, 0, 23 },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 3, IPPROTO_UDP },
		{ BPF_LD | BPF_H | BPF_ABS, 0, 0, 36 },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, port },
		{ BPF_RET | BPF_K, 0, 0, 65535 },
		{ BPF_RET | BPF_K, 0, 0, 0 },
	};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	must(fd >= 0, "packet socket");
	filter(fd, code, sizeof(code) / sizeof(code[0]));
	return fd;
}

static void bind_to_lo(int fd)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = if_nametoindex("lo") };

	must(!bind(fd, (void *)&at, sizeof(at)), "bind packet");
}

static void close_filter(int fd)
{
	struct sock_filter none = { BPF_RET | BPF_K, 0, 0, 0 };

	filter(fd, &none, 1);
}

static void hex(const unsigned char *bytes, unsigned int length, char *text)
{
	unsigned int i;

	for (i = 0; i < length && i < 100; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * i] = 0;
}

static unsigned char *map_ring(int fd, int version, int option, void *request, size_t length, size_t size)
{
	unsigned char *ring;

	must(!setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)), "packet version");
	must(!setsockopt(fd, SOL_PACKET, option, request, length), "packet ring");
	ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(ring != MAP_FAILED, "map ring");
	return ring;
}

static void say_ring(const char *name, unsigned char *ring, int fd, int version, int tx)
{
	say("packet %s %lx fd=%d ino=%lu version=%d block_size=%d blocks=%d frame_size=%d frames=%d tx=%d", name, (unsigned long)ring, fd,
	    inode_of(fd), version, BLOCK, BLOCKS, FRAME, BLOCK / FRAME * BLOCKS, tx);
}

/* V1 and V2: a frame's header tells who owns it. */
static void frames(const char *name, int version, int port)
{
	struct tpacket_req request = { BLOCK, BLOCKS, FRAME, BLOCK / FRAME * BLOCKS };
	int fd = packet_socket(port), i;
	unsigned char *ring = map_ring(fd, version, PACKET_RX_RING, &request, sizeof(request), BLOCK * BLOCKS);
	char text[220];

	bind_to_lo(fd);
	send_packets(port);
	close_filter(fd);
	say_ring(name, ring, fd, version, 0);
	/* Give the first two back. */
	for (i = 0; i < 2; i++) {
		if (version == TPACKET_V1)
			((struct tpacket_hdr *)(ring + i * FRAME))->tp_status = TP_STATUS_KERNEL;
		else
			((struct tpacket2_hdr *)(ring + i * FRAME))->tp_status = TP_STATUS_KERNEL;
	}
	for (i = 0; i < BLOCK / FRAME * BLOCKS; i++) {
		unsigned char *frame = ring + i * FRAME;
		struct tpacket_hdr *one = (void *)frame;
		struct tpacket2_hdr *two = (void *)frame;
		unsigned long status = version == TPACKET_V1 ? one->tp_status : two->tp_status;
		unsigned int length = version == TPACKET_V1 ? one->tp_len : two->tp_len;
		unsigned int snaplen = version == TPACKET_V1 ? one->tp_snaplen : two->tp_snaplen;
		unsigned int mac = version == TPACKET_V1 ? one->tp_mac : two->tp_mac;

		if (!length)
			continue;
		hex(frame + mac, snaplen, text);
		say("frame %s-%d %lx ring=%s index=%d owner=%s status=%lu len=%u snaplen=%u mac=%u bytes=%s", name, i, (unsigned long)frame, name, i,
		    status & TP_STATUS_USER ? "user" : "kernel", status, length, snaplen, mac, text);
	}
}

/* V3: a block at a time, packets in it chained. */
static void blocks(const char *name, int port)
{
	struct tpacket_req3 request = { BLOCK, BLOCKS, FRAME, BLOCK / FRAME * BLOCKS, 50, 0, 0 };
	int fd = packet_socket(port), i;
	unsigned char *ring = map_ring(fd, TPACKET_V3, PACKET_RX_RING, &request, sizeof(request), BLOCK * BLOCKS);
	unsigned int packet;
	char text[220];

	bind_to_lo(fd);
	/* The kernel closes a block some 50 ms after its first packet: two blocks, the first given back. */
	send_packets(port);
	usleep(400000);
	send_packets(port);
	usleep(400000);
	close_filter(fd);
	say_ring(name, ring, fd, TPACKET_V3, 0);
	((struct tpacket_block_desc *)ring)->hdr.bh1.block_status = TP_STATUS_KERNEL;
	for (i = 0; i < BLOCKS; i++) {
		struct tpacket_block_desc *block = (void *)(ring + i * BLOCK);
		struct tpacket3_hdr *header = (void *)((unsigned char *)block + block->hdr.bh1.offset_to_first_pkt);

		say("block %s-%d %lx ring=%s index=%d owner=%s packets=%u seq=%llu", name, i, (unsigned long)block, name, i,
		    block->hdr.bh1.block_status & TP_STATUS_USER ? "user" : "kernel", block->hdr.bh1.num_pkts,
		    (unsigned long long)block->hdr.bh1.seq_num);
		for (packet = 0; packet < block->hdr.bh1.num_pkts; packet++) {
			hex((unsigned char *)header + header->tp_mac, header->tp_snaplen, text);
			say("frame %s-%d-%u %lx ring=%s block=%d index=%u len=%u snaplen=%u mac=%u sec=%u nsec=%u bytes=%s", name, i, packet,
			    (unsigned long)header, name, i, packet, header->tp_len, header->tp_snaplen, header->tp_mac, header->tp_sec,
			    header->tp_nsec, text);
			header = (void *)((unsigned char *)header + header->tp_next_offset);
		}
	}
}

/* Two frames asked to be sent, and never sent. */
static void transmit(const char *name)
{
	struct tpacket_req request = { BLOCK, BLOCKS, FRAME, BLOCK / FRAME * BLOCKS };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), i;
	unsigned char *ring = map_ring(fd, TPACKET_V2, PACKET_TX_RING, &request, sizeof(request), BLOCK * BLOCKS);

	for (i = 0; i < 2; i++) {
		struct tpacket2_hdr *header = (void *)(ring + i * FRAME);

		header->tp_len = 64;
		memset((unsigned char *)header + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), 0x70 + i, 64);
		header->tp_status = TP_STATUS_SEND_REQUEST;
	}
	say_ring(name, ring, fd, TPACKET_V2, 1);
}

/* Without a ring packets wait in the socket's queue. */
static void queued(void)
{
	int fd = packet_socket(7404);

	bind_to_lo(fd);
	send_packets(7404);
	close_filter(fd);
	say("packet plain - fd=%d ino=%lu version=- packets=%d", fd, inode_of(fd), 2 * PACKETS);
}

void make_packet_sockets(void)
{
	/* Somebody must listen, or lo carries the ICMP errors too. */
	static const int ports[] = { 7401, 7402, 7403, 7404 };
	unsigned int i;
	int any = socket(AF_PACKET, SOCK_RAW, 0);

	if (any < 0) {
		cannot("packet");
		return;
	}
	close(any);
	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(ports[i]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		must(!bind(fd, (void *)&at, sizeof(at)), "port");
		say("udp sink-%d - fd=%d ino=%lu", ports[i], fd, inode_of(fd));
	}
	frames("v1", TPACKET_V1, 7401);
	frames("v2", TPACKET_V2, 7402);
	blocks("v3", 7403);
	transmit("tx2");
	queued();
}
