// SPDX-License-Identifier: GPL-2.0
/*
 * A small block device in memory with hardware queues (blk-mq). A write to the journal area is handed to a "controller" and its completion
 * never comes; the timeout handler resets the timer and hopes.
 */
#include <linux/module.h>
#include <linux/version.h>
#include <linux/blkdev.h>
#include <linux/blk-mq.h>
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 18, 0)
#include <linux/genhd.h>
#endif

#define RAMSTOR_SECTORS 4096
#define RAMSTOR_JOURNAL 1024

struct ramstor {
	struct blk_mq_tag_set tags;
	struct gendisk *disk;
	struct request *journal_request;
	u8 *data;
	u64 served;
	int major;
};

static struct ramstor *store;

static void ramstor_copy(struct ramstor *dev, struct request *request)
{
	loff_t offset = blk_rq_pos(request) << SECTOR_SHIFT;
	struct req_iterator iter;
	struct bio_vec vec;

	rq_for_each_segment(vec, request, iter) {
		u8 *page = kmap_atomic(vec.bv_page);

		if (rq_data_dir(request) == WRITE)
			memcpy(dev->data + offset, page + vec.bv_offset, vec.bv_len);
		else
			memcpy(page + vec.bv_offset, dev->data + offset, vec.bv_len);
		kunmap_atomic(page);
		offset += vec.bv_len;
	}
}

static bool ramstor_is_journal(struct request *request)
{
	return op_is_write(req_op(request)) && blk_rq_pos(request) >= RAMSTOR_JOURNAL;
}

static void ramstor_submit_journal(struct ramstor *dev, struct request *request)
{
	/* The controller's queue has room for one; what was there is forgotten. */
	dev->journal_request = request;
}

static blk_status_t ramstor_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct ramstor *dev = hctx->queue->queuedata;
	struct request *request = bd->rq;

	blk_mq_start_request(request);
	if (ramstor_is_journal(request)) {
		ramstor_submit_journal(dev, request);
		return BLK_STS_OK;
	}
	if (!blk_rq_is_passthrough(request) && blk_rq_bytes(request))
		ramstor_copy(dev, request);
	dev->served++;
	blk_mq_end_request(request, BLK_STS_OK);
	return BLK_STS_OK;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 0, 0)
static enum blk_eh_timer_return ramstor_timeout(struct request *request, bool reserved)
#else
static enum blk_eh_timer_return ramstor_timeout(struct request *request)
#endif
{
	return BLK_EH_RESET_TIMER;
}

static const struct blk_mq_ops ramstor_mq_ops = {
	.queue_rq = ramstor_queue_rq,
	.timeout = ramstor_timeout,
};

static const struct block_device_operations ramstor_fops = { .owner = THIS_MODULE };

static struct gendisk *ramstor_alloc_disk(struct ramstor *dev)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
	struct request_queue *queue = blk_mq_init_queue(&dev->tags);
	struct gendisk *disk;

	if (IS_ERR(queue))
		return ERR_CAST(queue);
	disk = alloc_disk(1);
	if (!disk)
		return ERR_PTR(-ENOMEM);
	queue->queuedata = dev;
	disk->queue = queue;
	return disk;
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	return blk_mq_alloc_disk(&dev->tags, dev);
#else
	return blk_mq_alloc_disk(&dev->tags, NULL, dev);
#endif
}

static int __init ramstor_init(void)
{
	struct gendisk *disk;
	int error;

	store = kzalloc(sizeof(*store), GFP_KERNEL);
	if (!store)
		return -ENOMEM;
	store->data = vzalloc(RAMSTOR_SECTORS << SECTOR_SHIFT);
	if (!store->data)
		return -ENOMEM;
	store->major = register_blkdev(0, "ramstor");
	store->tags.ops = &ramstor_mq_ops;
	store->tags.nr_hw_queues = 1;
	store->tags.queue_depth = 16;
	store->tags.numa_node = NUMA_NO_NODE;
#ifdef BLK_MQ_F_SHOULD_MERGE
	store->tags.flags = BLK_MQ_F_SHOULD_MERGE;
#endif
	error = blk_mq_alloc_tag_set(&store->tags);
	if (error)
		return error;
	disk = ramstor_alloc_disk(store);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	disk->major = store->major;
	disk->first_minor = 0;
	disk->minors = 1;
	disk->fops = &ramstor_fops;
	disk->private_data = store;
	snprintf(disk->disk_name, DISK_NAME_LEN, "ramstor0");
	set_capacity(disk, RAMSTOR_SECTORS);
	store->disk = disk;
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
	add_disk(disk);
	return 0;
#else
	return add_disk(disk);
#endif
}

module_init(ramstor_init);
MODULE_DESCRIPTION("Inquest lab: block device in memory");
MODULE_LICENSE("GPL");
