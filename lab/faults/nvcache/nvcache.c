// SPDX-License-Identifier: GPL-2.0
/*
 * A write-back cache: a thread empties it into a device, and under the cache's mutex it polls for as long as the device says "busy".
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define NVC_STATUS_BUSY 0x80
#define NVC_LINES 32

struct nvc_regs {
	u32 status;
	u32 address;
	u32 command;
};

struct nvc_line {
	u64 block;
	bool dirty;
};

struct nvc_cache {
	struct nvc_regs *regs;
	struct task_struct *flusher;
	unsigned int dirty;
	struct mutex lock;
	struct nvc_line lines[NVC_LINES];
};

static struct nvc_cache *nvc;

static inline bool nvc_is_busy(const struct nvc_regs *regs)
{
	return READ_ONCE(regs->status) & NVC_STATUS_BUSY;
}

static void nvc_wait_ready(struct nvc_cache *cache)
{
	while (nvc_is_busy(cache->regs))
		msleep(20);
}

static void nvc_write_line(struct nvc_cache *cache, struct nvc_line *line)
{
	WRITE_ONCE(cache->regs->address, (u32)line->block);
	WRITE_ONCE(cache->regs->command, 1);
	/* The device takes the command: busy until it is done, which it never says. */
	WRITE_ONCE(cache->regs->status, NVC_STATUS_BUSY);
	nvc_wait_ready(cache);
	line->dirty = false;
	cache->dirty--;
}

static void nvc_flush(struct nvc_cache *cache)
{
	unsigned int i;

	mutex_lock(&cache->lock);
	for (i = 0; i < NVC_LINES; i++)
		if (cache->lines[i].dirty)
			nvc_write_line(cache, &cache->lines[i]);
	mutex_unlock(&cache->lock);
}

static int nvc_flush_thread(void *data)
{
	struct nvc_cache *cache = data;

	while (!kthread_should_stop()) {
		schedule_timeout_interruptible(HZ / 5);
		if (READ_ONCE(cache->dirty) > 2)
			nvc_flush(cache);
	}
	return 0;
}

static void nvc_dirty_line(struct nvc_cache *cache, u64 block)
{
	struct nvc_line *line = &cache->lines[block % NVC_LINES];

	mutex_lock(&cache->lock);
	line->block = block;
	if (!line->dirty)
		cache->dirty++;
	line->dirty = true;
	mutex_unlock(&cache->lock);
}

static ssize_t nvc_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u64 block;
	int error = kstrtou64_from_user(ubuf, count, 0, &block);

	if (error)
		return error;
	nvc_dirty_line(nvc, block);
	return count;
}

static int nvc_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	nvc_flush(nvc);
	return 0;
}

static const struct file_operations nvc_fops = {
	.owner = THIS_MODULE,
	.write = nvc_write,
	.fsync = nvc_fsync,
};

static struct miscdevice nvc_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nvcache",
	.fops = &nvc_fops,
};

static int __init nvc_init(void)
{
	nvc = kzalloc(sizeof(*nvc), GFP_KERNEL);
	if (!nvc)
		return -ENOMEM;
	nvc->regs = kzalloc(sizeof(*nvc->regs), GFP_KERNEL);
	if (!nvc->regs)
		return -ENOMEM;
	mutex_init(&nvc->lock);
	nvc->flusher = kthread_run(nvc_flush_thread, nvc, "nvc_flush");
	return misc_register(&nvc_misc);
}

module_init(nvc_init);
MODULE_DESCRIPTION("Inquest lab: write-back cache");
MODULE_LICENSE("GPL");
