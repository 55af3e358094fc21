// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of a network card behind a spinlock. A snapshot of a queue that is down returns without giving the lock back; whoever comes next
 * spins.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define NIC_QUEUES 8

struct nic_queue_stats {
	u64 packets;
	u64 bytes;
	u32 errors;
	bool down;
};

struct nic_stats {
	struct nic_queue_stats queues[NIC_QUEUES];
	u64 snapshots;
	spinlock_t lock;
};

static struct nic_stats *nic;

static int nic_snapshot(struct nic_stats *stats, unsigned int queue, struct nic_queue_stats *to)
{
	struct nic_queue_stats *from = &stats->queues[queue];

	spin_lock(&stats->lock);
	stats->snapshots++;
	if (from->down)
		return -ENETDOWN;
	*to = *from;
	spin_unlock(&stats->lock);
	return 0;
}

static u64 nic_total(struct nic_stats *stats)
{
	u64 total = 0;
	unsigned int queue;

	spin_lock(&stats->lock);
	for (queue = 0; queue < NIC_QUEUES; queue++)
		total += stats->queues[queue].packets;
	spin_unlock(&stats->lock);
	return total;
}

static ssize_t nic_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	struct nic_queue_stats snapshot;
	u32 queue;
	int error = kstrtou32_from_user(ubuf, count, 0, &queue);

	if (!error)
		error = queue < NIC_QUEUES ? nic_snapshot(nic, queue, &snapshot) : -EINVAL;
	/* A queue that is down is no error to whoever asks. */
	return error && error != -ENETDOWN ? error : count;
}

static ssize_t nic_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length = scnprintf(line, sizeof(line), "%llu\n", nic_total(nic));

	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations nic_fops = {
	.owner = THIS_MODULE,
	.read = nic_read,
	.write = nic_write,
};

static struct miscdevice nic_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nicstat",
	.fops = &nic_fops,
};

static int __init nic_init(void)
{
	nic = kzalloc(sizeof(*nic), GFP_KERNEL);
	if (!nic)
		return -ENOMEM;
	spin_lock_init(&nic->lock);
	nic->queues[5].down = true;
	return misc_register(&nic_misc);
}

module_init(nic_init);
MODULE_DESCRIPTION("Inquest lab: counters of a network card");
MODULE_LICENSE("GPL");
