// SPDX-License-Identifier: Apache-2.0
/*
 * Mappings of every kind with known contents.
 *   LABVIEW memory NAME ADDRESS size=N kind=WORD pfns=N,-,swap:TYPE:OFFSET,... text=WORD
 * pfns, from /proc/self/pagemap, are of the first pages (at most eight): a page frame number, "-" for none, or a place in swap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "views.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define HUGE (2UL << 20)

static void say_memory(const char *name, char *at, size_t size, const char *kind, const char *text)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	char pfns[400] = "";
	size_t i, length = 0;

	for (i = 0; i < size / page && i < 8; i++) {
		uint64_t entry = 0;

		if (pread(fd, &entry, 8, ((uintptr_t)at / page + i) * 8) != 8)
			entry = 0;
		length += snprintf(pfns + length, sizeof(pfns) - length, "%s", i ? "," : "");
		if (entry >> 63)
			length += snprintf(pfns + length, sizeof(pfns) - length, "%llu", (unsigned long long)(entry & ((1ULL << 55) - 1)));
		else if (entry >> 62 & 1)
			length += snprintf(pfns + length, sizeof(pfns) - length, "swap:%llu:%llu", (unsigned long long)(entry & 31),
					   (unsigned long long)((entry & ((1ULL << 55) - 1)) >> 5));
		else
			length += snprintf(pfns + length, sizeof(pfns) - length, "-");
	}
	close(fd);
	say("memory %s %lx size=%zu kind=%s pfns=%s text=%s", name, (unsigned long)at, size, kind, pfns, text);
}

static char *anonymous(size_t size, int more)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | more, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* "NAME page N" at the head of every page, the rest of it one letter. */
static void pattern(char *at, size_t size, const char *name)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t i;

	for (i = 0; i < size / page; i++) {
		memset(at + i * page, 'a' + i % 26, page);
		sprintf(at + i * page, "%s page %zu", name, i);
	}
}

static void anonymous_memory(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *at = anonymous(8 * page, 0), *sparse = anonymous(8 * page, 0), *shared, *locked = anonymous(2 * page, 0);
	volatile char touched;

	pattern(at, 8 * page, "anon");
	say_memory("anon", at, 8 * page, "anonymous", "anon_page_N");
	strcpy(sparse + 3 * page, "only this page was written");
	touched = sparse[5 * page];
	(void)touched;
	/* Page 5 was only read: the zero page. */
	say_memory("sparse", sparse, 8 * page, "anonymous", "only_this_page_was_written");
	shared = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pattern(shared, 4 * page, "shared");
	say_memory("shared", shared, 4 * page, "shared", "shared_page_N");
	pattern(locked, 2 * page, "locked");
	must(!mlock(locked, 2 * page), "mlock");
	say_memory("locked", locked, 2 * page, "locked", "locked_page_N");
	at = anonymous(4 * page, 0);
	pattern(at, 4 * page, "guard");
	mprotect(at + page, page, PROT_NONE);
	say_memory("guarded", at, 4 * page, "anonymous", "guard_page_N");
}

static void file_memory(void)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = open("/tmp/views.mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
	char *at, *copied;

	must(!ftruncate(fd, 6 * page), "ftruncate");
	at = mmap(NULL, 6 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pattern(at, 6 * page, "file");
	say_memory("file", at, 6 * page, "file:/tmp/views.mapped", "file_page_N");
	copied = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 2 * page);
	strcpy(copied, "copied on write");
	say_memory("copied", copied, 2 * page, "private:/tmp/views.mapped", "copied_on_write");
}

static void huge_memory(void)
{
	char *at = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	uintptr_t aligned;

	if (at == MAP_FAILED) {
		cannot("hugetlb");
	} else {
		pattern(at, HUGE, "hugetlb");
		say_memory("hugetlb", at, HUGE, "hugetlb", "hugetlb_page_N");
	}
	at = anonymous(2 * HUGE, 0);
	aligned = ((uintptr_t)at + HUGE - 1) & ~(HUGE - 1);
	if (madvise((void *)aligned, HUGE, MADV_HUGEPAGE))
		cannot("thp");
	pattern((char *)aligned, HUGE, "thp");
	say_memory("thp", (char *)aligned, HUGE, "thp", "thp_page_N");
}

void make_memory(void)
{
	anonymous_memory();
	file_memory();
	huge_memory();
}

/* Enough pages that a CPU's store of places in the swap area used before (64) runs out: the last ones lie in the newest area. */
#define SWAPPED 200

void make_swapped(const char *name)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t size = SWAPPED * page;
	char *at = anonymous(size, 0), last[40];
	unsigned char resident[SWAPPED];
	int tries, i, left = 1;

	pattern(at, size, name);
	for (tries = 0; tries < 20 && left; tries++) {
		if (madvise(at, size, MADV_PAGEOUT)) {
			cannot("pageout");
			break;
		}
		usleep(50000);
		mincore(at, size, resident);
		for (left = i = 0; i < SWAPPED; i++)
			left += resident[i] & 1;
	}
	say_memory(name, at, size, "swapped", name);
	snprintf(last, sizeof(last), "%s-last", name);
	say_memory(last, at + size - 8 * page, 8 * page, "swapped", name);
}
