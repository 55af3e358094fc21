// SPDX-License-Identifier: Apache-2.0
/*
 * bpf maps with contents and a socket filter program that uses one, by the bpf system call alone.
 *   LABVIEW bpfmap NAME - id=N type=N key=N value=N max=N entries=K:V,...
 *   LABVIEW bpfprog NAME - id=N type=N tag=HEX maps=ID attached=INO
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <netinet/in.h>
#include <stdio.h>
#include "views.h"

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

static long bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int map(const char *name, int type, unsigned int max, const uint32_t *keys, const uint64_t *values, int count)
{
	union bpf_attr attributes;
	struct bpf_map_info info;
	int fd, i;

	memset(&attributes, 0, sizeof(attributes));
	attributes.map_type = type;
	attributes.key_size = 4;
	attributes.value_size = 8;
	attributes.max_entries = max;
	strcpy(attributes.map_name, name);
	fd = bpf(BPF_MAP_CREATE, &attributes);
	if (fd < 0) {
		cannot(name);
		return -1;
	}
	for (i = 0; i < count; i++) {
		memset(&attributes, 0, sizeof(attributes));
		attributes.map_fd = fd;
		attributes.key = (uintptr_t)&keys[i];
		attributes.value = (uintptr_t)&values[i];
		must(!bpf(BPF_MAP_UPDATE_ELEM, &attributes), "bpf update");
	}
	memset(&attributes, 0, sizeof(attributes));
	memset(&info, 0, sizeof(info));
	attributes.info.bpf_fd = fd;
	attributes.info.info_len = sizeof(info);
	attributes.info.info = (uintptr_t)&info;
	must(!bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes), "bpf map info");
	say("bpfmap %s - id=%u type=%d key=4 value=8 max=%u entries=%d fd=%d", name, info.id, type, max, count, fd);
	return fd;
}

void make_bpf(void)
{
	static const uint32_t keys[] = { 1, 2, 3 };
	static const uint64_t values[] = { 0x1111, 0x2222, 0x3333 };
	int hash = map("lab_hash", BPF_MAP_TYPE_HASH, 64, keys, values, 3), array = map("lab_array", BPF_MAP_TYPE_ARRAY, 16, keys, values, 3);
	struct bpf_insn code[] = {
		/* r1 = the map; *(u32 *)(r10 - 4) = 1; r2 = r10 - 4; map_lookup_elem(r1, r2); return the whole packet */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = hash },
		{ 0 },
		{ .code = BPF_ST | BPF_W | BPF_MEM, .dst_reg = BPF_REG_10, .off = -4, .imm = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 65535 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(7600), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd, filtered = socket(AF_INET, SOCK_DGRAM, 0);
	struct bpf_prog_info info;
	union bpf_attr attributes;
	uint32_t maps[4] = { 0 };

	if (hash < 0 || array < 0)
		return;
	memset(&attributes, 0, sizeof(attributes));
	attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attributes.insns = (uintptr_t)code;
	attributes.insn_cnt = sizeof(code) / sizeof(code[0]);
	attributes.license = (uintptr_t)"GPL";
	strcpy(attributes.prog_name, "lab_filter");
	fd = bpf(BPF_PROG_LOAD, &attributes);
	if (fd < 0) {
		cannot("bpfprog");
		return;
	}
	must(!bind(filtered, (void *)&at, sizeof(at)), "bpf socket");
	must(!setsockopt(filtered, SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof(fd)), "attach bpf");
	memset(&attributes, 0, sizeof(attributes));
	memset(&info, 0, sizeof(info));
	info.nr_map_ids = 4;
	info.map_ids = (uintptr_t)maps;
	attributes.info.bpf_fd = fd;
	attributes.info.info_len = sizeof(info);
	attributes.info.info = (uintptr_t)&info;
	must(!bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes), "bpf prog info");
	say("bpfprog lab_filter - id=%u type=%u tag=%02x%02x%02x%02x%02x%02x%02x%02x xlated=%u jited=%u loaded=%llu maps=%u attached=%lu fd=%d", info.id,
	    info.type, info.tag[0], info.tag[1], info.tag[2], info.tag[3], info.tag[4], info.tag[5], info.tag[6], info.tag[7],
	    info.xlated_prog_len, info.jited_prog_len, (unsigned long long)info.load_time, maps[0], inode_of(filtered), fd);
}
