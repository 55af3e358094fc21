// SPDX-License-Identifier: GPL-2.0
/* Interned names with a use count by group. Each name is an object of a slab cache; renaming writes over the old text. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>

struct name_group {
	u32 id;
	u32 members;
	u64 lookups;
};

struct name_entry {
	struct name_group *group;
	u32 hash;
	u32 length;
	u64 used;
	char text[40];
};

#define NAMES	512

static struct kmem_cache *name_cache;
static struct name_entry *names[NAMES];
static struct name_group name_groups[4];

static noinline void name_set(struct name_entry *entry, const char *directory, const char *text)
{
	/* length is that of the text alone. */
	entry->length = strlen(text);
	sprintf(entry->text, "%s/%s", directory, text);
}

static struct name_entry *name_add(u32 number)
{
	struct name_entry *entry = kmem_cache_zalloc(name_cache, GFP_KERNEL);
	char text[16];

	if (!entry)
		return NULL;
	entry->group = &name_groups[number & 3];
	entry->group->members++;
	snprintf(text, sizeof(text), "entry-%u", number);
	name_set(entry, "/srv", text);
	return entry;
}

static inline void name_group_touch(struct name_group *group)
{
	group->lookups++;
}

static noinline u64 name_use(struct name_entry *entry)
{
	name_group_touch(entry->group);
	return ++entry->used;
}

static noinline u64 name_use_all(void)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < NAMES; i++)
		sum += name_use(names[i]);
	return sum;
}

static ssize_t name_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	name_use_all();
	name_set(names[200], "/srv/measurements/station-north", "thermometer-1402");
	name_use_all();
	return length;
}

static const struct proc_ops name_proc_ops = { .proc_write = name_write };

static int __init name_init(void)
{
	u32 i;

	name_cache = kmem_cache_create("name_entry", sizeof(struct name_entry), 0, SLAB_PANIC | SLAB_RECLAIM_ACCOUNT, NULL);
	for (i = 0; i < NAMES; i++) {
		names[i] = name_add(i);
		if (!names[i])
			return -ENOMEM;
	}
	return proc_create("nametab", 0200, NULL, &name_proc_ops) ? 0 : -ENOMEM;
}

static void __exit name_exit(void)
{
}

module_init(name_init);
module_exit(name_exit);
MODULE_DESCRIPTION("Interned names");
MODULE_LICENSE("GPL");
