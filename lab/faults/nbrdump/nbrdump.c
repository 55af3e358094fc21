// SPDX-License-Identifier: GPL-2.0
/*
 * Neighbours dumped to a reader under rcu_read_lock(). When the reader's buffer is full, the dump waits for room without leaving the read
 * side.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

struct nbr {
	struct list_head node;
	u32 address;
	u8 lladdr[6];
	struct rcu_head rcu;
};

struct nbr_dump {
	unsigned int used;
	unsigned int size;
	u32 *addresses;
	wait_queue_head_t room;
};

static LIST_HEAD(nbr_list);
static struct nbr_dump *nbr_dump;

static void nbr_dump_one(struct nbr_dump *dump, struct nbr *nbr)
{
	wait_event(dump->room, READ_ONCE(dump->used) < dump->size);
	dump->addresses[dump->used++] = nbr->address;
}

static unsigned int nbr_dump_all(struct nbr_dump *dump)
{
	struct nbr *nbr;
	unsigned int count = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(nbr, &nbr_list, node) {
		nbr_dump_one(dump, nbr);
		count++;
	}
	rcu_read_unlock();
	return count;
}

static void nbr_forget(u32 address)
{
	struct nbr *nbr, *next;

	list_for_each_entry_safe(nbr, next, &nbr_list, node) {
		if (nbr->address != address)
			continue;
		list_del_rcu(&nbr->node);
		kfree_rcu(nbr, rcu);
	}
}

static int nbr_learn(u32 address)
{
	struct nbr *nbr = kzalloc(sizeof(*nbr), GFP_KERNEL);

	if (!nbr)
		return -ENOMEM;
	nbr->address = address;
	list_add_tail_rcu(&nbr->node, &nbr_list);
	return 0;
}

static ssize_t nbr_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16];
	int length = scnprintf(line, sizeof(line), "%u\n", nbr_dump_all(nbr_dump));

	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static ssize_t nbr_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32];
	u32 address;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "learn %x", &address) == 1)
		return nbr_learn(address) ?: count;
	if (sscanf(line, "forget %x", &address) == 1)
		nbr_forget(address);
	else
		return -EINVAL;
	return count;
}

static const struct file_operations nbr_fops = {
	.owner = THIS_MODULE,
	.read = nbr_read,
	.write = nbr_write,
};

static struct miscdevice nbr_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nbrdump",
	.fops = &nbr_fops,
};

static int __init nbr_init(void)
{
	nbr_dump = kzalloc(sizeof(*nbr_dump), GFP_KERNEL);
	if (!nbr_dump)
		return -ENOMEM;
	nbr_dump->size = 4;
	nbr_dump->addresses = kcalloc(nbr_dump->size, sizeof(u32), GFP_KERNEL);
	if (!nbr_dump->addresses)
		return -ENOMEM;
	init_waitqueue_head(&nbr_dump->room);
	return misc_register(&nbr_misc);
}

module_init(nbr_init);
MODULE_DESCRIPTION("Inquest lab: dump of neighbours");
MODULE_LICENSE("GPL");
