// SPDX-License-Identifier: GPL-2.0
/* A tree of gated clocks. Their providers may come later, so that a lookup says to try again. */
#include <linux/module.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct gate_clk {
	const char *name;
	u32 id;
	u32 enabled;
	struct gate_clk *parent;
	unsigned long rate;
	u32 divider;
	struct list_head node;
};

static LIST_HEAD(gate_clks);
static DEFINE_MUTEX(gate_lock);

static struct gate_clk *gate_clk_get(u32 id)
{
	struct gate_clk *clk;

	list_for_each_entry(clk, &gate_clks, node)
		if (clk->id == id)
			return clk;
	return ERR_PTR(-EPROBE_DEFER);
}

static noinline unsigned long gate_clk_rate(struct gate_clk *clk)
{
	unsigned long rate = 24000000;

	if (clk->parent)
		rate = gate_clk_rate(clk->parent);
	return clk->divider ? rate / clk->divider : rate;
}

static noinline int gate_clk_set_rate(struct gate_clk *clk, unsigned long rate)
{
	unsigned long now = gate_clk_rate(clk);

	if (now == rate)
		return 0;
	clk->divider = 1;
	clk->rate = rate;
	return 1;
}

static noinline int gate_apply(u32 id, unsigned long rate)
{
	struct gate_clk *clk;
	int ret;

	mutex_lock(&gate_lock);
	clk = gate_clk_get(id);
	ret = gate_clk_set_rate(clk, rate);
	mutex_unlock(&gate_lock);
	return ret;
}

static ssize_t gate_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	char text[16] = "";
	unsigned int id;

	if (copy_from_user(text, from, min(length, sizeof(text) - 1)) || kstrtouint(strim(text), 0, &id))
		return -EINVAL;
	gate_apply(id, 12000000);
	return length;
}

static const struct file_operations gate_fops = { .owner = THIS_MODULE, .write = gate_write };
static struct miscdevice gate_device = { .minor = MISC_DYNAMIC_MINOR, .name = "clkgate", .fops = &gate_fops };

static int __init gate_init(void)
{
	struct gate_clk *parent = NULL;
	u32 id;

	for (id = 1; id <= 3; id++) {
		struct gate_clk *clk = kzalloc(sizeof(*clk), GFP_KERNEL);

		if (!clk)
			return -ENOMEM;
		clk->name = "pll";
		clk->id = id;
		clk->parent = parent;
		clk->divider = id;
		list_add(&clk->node, &gate_clks);
		parent = clk;
	}
	return misc_register(&gate_device);
}

static void __exit gate_exit(void)
{
	misc_deregister(&gate_device);
}

module_init(gate_init);
module_exit(gate_exit);
MODULE_DESCRIPTION("Gated clocks");
MODULE_LICENSE("GPL");
