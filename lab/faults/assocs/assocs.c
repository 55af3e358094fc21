// SPDX-License-Identifier: GPL-2.0
/* Endpoints with associations, as message-oriented transports have them. Asked to, an endpoint sheds its idle associations. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct asoc_endpoint {
	struct list_head asocs;
	u32 port;
	u32 count;
};

struct asoc_peer {
	u32 transports;
	u32 rwnd;
	u64 cookie[8];
};

struct asoc {
	u32 id;
	u32 state;
	struct asoc_endpoint *endpoint;
	struct asoc_peer peer;
	u32 local_tag;
	u32 remote_tag;
	u64 rto;
	struct list_head asocs;
	u32 temporary;
	u32 error_count;
	void *streams;
};

#define ASOC_IDLE	4

static struct asoc_endpoint endpoint;

static inline bool asoc_idle(const struct asoc *asoc)
{
	return asoc->state == ASOC_IDLE && !asoc->peer.rwnd;
}

static void asoc_unhash(struct asoc *asoc)
{
	asoc->endpoint->count--;
	list_del(&asoc->asocs);
}

static noinline void asoc_free(struct asoc *asoc)
{
	if (!asoc->temporary)
		asoc_unhash(asoc);
	asoc->state = 0;
	kfree(asoc->streams);
	kfree(asoc);
}

static noinline void asoc_abort(struct asoc *asoc, u32 reason)
{
	asoc->error_count += reason;
	asoc_free(asoc);
}

static noinline int endpoint_shed(struct asoc_endpoint *endpoint)
{
	struct asoc *asoc;
	int shed = 0;

	list_for_each_entry(asoc, &endpoint->asocs, asocs) {
		if (asoc_idle(asoc)) {
			asoc_abort(asoc, 12);
			shed++;
		}
	}
	return shed;
}

static ssize_t asocs_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	pr_info("assocs: %d shed\n", endpoint_shed(&endpoint));
	return length;
}

static const struct proc_ops asocs_proc_ops = { .proc_write = asocs_write };

static int asoc_new(struct asoc_endpoint *endpoint, u32 id)
{
	struct asoc *asoc = kzalloc(sizeof(*asoc), GFP_KERNEL);

	if (!asoc)
		return -ENOMEM;
	asoc->id = id;
	asoc->state = id == 3 ? ASOC_IDLE : 2;
	asoc->endpoint = endpoint;
	asoc->streams = kzalloc(64, GFP_KERNEL);
	list_add_tail(&asoc->asocs, &endpoint->asocs);
	endpoint->count++;
	return 0;
}

static int __init asocs_init(void)
{
	u32 id;

	INIT_LIST_HEAD(&endpoint.asocs);
	endpoint.port = 2905;
	for (id = 0; id < 8; id++)
		asoc_new(&endpoint, id);
	return proc_create("assocs", 0200, NULL, &asocs_proc_ops) ? 0 : -ENOMEM;
}

static void __exit asocs_exit(void)
{
}

module_init(asocs_init);
module_exit(asocs_exit);
MODULE_DESCRIPTION("Associations of endpoints");
MODULE_LICENSE("GPL");
