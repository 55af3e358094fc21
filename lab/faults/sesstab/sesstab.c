// SPDX-License-Identifier: GPL-2.0
/* A table of sessions, read through /proc/sesstab. Idle sessions are dropped by delayed work. */
#include <linux/module.h>
#include <linux/hashtable.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct sess_counters {
	u64 hits;
	u64 misses;
	u64 bytes;
};

struct sess_entry {
	u32 id;
	u32 peer;
	struct hlist_node node;
	unsigned long last_used;
	struct sess_counters *counters;
	char tag[24];
};

static DEFINE_HASHTABLE(sess_table, 4);
static DEFINE_MUTEX(sess_lock);
/* The session that was looked up last: most readers ask for the same one again. */
static struct sess_entry *sess_recent;
static struct delayed_work sess_reaper;

static struct sess_entry *sess_lookup(u32 id)
{
	struct sess_entry *entry;

	if (sess_recent)
		return sess_recent;
	hash_for_each_possible(sess_table, entry, node, id) {
		if (entry->id == id) {
			sess_recent = entry;
			return entry;
		}
	}
	return NULL;
}

static inline u64 sess_ratio(const struct sess_counters *counters)
{
	u64 all = counters->hits + counters->misses;

	return all ? counters->hits * 100 >> ilog2(all) : 0;
}

static noinline void sess_print(struct seq_file *file, struct sess_entry *entry)
{
	seq_printf(file, "%u ", entry->id);
	seq_printf(file, "%llu%%\n", sess_ratio(entry->counters));
}

static int sess_show(struct seq_file *file, void *unused)
{
	struct sess_entry *entry;

	mutex_lock(&sess_lock);
	entry = sess_lookup(7);
	if (entry)
		sess_print(file, entry);
	mutex_unlock(&sess_lock);
	return 0;
}

static void sess_drop(struct sess_entry *entry)
{
	hash_del(&entry->node);
	kfree(entry->counters);
	kfree(entry);
}

static void sess_reap(struct work_struct *work)
{
	struct sess_entry *entry;
	struct hlist_node *next;
	int bucket;

	mutex_lock(&sess_lock);
	hash_for_each_safe(sess_table, bucket, next, entry, node)
		if (time_after(jiffies, entry->last_used + HZ / 2))
			sess_drop(entry);
	mutex_unlock(&sess_lock);
	schedule_delayed_work(&sess_reaper, HZ / 4);
}

static int sess_add(u32 id)
{
	struct sess_entry *entry = kzalloc(sizeof(*entry), GFP_KERNEL);

	if (!entry)
		return -ENOMEM;
	entry->counters = kzalloc(sizeof(*entry->counters), GFP_KERNEL);
	entry->id = id;
	entry->last_used = jiffies;
	snprintf(entry->tag, sizeof(entry->tag), "peer-%u", id);
	hash_add(sess_table, &entry->node, id);
	return 0;
}

static int __init sess_init(void)
{
	u32 id;

	for (id = 0; id < 12; id++)
		sess_add(id);
	INIT_DELAYED_WORK(&sess_reaper, sess_reap);
	schedule_delayed_work(&sess_reaper, HZ / 4);
	return proc_create_single("sesstab", 0444, NULL, sess_show) ? 0 : -ENOMEM;
}

static void __exit sess_exit(void)
{
}

module_init(sess_init);
module_exit(sess_exit);
MODULE_DESCRIPTION("Session table");
MODULE_LICENSE("GPL");
