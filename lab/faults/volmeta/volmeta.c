// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata of volumes under one rw_semaphore. A snapshot is taken while the table is read; when the table is full it is made longer, which
 * wants the semaphore for writing.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct vol_entry {
	u32 id;
	u32 origin;
};

struct vol_table {
	unsigned int used;
	unsigned int size;
	struct vol_entry *entries;
	struct rw_semaphore sem;
};

static struct vol_table *vol_table;

static int vol_table_grow(struct vol_table *table)
{
	struct vol_entry *longer = kcalloc(table->size * 2, sizeof(*longer), GFP_KERNEL);

	if (!longer)
		return -ENOMEM;
	down_write(&table->sem);
	memcpy(longer, table->entries, table->used * sizeof(*longer));
	kfree(table->entries);
	table->entries = longer;
	table->size *= 2;
	up_write(&table->sem);
	return 0;
}

static struct vol_entry *vol_new_entry(struct vol_table *table)
{
	if (table->used == table->size && vol_table_grow(table))
		return NULL;
	return &table->entries[table->used++];
}

static int vol_snapshot(struct vol_table *table, u32 origin)
{
	struct vol_entry *entry;
	unsigned int i;
	int error = -ENOENT;

	down_read(&table->sem);
	for (i = 0; i < table->used; i++) {
		if (table->entries[i].id != origin)
			continue;
		entry = vol_new_entry(table);
		error = entry ? 0 : -ENOMEM;
		if (entry) {
			entry->id = table->used;
			entry->origin = origin;
		}
		break;
	}
	up_read(&table->sem);
	return error;
}

static ssize_t vol_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 origin;
	int error = kstrtou32_from_user(ubuf, count, 0, &origin);

	if (!error)
		error = vol_snapshot(vol_table, origin);
	return error ? error : count;
}

static ssize_t vol_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16];
	int length;

	down_read(&vol_table->sem);
	length = scnprintf(line, sizeof(line), "%u\n", vol_table->used);
	up_read(&vol_table->sem);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations vol_fops = {
	.owner = THIS_MODULE,
	.read = vol_read,
	.write = vol_write,
};

static struct miscdevice vol_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "volmeta",
	.fops = &vol_fops,
};

static int __init vol_init(void)
{
	vol_table = kzalloc(sizeof(*vol_table), GFP_KERNEL);
	if (!vol_table)
		return -ENOMEM;
	init_rwsem(&vol_table->sem);
	vol_table->size = 4;
	vol_table->entries = kcalloc(vol_table->size, sizeof(struct vol_entry), GFP_KERNEL);
	if (!vol_table->entries)
		return -ENOMEM;
	vol_new_entry(vol_table)->id = 1;
	return misc_register(&vol_misc);
}

module_init(vol_init);
MODULE_DESCRIPTION("Inquest lab: volumes and snapshots");
MODULE_LICENSE("GPL");
