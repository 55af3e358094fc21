// SPDX-License-Identifier: Apache-2.0
/*
 * What the scripts need of a program because busybox lacks it or forks too much for it:
 *   views keep ROOT PATTERN...     copy files (of /proc and /sys, whose sizes are not known) to the same paths below ROOT
 *   views links ROOT PATTERN...    write where the symbolic links in directories lead, "NAME TARGET" a line, to the directory's path below ROOT
 *   views swapon DEVICE PRIORITY
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>
#include "views.h"

static int open_below(const char *root, const char *path)
{
	char target[PATH_MAX];
	char *slash;

	if (snprintf(target, sizeof(target), "%s%s", root, path) >= (int)sizeof(target))
		return -1;
	for (slash = strchr(target + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(target, 0755);
		*slash = '/';
	}
	return open(target, O_WRONLY | O_CREAT | O_TRUNC, 0644);
}

static void keep_file(const char *root, const char *path)
{
	static char block[65536];
	struct stat status;
	int from, to = -1;
	ssize_t got;

	/* Not waiting for devices and pipes. */
	if (stat(path, &status) || !S_ISREG(status.st_mode))
		return;
	from = open(path, O_RDONLY | O_NONBLOCK);
	if (from < 0)
		return;
	while ((got = read(from, block, sizeof(block))) > 0) {
		if (to < 0)
			to = open_below(root, path);
		if (to < 0 || write(to, block, got) != got)
			break;
	}
	if (to >= 0)
		close(to);
	close(from);
}

static void keep_links(const char *root, const char *path)
{
	char name[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	DIR *directory = opendir(path);
	ssize_t length;
	int to;

	if (!directory)
		return;
	to = open_below(root, path);
	while (to >= 0 && (entry = readdir(directory))) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		length = readlink(name, target, sizeof(target) - 1);
		if (length < 0)
			continue;
		target[length] = 0;
		dprintf(to, "%s %s\n", entry->d_name, target);
	}
	if (to >= 0)
		close(to);
	closedir(directory);
}

int run_tool(int argc, char **argv)
{
	int i, links = !strcmp(argv[1], "links");
	size_t n;

	if (!strcmp(argv[1], "swapon")) {
		must(argc == 4 && !swapon(argv[2], SWAP_FLAG_PREFER | atoi(argv[3])), "swapon");
		return 0;
	}
	for (i = 3; i < argc; i++) {
		glob_t found;

		if (glob(argv[i], GLOB_BRACE, NULL, &found))
			continue;
		for (n = 0; n < found.gl_pathc; n++)
			(links ? keep_links : keep_file)(argv[2], found.gl_pathv[n]);
		globfree(&found);
	}
	return 0;
}
