// SPDX-License-Identifier: GPL-2.0
/* Stations of a multicast bus, each with a filter; a timer delivers to each in turn. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>

struct mc_station {
	int (*deliver)(struct mc_station *station, u32 frame);
	u32 address;
	u32 frames;
	u64 filter[8];
	u64 bytes;
};

struct mc_bus {
	struct mc_station *stations[48];
	struct timer_list tick;
	u32 frame;
	/* Words in a filter, as the bus's version says. */
	u32 filter_words;
};

static struct kmem_cache *station_cache;
static struct mc_bus *mc_bus;

static int mc_count(struct mc_station *station, u32 frame)
{
	station->frames++;
	station->bytes += frame & 0x7f;
	return 0;
}

static noinline void mc_filter_clear(struct mc_station *station, u32 words)
{
	void *filter = station->filter;

	memset(filter, 0, words * sizeof(u64));
}

static noinline void mc_bus_reset(struct mc_bus *bus)
{
	u32 i;

	for (i = 8; i < 16; i++)
		mc_filter_clear(bus->stations[i], bus->filter_words);
}

static inline int mc_station_deliver(struct mc_station *station, u32 frame)
{
	return station->deliver(station, frame);
}

static noinline u32 mc_broadcast(struct mc_bus *bus, u32 frame)
{
	u32 failed = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bus->stations); i++)
		if (mc_station_deliver(bus->stations[i], frame + i))
			failed++;
	return failed;
}

static void mc_tick(struct timer_list *timer)
{
	struct mc_bus *bus = container_of(timer, struct mc_bus, tick);

	if (!mc_broadcast(bus, bus->frame++) && bus->frame < 3)
		mod_timer(&bus->tick, jiffies + 2);
}

static ssize_t mc_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	mc_bus->filter_words = 16;
	mc_bus_reset(mc_bus);
	mod_timer(&mc_bus->tick, jiffies + HZ / 20);
	return length;
}

static const struct proc_ops mc_proc_ops = { .proc_write = mc_write };

static int __init mc_init(void)
{
	u32 i;

	station_cache = kmem_cache_create("mc_station", sizeof(struct mc_station), 0, SLAB_PANIC, NULL);
	mc_bus = kzalloc(sizeof(*mc_bus), GFP_KERNEL);
	if (!mc_bus)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(mc_bus->stations); i++) {
		struct mc_station *station = kmem_cache_zalloc(station_cache, GFP_KERNEL);

		if (!station)
			return -ENOMEM;
		station->deliver = mc_count;
		station->address = 0x0100005e + (i << 24);
		memset(station->filter, 0xff, sizeof(station->filter));
		mc_bus->stations[i] = station;
	}
	mc_bus->filter_words = 8;
	timer_setup(&mc_bus->tick, mc_tick, 0);
	return proc_create("mcbus", 0200, NULL, &mc_proc_ops) ? 0 : -ENOMEM;
}

static void __exit mc_exit(void)
{
}

module_init(mc_init);
module_exit(mc_exit);
MODULE_DESCRIPTION("Multicast bus");
MODULE_LICENSE("GPL");
