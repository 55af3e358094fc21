// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts of connections. One that is closed leaves the table but is freed only when its reference count says so, and opening took two
 * references.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

struct conn_ctx {
	struct list_head node;
	refcount_t refs;
	u32 id;
	u64 opened;
	u8 rx[448];
};

struct conn_table {
	spinlock_t lock;
	struct list_head open;
	u32 next_id;
	u64 closed;
};

static struct kmem_cache *conn_cache;
static struct conn_table *conns;

static void conn_put(struct conn_ctx *conn)
{
	if (refcount_dec_and_test(&conn->refs))
		kmem_cache_free(conn_cache, conn);
}

static struct conn_ctx *conn_open(struct conn_table *table)
{
	struct conn_ctx *conn = kmem_cache_alloc(conn_cache, GFP_KERNEL);

	if (!conn)
		return NULL;
	refcount_set(&conn->refs, 1);
	conn->id = table->next_id++;
	spin_lock(&table->lock);
	list_add_tail(&conn->node, &table->open);
	refcount_inc(&conn->refs);
	spin_unlock(&table->lock);
	return conn;
}

static void conn_close(struct conn_table *table, struct conn_ctx *conn)
{
	spin_lock(&table->lock);
	list_del(&conn->node);
	table->closed++;
	spin_unlock(&table->lock);
	conn_put(conn);
}

static int conn_serve(struct conn_table *table, u32 requests)
{
	struct conn_ctx *conn;

	while (requests--) {
		conn = conn_open(table);
		if (!conn)
			return -ENOMEM;
		conn_close(table, conn);
	}
	return 0;
}

static ssize_t conn_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 requests;
	int error = kstrtou32_from_user(ubuf, count, 0, &requests);

	if (!error)
		error = conn_serve(conns, requests);
	return error ? error : count;
}

static const struct file_operations conn_fops = { .owner = THIS_MODULE, .write = conn_write };

static struct miscdevice conn_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "connbuf",
	.fops = &conn_fops,
};

static void conn_construct(void *object)
{
	struct conn_ctx *conn = object;

	INIT_LIST_HEAD(&conn->node);
}

static int __init conn_init(void)
{
	conn_cache = kmem_cache_create("conn_ctx", sizeof(struct conn_ctx), 0, 0, conn_construct);
	conns = kzalloc(sizeof(*conns), GFP_KERNEL);
	if (!conn_cache || !conns)
		return -ENOMEM;
	spin_lock_init(&conns->lock);
	INIT_LIST_HEAD(&conns->open);
	return misc_register(&conn_misc);
}

module_init(conn_init);
MODULE_DESCRIPTION("Inquest lab: contexts of connections");
MODULE_LICENSE("GPL");
