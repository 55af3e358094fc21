// SPDX-License-Identifier: GPL-2.0
/* Mappings of device memory, counted by their users; a snapshot counts each once more. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/refcount.h>
#include <linux/slab.h>

struct dev_map {
	u64 bus;
	u32 pages;
	u32 flags;
	refcount_t users;
	u32 generation;
	struct dev_map *parent;
};

struct dev_map_table {
	u32 count;
	struct dev_map *maps[16];
};

static struct dev_map_table *dev_maps;

static inline struct dev_map *dev_map_get(struct dev_map *map)
{
	refcount_inc(&map->users);
	return map;
}

static noinline void dev_map_retain(struct dev_map *map, u32 times)
{
	map->generation++;
	while (times--)
		dev_map_get(map);
}

static noinline void dev_map_snapshot(struct dev_map_table *table)
{
	u32 i;

	for (i = 0; i < table->count; i++)
		dev_map_retain(table->maps[i], 2);
}

static ssize_t dev_map_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	dev_map_snapshot(dev_maps);
	return length;
}

static const struct proc_ops dev_map_proc_ops = { .proc_write = dev_map_write };

static int __init dev_map_init(void)
{
	u32 i;

	dev_maps = kzalloc(sizeof(*dev_maps), GFP_KERNEL);
	if (!dev_maps)
		return -ENOMEM;
	for (i = 0; i < 8; i++) {
		struct dev_map *map = kzalloc(sizeof(*map), GFP_KERNEL);

		if (!map)
			return -ENOMEM;
		map->bus = 0xfe000000 + i * 0x10000;
		map->pages = 16;
		/* The sixth has been retained and never released ever since the machine came up. */
		refcount_set(&map->users, i == 5 ? INT_MAX : 1);
		dev_maps->maps[dev_maps->count++] = map;
	}
	return proc_create("mapref", 0200, NULL, &dev_map_proc_ops) ? 0 : -ENOMEM;
}

static void __exit dev_map_exit(void)
{
}

module_init(dev_map_init);
module_exit(dev_map_exit);
MODULE_DESCRIPTION("Device mappings");
MODULE_LICENSE("GPL");
