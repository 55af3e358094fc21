/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user program of the scenario "views": builds sockets, packet rings, files, System V objects, signals, timers, mappings, namespaces and
 * bpf objects, tells of each on standard output in the same form as the module (lab/views/module/views.h), and stays.
 *
 *   LABVIEW kind name address key=value ...       address: of user memory, or "-"
 */
#ifndef LAB_VIEWS_H
#define LAB_VIEWS_H

#include <stddef.h>
#include <stdint.h>

/* One line of truth, without "LABVIEW " and newline. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* End with what failed, unless `good`. */
void must(int good, const char *what);
/* Tell what could not be made on this kernel. */
void cannot(const char *what);
/* Inode number of a descriptor, as /proc/net and /proc/PID/fd show it. */
unsigned long inode_of(int fd);
/* A sleeping thread with a name; its id. */
int start_thread(const char *name, void *(*body)(void *), void *argument);

void make_sockets(void);
void make_unix_sockets(void);
void make_packet_sockets(void);
void make_files(void);
void make_ipc(void);
void make_signals(void);
void make_timers(void);
void make_memory(void);
void make_swapped(const char *name);
void make_tasks(void);
void make_bpf(void);
/* A tool for the scripts (views_tools.c). */
int run_tool(int argc, char **argv);
/* Set the spinning threads free. */
void unleash(void);

#endif
