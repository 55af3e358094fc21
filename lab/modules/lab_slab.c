// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse of a slab cache of its own (`lab_widget`).
 *   echo MODE > /sys/module/lab_slab/parameters/trigger
 *   uaf       follow a pointer inside a freed object (with poisoning: a fault at 0x6b6b...)
 *   overflow  write past an object, then free it (with red zones: a report)
 *   double    free an object twice
 *   leak      allocate until memory is gone (an OOM panic with panic_on_oom)
 *   list      list_del() of an entry whose neighbour was overwritten
 */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/string.h>

struct lab_widget {
	u64 serial;
	struct lab_widget *peer;
	struct list_head node;
	char label[64];
};

#define LAB_WIDGETS 100

static struct kmem_cache *lab_slab_cache;
static struct lab_widget *lab_slab_widgets[LAB_WIDGETS];
static LIST_HEAD(lab_slab_list);

static struct lab_widget *lab_slab_new(u64 serial)
{
	struct lab_widget *widget = kmem_cache_zalloc(lab_slab_cache, GFP_KERNEL);

	if (!widget)
		return NULL;
	widget->serial = serial;
	widget->peer = widget;
	snprintf(widget->label, sizeof(widget->label), "widget-%llu", serial);
	return widget;
}

static noinline void lab_slab_visit(struct lab_widget *widget)
{
	widget->peer->serial++;
}

static noinline void lab_slab_use_after_free(void)
{
	struct lab_widget *widget = lab_slab_widgets[7];

	kmem_cache_free(lab_slab_cache, widget);
	lab_slab_visit(widget);
}

static noinline void lab_slab_overflow(void)
{
	struct lab_widget *widget = lab_slab_widgets[8];

	memset((char *)widget + sizeof(*widget) - 8, 0x41, 24);
	kmem_cache_free(lab_slab_cache, widget);
}

static noinline void lab_slab_double_free(void)
{
	kmem_cache_free(lab_slab_cache, lab_slab_widgets[9]);
	kmem_cache_free(lab_slab_cache, lab_slab_widgets[9]);
}

static noinline void lab_slab_leak(void)
{
	for (;;) {
		if (!lab_slab_new(~0ULL))
			break;
		cond_resched();
	}
}

static noinline void lab_slab_corrupt_list(void)
{
	struct lab_widget *widget = lab_slab_widgets[50];

	WRITE_ONCE(widget->node.next->prev, (struct list_head *)lab_slab_widgets[3]->label);
	list_del(&widget->node);
}

static int lab_slab_trigger_set(const char *val, const struct kernel_param *kp)
{
	pr_info("lab_slab: trigger %s", val);
	if (sysfs_streq(val, "uaf"))
		lab_slab_use_after_free();
	else if (sysfs_streq(val, "overflow"))
		lab_slab_overflow();
	else if (sysfs_streq(val, "double"))
		lab_slab_double_free();
	else if (sysfs_streq(val, "leak"))
		lab_slab_leak();
	else if (sysfs_streq(val, "list"))
		lab_slab_corrupt_list();
	else
		return -EINVAL;
	return 0;
}

static const struct kernel_param_ops lab_slab_trigger_ops = { .set = lab_slab_trigger_set };
module_param_cb(trigger, &lab_slab_trigger_ops, NULL, 0200);

static int __init lab_slab_init(void)
{
	int i;

	/* SLAB_RECLAIM_ACCOUNT and a constructor would change merging; SLAB_PANIC keeps failure loud. */
	lab_slab_cache = kmem_cache_create("lab_widget", sizeof(struct lab_widget), 0, SLAB_PANIC | SLAB_RECLAIM_ACCOUNT, NULL);
	for (i = 0; i < LAB_WIDGETS; i++) {
		lab_slab_widgets[i] = lab_slab_new(i);
		if (!lab_slab_widgets[i])
			return -ENOMEM;
		list_add_tail(&lab_slab_widgets[i]->node, &lab_slab_list);
	}
	pr_info("lab_slab: loaded\n");
	return 0;
}

module_init(lab_slab_init);
MODULE_DESCRIPTION("Inquest lab: slab misuse");
MODULE_LICENSE("GPL");
