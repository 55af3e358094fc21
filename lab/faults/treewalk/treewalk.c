// SPDX-License-Identifier: GPL-2.0
/* A tree of device nodes, visited through a callback that visits the children; a node may name an alias to go to instead. */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct tree_node;
typedef int (*tree_visitor)(struct tree_node *node, void *data);

struct tree_node {
	char name[16];
	u32 handle;
	u32 flags;
	struct tree_node *parent;
	struct tree_node *alias;
	struct list_head children;
	struct list_head sibling;
};

struct tree_path {
	char text[160];
	u32 length;
	u32 visited;
};

static struct tree_node *tree_root;

static int tree_visit(struct tree_node *node, tree_visitor visitor, void *data);

static noinline int tree_count(struct tree_node *node, void *data)
{
	struct tree_path path;
	u32 *total = data;

	path.length = scnprintf(path.text, sizeof(path.text), "%s/%s@%x", node->parent ? node->parent->name : "", node->name, node->handle);
	path.visited = ++*total;
	if (node->flags & 0x80000000)
		pr_debug("%s\n", path.text);
	return tree_visit(node, tree_count, data) + (path.text[path.length / 2] == '/');
}

static noinline int tree_visit(struct tree_node *node, tree_visitor visitor, void *data)
{
	struct tree_node *child;
	int ret = 0;

	if (node->alias)
		return visitor(node->alias, data) + 1;
	list_for_each_entry(child, &node->children, sibling)
		ret += visitor(child, data);
	return ret;
}

static ssize_t tree_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 total = 0;

	pr_info("treewalk: %d\n", tree_count(tree_root, &total));
	return length;
}

static const struct proc_ops tree_proc_ops = { .proc_write = tree_write };

static struct tree_node *tree_add(struct tree_node *parent, const char *name, u32 handle)
{
	struct tree_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

	if (!node)
		return NULL;
	strscpy(node->name, name, sizeof(node->name));
	node->handle = handle;
	node->parent = parent;
	INIT_LIST_HEAD(&node->children);
	if (parent)
		list_add_tail(&node->sibling, &parent->children);
	return node;
}

static int __init tree_init(void)
{
	struct tree_node *soc, *serial;

	tree_root = tree_add(NULL, "", 0);
	soc = tree_root ? tree_add(tree_root, "soc", 0x10) : NULL;
	serial = soc ? tree_add(soc, "serial", 0x11) : NULL;
	if (!serial)
		return -ENOMEM;
	/* An alias of an alias of itself. */
	serial->alias = soc;
	return proc_create("treewalk", 0200, NULL, &tree_proc_ops) ? 0 : -ENOMEM;
}

static void __exit tree_exit(void)
{
}

module_init(tree_init);
module_exit(tree_exit);
MODULE_DESCRIPTION("Device tree walk");
MODULE_LICENSE("GPL");
