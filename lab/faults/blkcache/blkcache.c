// SPDX-License-Identifier: GPL-2.0
/* Cached blocks with checksums that are computed later, when there is time. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct cached_block {
	u64 sector;
	u32 flags;
	u32 users;
	u8 head[40];
	/* Written last. */
	u64 checksum;
	u64 generation;
	u8 tail[48];
};

static struct kmem_cache *block_cache;
static struct cached_block *blocks[64];
static struct delayed_work checksum_work;
static struct cached_block *checksum_next;

static noinline u64 block_checksum(const struct cached_block *block)
{
	u64 sum = block->sector;
	unsigned int i;

	for (i = 0; i < sizeof(block->head); i++)
		sum = sum * 31 + block->head[i] + 0x9e3779b97f4a7c15ULL;
	return sum;
}

static void block_seal(struct work_struct *work)
{
	u64 sum = block_checksum(checksum_next);

	checksum_next->checksum = sum;
	checksum_next->generation = sum >> 7;
}

static noinline struct cached_block *block_get(u64 sector)
{
	struct cached_block *block = kmem_cache_alloc(block_cache, GFP_KERNEL);

	if (block) {
		block->sector = sector;
		block->users = 1;
	}
	return block;
}

static void block_put(struct cached_block *block)
{
	if (--block->users == 0)
		kmem_cache_free(block_cache, block);
}

static noinline void blocks_fill(u64 from)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = block_get(from + i);
}

static ssize_t block_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	migrate_disable();
	blocks_fill(2048);
	checksum_next = blocks[20];
	schedule_delayed_work_on(raw_smp_processor_id(), &checksum_work, HZ / 10);
	block_put(blocks[20]);
	flush_delayed_work(&checksum_work);
	blocks_fill(4096);
	migrate_enable();
	return length;
}

static const struct proc_ops block_proc_ops = { .proc_write = block_write };

static int __init block_init(void)
{
	block_cache = kmem_cache_create("cached_block", sizeof(struct cached_block), 0, SLAB_PANIC | SLAB_RECLAIM_ACCOUNT, NULL);
	INIT_DELAYED_WORK(&checksum_work, block_seal);
	return proc_create("blkcache", 0200, NULL, &block_proc_ops) ? 0 : -ENOMEM;
}

static void __exit block_exit(void)
{
}

module_init(block_init);
module_exit(block_exit);
MODULE_DESCRIPTION("Cached blocks");
MODULE_LICENSE("GPL");
