// SPDX-License-Identifier: GPL-2.0
/*
 * Path MTUs learnt from the network, in a hash table. Expiry unlinks an entry and forgets to free it.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#define PMTU_BUCKETS 64
#define PMTU_KEEP 200

struct pmtu_ent {
	struct hlist_node hash;
	struct list_head lru;
	u32 address;
	u32 mtu;
	u64 learnt;
	u8 path[144];
};

struct pmtu_table {
	spinlock_t lock;
	unsigned int count;
	struct list_head lru;
	struct hlist_head buckets[PMTU_BUCKETS];
	u64 expired;
};

static struct pmtu_table *pmtu;
static struct kmem_cache *pmtu_cache;

static void pmtu_expire_oldest(struct pmtu_table *table)
{
	struct pmtu_ent *oldest = list_first_entry(&table->lru, struct pmtu_ent, lru);

	hlist_del_init(&oldest->hash);
	list_del_init(&oldest->lru);
	table->count--;
	table->expired++;
}

static int pmtu_learn(struct pmtu_table *table, u32 address, u32 mtu)
{
	struct pmtu_ent *ent = kmem_cache_alloc(pmtu_cache, GFP_KERNEL);

	if (!ent)
		return -ENOMEM;
	ent->address = address;
	ent->mtu = mtu;
	ent->learnt = get_jiffies_64();
	spin_lock(&table->lock);
	hlist_add_head(&ent->hash, &table->buckets[address % PMTU_BUCKETS]);
	list_add_tail(&ent->lru, &table->lru);
	if (++table->count > PMTU_KEEP)
		pmtu_expire_oldest(table);
	spin_unlock(&table->lock);
	return 0;
}

static ssize_t pmtu_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 addresses, address;
	int error = kstrtou32_from_user(ubuf, count, 0, &addresses);

	for (address = 0; !error && address < addresses; address++)
		error = pmtu_learn(pmtu, 0x0a000000 + address, 1400);
	return error ? error : count;
}

static const struct file_operations pmtu_fops = { .owner = THIS_MODULE, .write = pmtu_write };

static struct miscdevice pmtu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pmtucache",
	.fops = &pmtu_fops,
};

static void pmtu_construct(void *object)
{
	memset(object, 0, sizeof(struct pmtu_ent));
}

static int __init pmtu_init(void)
{
	pmtu = kzalloc(sizeof(*pmtu), GFP_KERNEL);
	pmtu_cache = kmem_cache_create("pmtu_ent", sizeof(struct pmtu_ent), 0, 0, pmtu_construct);
	if (!pmtu || !pmtu_cache)
		return -ENOMEM;
	spin_lock_init(&pmtu->lock);
	INIT_LIST_HEAD(&pmtu->lru);
	return misc_register(&pmtu_misc);
}

module_init(pmtu_init);
MODULE_DESCRIPTION("Inquest lab: path MTUs");
MODULE_LICENSE("GPL");
