// SPDX-License-Identifier: GPL-2.0
/* Leases with their options in one allocation. An options block of its own is freed when a lease is renewed. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct lease_options {
	u32 count;
	u32 length;
	u8 codes[16];
};

struct lease {
	u32 address;
	u32 state;
	u8 hardware[8];
	u64 expires;
	struct lease_options *options;
	char host[24];
	struct lease_options fixed;
};

#define LEASES	32

static struct lease *leases[LEASES];

static struct lease *lease_new(u32 address)
{
	struct lease *lease = kzalloc(sizeof(*lease), GFP_KERNEL);

	if (!lease)
		return NULL;
	lease->address = 0x0a000000 | address;
	lease->fixed.count = 2;
	/* Those of the second half have more than fits. */
	lease->options = address < LEASES / 2 ? &lease->fixed : kzalloc(sizeof(struct lease_options) + 64, GFP_KERNEL);
	snprintf(lease->host, sizeof(lease->host), "host-%u", address);
	return lease;
}

static inline void lease_drop_options(struct lease *lease)
{
	kfree(lease->options);
	lease->options = NULL;
}

static noinline void lease_renew(struct lease *lease, u64 until)
{
	lease->expires = until;
	lease->state++;
	lease_drop_options(lease);
}

static noinline void leases_renew(u32 from, u32 count)
{
	u32 i;

	for (i = from; i < from + count && i < LEASES; i++)
		if (leases[i])
			lease_renew(leases[i], 86400);
}

static ssize_t lease_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	leases_renew(12, 1);
	return length;
}

static const struct proc_ops lease_proc_ops = { .proc_write = lease_write };

static int __init lease_init(void)
{
	u32 i;

	for (i = 0; i < LEASES; i++)
		leases[i] = lease_new(i);
	return proc_create("leasedb", 0200, NULL, &lease_proc_ops) ? 0 : -ENOMEM;
}

static void __exit lease_exit(void)
{
}

module_init(lease_init);
module_exit(lease_exit);
MODULE_DESCRIPTION("Address leases");
MODULE_LICENSE("GPL");
