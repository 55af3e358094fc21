// SPDX-License-Identifier: GPL-2.0
/* Requests to a crypto engine, from a slab cache. A request has a completion callback and may be cancelled. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct crypt_request {
	u32 id;
	u32 flags;
	void (*complete)(struct crypt_request *request, int error);
	void *data;
	u8 iv[16];
	u8 key[32];
	u32 blocks;
};

static struct kmem_cache *crypt_cache;
static struct crypt_request *crypt_inflight;
static struct delayed_work crypt_engine;
static u32 crypt_ids;

static void crypt_request_free(struct crypt_request *request)
{
	memzero_explicit(request->key, sizeof(request->key));
	kmem_cache_free(crypt_cache, request);
}

static void crypt_done(struct crypt_request *request, int error)
{
	request->flags |= error ? 2 : 1;
	crypt_request_free(request);
}

static noinline void crypt_finish(struct crypt_request *request)
{
	if (request)
		crypt_done(request, 0);
}

static void crypt_engine_run(struct work_struct *work)
{
	crypt_finish(crypt_inflight);
	crypt_inflight = NULL;
}

static noinline int crypt_submit(u32 blocks)
{
	struct crypt_request *request = kmem_cache_zalloc(crypt_cache, GFP_KERNEL);

	if (!request)
		return -ENOMEM;
	request->id = ++crypt_ids;
	request->blocks = blocks;
	request->complete = crypt_done;
	crypt_inflight = request;
	schedule_delayed_work(&crypt_engine, HZ / 5);
	return 0;
}

static noinline void crypt_cancel(u32 id)
{
	if (crypt_inflight && crypt_inflight->id == id)
		crypt_request_free(crypt_inflight);
}

static ssize_t crypt_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	crypt_submit(8);
	crypt_cancel(crypt_ids);
	return length;
}

static const struct proc_ops crypt_proc_ops = { .proc_write = crypt_write };

static int __init crypt_init(void)
{
	crypt_cache = KMEM_CACHE(crypt_request, 0);
	if (!crypt_cache)
		return -ENOMEM;
	INIT_DELAYED_WORK(&crypt_engine, crypt_engine_run);
	return proc_create("cryptreq", 0200, NULL, &crypt_proc_ops) ? 0 : -ENOMEM;
}

static void __exit crypt_exit(void)
{
}

module_init(crypt_init);
module_exit(crypt_exit);
MODULE_DESCRIPTION("Crypto engine requests");
MODULE_LICENSE("GPL");
