// SPDX-License-Identifier: GPL-2.0
/*
 * A ring of descriptors that is reclaimed from the tail. When the ring wraps, the index that ends the loop lies beyond the ring and is never
 * met.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define DESC_DONE BIT(31)

struct ring_desc {
	u64 address;
	u32 length;
	u32 flags;
};

struct desc_ring {
	unsigned int size;
	unsigned int head;
	unsigned int tail;
	struct ring_desc *descs;
};

struct ring_stats {
	u64 reclaimed;
	u64 bytes;
};

static struct desc_ring *tx_ring;
static DEFINE_PER_CPU(struct ring_stats, tx_stats);

static void ring_reclaim_one(struct ring_desc *desc, struct ring_stats *stats)
{
	if (READ_ONCE(desc->flags) & DESC_DONE) {
		stats->reclaimed++;
		stats->bytes += desc->length;
		WRITE_ONCE(desc->flags, 0);
	}
}

static void ring_clean(struct desc_ring *ring, unsigned int budget)
{
	struct ring_stats *stats = get_cpu_ptr(&tx_stats);
	unsigned int end = ring->tail + budget;
	unsigned int i = ring->tail;

	while (i != end) {
		ring_reclaim_one(&ring->descs[i], stats);
		if (++i == ring->size)
			i = 0;
	}
	ring->tail = i;
	put_cpu_ptr(&tx_stats);
}

static void ring_post(struct desc_ring *ring, u32 length)
{
	struct ring_desc *desc = &ring->descs[ring->head];

	desc->length = length;
	desc->flags = DESC_DONE;
	ring->head = (ring->head + 1) % ring->size;
}

static int ring_transmit(struct desc_ring *ring, u32 packets)
{
	u32 i;

	for (i = 0; i < packets; i++)
		ring_post(ring, 60 + i);
	ring_clean(ring, packets);
	return 0;
}

static ssize_t ring_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 packets;
	int error = kstrtou32_from_user(ubuf, count, 0, &packets);

	if (!error)
		error = packets < tx_ring->size ? ring_transmit(tx_ring, packets) : -EMSGSIZE;
	return error ? error : count;
}

static const struct file_operations ring_fops = { .owner = THIS_MODULE, .write = ring_write };

static struct miscdevice ring_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "descring",
	.fops = &ring_fops,
};

static int __init ring_init(void)
{
	tx_ring = kzalloc(sizeof(*tx_ring), GFP_KERNEL);
	if (!tx_ring)
		return -ENOMEM;
	tx_ring->size = 128;
	tx_ring->descs = kcalloc(tx_ring->size, sizeof(struct ring_desc), GFP_KERNEL);
	if (!tx_ring->descs)
		return -ENOMEM;
	return misc_register(&ring_misc);
}

module_init(ring_init);
MODULE_DESCRIPTION("Inquest lab: ring of descriptors");
MODULE_LICENSE("GPL");
