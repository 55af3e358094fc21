// SPDX-License-Identifier: GPL-2.0
/* Pages with a header that says what they are of; a page of another kind is reported. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

#define PAGE_KIND_LEAF	0x4c45
#define PAGE_KIND_NODE	0x4e4f

struct page_header {
	u16 kind;
	u16 level;
	u32 generation;
	u64 number;
};

struct tree_page {
	struct page_header header;
	u32 keys;
	u32 free;
	u64 children[14];
};

static struct tree_page *pages[8];

static noinline int page_check(const struct tree_page *page, u16 kind)
{
	if (WARN_ON(page->header.kind != kind))
		return -EINVAL;
	return page->keys;
}

static noinline int page_descend(u32 number)
{
	struct tree_page *page = pages[number];
	int keys = page_check(page, page->header.level ? PAGE_KIND_NODE : PAGE_KIND_LEAF);

	return keys > 0 && page->header.level ? page_descend(page->children[0] & 7) : keys;
}

static ssize_t page_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	pr_info("crcpage: %d keys\n", page_descend(1));
	pr_info("crcpage: %d keys\n", page_descend(0));
	return length;
}

static const struct proc_ops page_proc_ops = { .proc_write = page_write };

static int __init page_init(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		pages[i] = kzalloc(sizeof(*pages[i]), GFP_KERNEL);
		if (!pages[i])
			return -ENOMEM;
		pages[i]->header.number = i;
		pages[i]->header.level = i == 0 ? 1 : 0;
		pages[i]->header.kind = i == 0 || i == 5 ? PAGE_KIND_NODE : PAGE_KIND_LEAF;
		pages[i]->keys = 3;
	}
	/* Page 5 was reused as a node, and is still a child of page 0. */
	pages[0]->children[0] = 5;
	return proc_create("crcpage", 0200, NULL, &page_proc_ops) ? 0 : -ENOMEM;
}

static void __exit page_exit(void)
{
}

module_init(page_init);
module_exit(page_exit);
MODULE_DESCRIPTION("Pages of a tree");
MODULE_LICENSE("GPL");
