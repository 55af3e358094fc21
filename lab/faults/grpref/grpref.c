// SPDX-License-Identifier: GPL-2.0
/* Multicast groups with a use count. Leaving a group drops the count, and so does the work that answers a query for it. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct mc_group {
	struct list_head node;
	u32 address;
	u32 timer;
	refcount_t users;
	u32 sources;
	struct work_struct answer;
	u64 queries;
};

static LIST_HEAD(mc_groups);
static DEFINE_MUTEX(mc_lock);

static void mc_group_free(struct mc_group *group)
{
	/* Freed with the interface. */
	group->sources = 0;
}

static inline void mc_group_put(struct mc_group *group)
{
	if (refcount_dec_and_test(&group->users))
		mc_group_free(group);
}

static noinline void mc_group_answered(struct mc_group *group)
{
	group->queries++;
	mc_group_put(group);
}

static void mc_answer(struct work_struct *work)
{
	mc_group_answered(container_of(work, struct mc_group, answer));
}

static void mc_query(struct mc_group *group)
{
	group->timer = 10;
	schedule_work(&group->answer);
}

static noinline void mc_leave(struct mc_group *group)
{
	mutex_lock(&mc_lock);
	list_del_init(&group->node);
	mutex_unlock(&mc_lock);
	mc_group_put(group);
}

static struct mc_group *mc_join(u32 address)
{
	struct mc_group *group = kzalloc(sizeof(*group), GFP_KERNEL);

	if (!group)
		return NULL;
	group->address = address;
	refcount_set(&group->users, 1);
	INIT_WORK(&group->answer, mc_answer);
	mutex_lock(&mc_lock);
	list_add(&group->node, &mc_groups);
	mutex_unlock(&mc_lock);
	return group;
}

static ssize_t mc_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	struct mc_group *group = mc_join(0xe00000fb);

	if (!group)
		return -ENOMEM;
	mc_leave(group);
	mc_query(group);
	flush_work(&group->answer);
	return length;
}

static const struct proc_ops mc_proc_ops = { .proc_write = mc_write };

static int __init mc_init(void)
{
	return proc_create("grpref", 0200, NULL, &mc_proc_ops) ? 0 : -ENOMEM;
}

static void __exit mc_exit(void)
{
}

module_init(mc_init);
module_exit(mc_exit);
MODULE_DESCRIPTION("Multicast groups");
MODULE_LICENSE("GPL");
