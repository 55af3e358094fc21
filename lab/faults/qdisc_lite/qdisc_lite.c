// SPDX-License-Identifier: GPL-2.0
/* Classes of a packet scheduler in a tree by deadline; the next one to serve is the leftmost. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct sched_class_stats {
	u64 packets;
	u64 bytes;
	u32 drops;
	u32 overlimits;
};

struct shaper_class {
	u32 id;
	u32 quantum;
	struct sched_class_stats stats;
	u64 deadline;
	u32 backlog;
	u32 active;
	struct rb_node node;
};

struct shaper {
	spinlock_t lock;
	struct rb_root_cached tree;
	struct timer_list watchdog;
	u32 classes;
	u64 served;
};

static struct shaper *shaper;

static inline struct shaper_class *shaper_next(struct shaper *shaper)
{
	return rb_entry(rb_first_cached(&shaper->tree), struct shaper_class, node);
}

static noinline void shaper_class_serve(struct shaper *shaper, struct shaper_class *class)
{
	u32 sent = min(class->backlog, class->quantum);

	class->backlog -= sent;
	class->stats.bytes += sent;
	shaper->served += sent;
}

static noinline void shaper_dequeue(struct shaper *shaper)
{
	struct shaper_class *class = shaper_next(shaper);

	shaper_class_serve(shaper, class);
	if (class->backlog == 0) {
		rb_erase_cached(&class->node, &shaper->tree);
		class->active = 0;
	}
}

static void shaper_watchdog(struct timer_list *timer)
{
	struct shaper *shaper = container_of(timer, struct shaper, watchdog);

	spin_lock(&shaper->lock);
	shaper_dequeue(shaper);
	spin_unlock(&shaper->lock);
	mod_timer(timer, jiffies + 2);
}

static bool shaper_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct shaper_class, node)->deadline < rb_entry(b, struct shaper_class, node)->deadline;
}

static void shaper_insert(struct shaper *shaper, struct shaper_class *class)
{
	struct rb_node **link = &shaper->tree.rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (shaper_less(&class->node, parent)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(&class->node, parent, link);
	rb_insert_color_cached(&class->node, &shaper->tree, leftmost);
	class->active = 1;
}

static ssize_t shaper_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	mod_timer(&shaper->watchdog, jiffies + 2);
	return length;
}

static const struct proc_ops shaper_proc_ops = { .proc_write = shaper_write };

static int __init shaper_init(void)
{
	u32 i;

	shaper = kzalloc(sizeof(*shaper), GFP_KERNEL);
	if (!shaper)
		return -ENOMEM;
	spin_lock_init(&shaper->lock);
	shaper->tree = RB_ROOT_CACHED;
	timer_setup(&shaper->watchdog, shaper_watchdog, 0);
	for (i = 0; i < 5; i++) {
		struct shaper_class *class = kzalloc(sizeof(*class), GFP_KERNEL);

		if (!class)
			return -ENOMEM;
		class->id = i;
		class->quantum = 1500;
		class->backlog = 4000 + i;
		class->deadline = (i * 7) % 5;
		shaper_insert(shaper, class);
		shaper->classes++;
	}
	return proc_create("qdisc_lite", 0200, NULL, &shaper_proc_ops) ? 0 : -ENOMEM;
}

static void __exit shaper_exit(void)
{
}

module_init(shaper_init);
module_exit(shaper_exit);
MODULE_DESCRIPTION("Packet shaper");
MODULE_LICENSE("GPL");
