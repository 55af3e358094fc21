// SPDX-License-Identifier: GPL-2.0
/* A ring of requests whose counters are checked when one is taken off: there are never more in flight than it holds. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define RING_SIZE	32

struct ring_request {
	u64 sector;
	u32 length;
	u32 tag;
};

struct request_ring {
	spinlock_t lock;
	u32 produced;
	u32 consumed;
	u32 errors;
	u32 mask;
	struct ring_request requests[RING_SIZE];
	struct work_struct drain;
};

static struct request_ring *ring;

static inline u32 ring_in_flight(const struct request_ring *ring)
{
	return ring->produced - ring->consumed;
}

static noinline struct ring_request *ring_take(struct request_ring *ring)
{
	struct ring_request *request;

	BUG_ON(ring_in_flight(ring) > RING_SIZE);
	request = &ring->requests[ring->consumed & ring->mask];
	ring->consumed++;
	return request;
}

static void ring_drain(struct work_struct *work)
{
	struct request_ring *ring = container_of(work, struct request_ring, drain);

	spin_lock(&ring->lock);
	while (ring_in_flight(ring)) {
		struct ring_request *request = ring_take(ring);

		ring->errors += request->length == 0;
	}
	spin_unlock(&ring->lock);
}

static noinline void ring_submit(struct request_ring *ring, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		struct ring_request *request = &ring->requests[ring->produced++ & ring->mask];

		request->length = 4096;
		request->tag = i;
	}
	schedule_work(&ring->drain);
	flush_work(&ring->drain);
}

static ssize_t ring_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	ring_submit(ring, 20);
	ring_submit(ring, 45);
	return length;
}

static const struct proc_ops ring_proc_ops = { .proc_write = ring_write };

static int __init ring_init(void)
{
	ring = kzalloc(sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	spin_lock_init(&ring->lock);
	ring->mask = RING_SIZE - 1;
	INIT_WORK(&ring->drain, ring_drain);
	return proc_create("ringcheck", 0200, NULL, &ring_proc_ops) ? 0 : -ENOMEM;
}

static void __exit ring_exit(void)
{
}

module_init(ring_init);
module_exit(ring_exit);
MODULE_DESCRIPTION("Request ring");
MODULE_LICENSE("GPL");
