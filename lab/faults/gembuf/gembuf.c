// SPDX-License-Identifier: GPL-2.0
/*
 * Buffer objects of a graphics card: each is an unlinked shmem file. A context that is closed puts its objects; a shared one is counted twice.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct gem_object {
	struct kref refs;
	struct list_head link;
	struct file *backing;
	size_t size;
	bool shared;
};

struct gem_context {
	struct list_head objects;
	u32 count;
};

static void gem_release(struct kref *refs)
{
	struct gem_object *object = container_of(refs, struct gem_object, refs);

	fput(object->backing);
	kfree(object);
}

static int gem_populate(struct gem_object *object)
{
	struct address_space *mapping = object->backing->f_mapping;
	pgoff_t index;

	for (index = 0; index < object->size >> PAGE_SHIFT; index++) {
		struct page *page = shmem_read_mapping_page(mapping, index);

		if (IS_ERR(page))
			return PTR_ERR(page);
		memset(page_address(page), 0x20 + index % 64, PAGE_SIZE);
		set_page_dirty(page);
		put_page(page);
	}
	return 0;
}

static struct gem_object *gem_create(size_t size, bool shared)
{
	struct gem_object *object = kzalloc(sizeof(*object), GFP_KERNEL);

	if (!object)
		return ERR_PTR(-ENOMEM);
	kref_init(&object->refs);
	object->size = size;
	object->shared = shared;
	object->backing = shmem_file_setup("gem object", size, VM_NORESERVE);
	if (IS_ERR(object->backing)) {
		int err = PTR_ERR(object->backing);

		kfree(object);
		return ERR_PTR(err);
	}
	return object;
}

static int gem_add(struct gem_context *ctx, size_t size, bool shared)
{
	struct gem_object *object = gem_create(size, shared);
	int err;

	if (IS_ERR(object))
		return PTR_ERR(object);
	err = gem_populate(object);
	if (err) {
		kref_put(&object->refs, gem_release);
		return err;
	}
	/* Whom it is exported to has a reference as well. */
	if (shared)
		kref_get(&object->refs);
	list_add_tail(&object->link, &ctx->objects);
	ctx->count++;
	return 0;
}

static int gem_open(struct inode *inode, struct file *file)
{
	struct gem_context *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return -ENOMEM;
	INIT_LIST_HEAD(&ctx->objects);
	file->private_data = ctx;
	return 0;
}

static int gem_close(struct inode *inode, struct file *file)
{
	struct gem_context *ctx = file->private_data;
	struct gem_object *object, *next;

	list_for_each_entry_safe(object, next, &ctx->objects, link) {
		list_del(&object->link);
		kref_put(&object->refs, gem_release);
	}
	kfree(ctx);
	return 0;
}

static ssize_t gem_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32] = {};
	char kind;
	u32 pages;
	int err;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (sscanf(line, "%c %u", &kind, &pages) != 2 || pages == 0 || pages > 4096)
		return -EINVAL;
	err = gem_add(file->private_data, (size_t)pages << PAGE_SHIFT, kind == 's');
	return err ?: count;
}

static const struct file_operations gem_fops = {
	.owner = THIS_MODULE,
	.open = gem_open,
	.release = gem_close,
	.write = gem_write,
};

static struct miscdevice gem_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gembuf",
	.fops = &gem_fops,
};

module_misc_device(gem_misc);
MODULE_DESCRIPTION("Inquest lab: buffer objects of a graphics card");
MODULE_LICENSE("GPL");
