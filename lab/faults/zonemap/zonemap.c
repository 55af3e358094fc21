// SPDX-License-Identifier: GPL-2.0
/*
 * A map of zones and an allocator beside it, each under a rw_semaphore. Trimming reads the map and then changes the allocator; growing
 * reads the allocator and then changes the map.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/rwsem.h>
#include <linux/uaccess.h>

#define ZONES 256

struct zonemap {
	struct rw_semaphore map_sem;
	unsigned int zones;
	u32 state[ZONES];
	struct rw_semaphore alloc_sem;
	unsigned long free[BITS_TO_LONGS(ZONES)];
	u64 trimmed;
};

static struct zonemap zonemap_main = {
	.map_sem = __RWSEM_INITIALIZER(zonemap_main.map_sem),
	.alloc_sem = __RWSEM_INITIALIZER(zonemap_main.alloc_sem),
	.zones = 128,
};

static unsigned int zonemap_release(struct zonemap *map, unsigned int zone)
{
	unsigned int released;

	down_write(&map->alloc_sem);
	released = !test_and_set_bit(zone, map->free);
	map->trimmed += released;
	up_write(&map->alloc_sem);
	return released;
}

static unsigned int zonemap_trim(struct zonemap *map)
{
	unsigned int zone, done = 0;

	down_read(&map->map_sem);
	for (zone = 0; zone < map->zones; zone++) {
		if (map->state[zone])
			continue;
		msleep(500);
		done += zonemap_release(map, zone);
	}
	up_read(&map->map_sem);
	return done;
}

static void zonemap_append(struct zonemap *map, unsigned int count)
{
	down_write(&map->map_sem);
	map->zones = min_t(unsigned int, map->zones + count, ZONES);
	up_write(&map->map_sem);
}

static void zonemap_extend(struct zonemap *map)
{
	down_read(&map->alloc_sem);
	if (bitmap_weight(map->free, ZONES) < 8) {
		msleep(500);
		zonemap_append(map, 16);
	}
	up_read(&map->alloc_sem);
}

static unsigned int zonemap_count(struct zonemap *map)
{
	unsigned int zones;

	down_read(&map->map_sem);
	zones = map->zones;
	up_read(&map->map_sem);
	return zones;
}

static ssize_t zonemap_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char word;

	if (count == 0 || get_user(word, ubuf))
		return -EFAULT;
	switch (word) {
	case 't':
		zonemap_trim(&zonemap_main);
		break;
	case 'e':
		zonemap_extend(&zonemap_main);
		break;
	default:
		return -EINVAL;
	}
	return count;
}

static ssize_t zonemap_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16];
	int length = scnprintf(line, sizeof(line), "%u\n", zonemap_count(&zonemap_main));

	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations zonemap_fops = {
	.owner = THIS_MODULE,
	.read = zonemap_read,
	.write = zonemap_write,
};

static struct miscdevice zonemap_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "zonemap",
	.fops = &zonemap_fops,
};

module_misc_device(zonemap_misc);
MODULE_DESCRIPTION("Inquest lab: zones");
MODULE_LICENSE("GPL");
