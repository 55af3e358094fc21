// SPDX-License-Identifier: GPL-2.0
/* Watches transmit queues for descriptors that do not move, from a timer. Queues come and go with the number of channels. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

struct tx_descriptor {
	__le64 address;
	__le32 length;
	__le32 status;
};

struct tx_ring {
	struct tx_descriptor *descriptors;
	u16 count;
	u16 next_to_use;
	u16 next_to_clean;
	u16 stuck;
	u64 packets;
	u64 bytes;
};

struct tx_queue {
	u32 index;
	u32 cpu;
	struct list_head node;
	struct tx_ring *ring;
	u64 last_packets;
};

struct tx_watch {
	spinlock_t lock;
	struct list_head queues;
	struct timer_list timer;
	u32 count;
	u32 hangs;
};

static struct tx_watch watch;

static inline u16 tx_ring_pending(const struct tx_ring *ring)
{
	return (u16)(ring->next_to_use + ring->count - ring->next_to_clean) % ring->count;
}

static inline bool tx_queue_moves(struct tx_queue *queue)
{
	u64 before = queue->last_packets;

	queue->last_packets = queue->ring->packets;
	return before != queue->last_packets;
}

static noinline void tx_watch_check(struct tx_watch *watch)
{
	struct tx_queue *queue;

	list_for_each_entry(queue, &watch->queues, node) {
		if (tx_ring_pending(queue->ring) && !tx_queue_moves(queue)) {
			queue->ring->stuck++;
			watch->hangs++;
		}
	}
}

static void tx_watch_expired(struct timer_list *timer)
{
	struct tx_watch *watch = container_of(timer, struct tx_watch, timer);

	spin_lock(&watch->lock);
	tx_watch_check(watch);
	spin_unlock(&watch->lock);
	mod_timer(timer, jiffies + HZ / 10);
}

static int tx_queue_add(struct tx_watch *watch, u32 descriptors)
{
	struct tx_queue *queue = kzalloc(sizeof(*queue), GFP_KERNEL);

	if (!queue)
		return -ENOMEM;
	if (descriptors) {
		queue->ring = kzalloc(sizeof(*queue->ring), GFP_KERNEL);
		if (!queue->ring)
			return -ENOMEM;
		queue->ring->count = descriptors;
		queue->ring->descriptors = kcalloc(descriptors, sizeof(struct tx_descriptor), GFP_KERNEL);
	}
	spin_lock_bh(&watch->lock);
	queue->index = watch->count++;
	list_add_tail(&queue->node, &watch->queues);
	spin_unlock_bh(&watch->lock);
	return 0;
}

static int channels_set(const char *value, const struct kernel_param *kp)
{
	unsigned int channels;
	int ret = kstrtouint(value, 0, &channels);

	/* Receive-only channels have a queue and no ring. */
	while (ret == 0 && watch.count < channels)
		ret = tx_queue_add(&watch, watch.count < 4 ? 256 : 0);
	return ret;
}

static const struct kernel_param_ops channels_ops = { .set = channels_set };
module_param_cb(channels, &channels_ops, NULL, 0200);

static int __init tx_watch_init(void)
{
	spin_lock_init(&watch.lock);
	INIT_LIST_HEAD(&watch.queues);
	timer_setup(&watch.timer, tx_watch_expired, 0);
	mod_timer(&watch.timer, jiffies + HZ / 10);
	return 0;
}

static void __exit tx_watch_exit(void)
{
}

module_init(tx_watch_init);
module_exit(tx_watch_exit);
MODULE_DESCRIPTION("Transmit queue watchdog");
MODULE_LICENSE("GPL");
