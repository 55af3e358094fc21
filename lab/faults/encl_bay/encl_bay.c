// SPDX-License-Identifier: GPL-2.0
/*
 * A storage enclosure: bays with an LED and a drive each; a work item scans them again after a change.
 *
 *   echo led SLOT > /dev/encl0     set the LED of a bay (bay->lock, then host->topo_lock)
 *   echo rescan > /dev/encl0       look at every bay    (host->topo_lock, then bay->lock)
 *   cat /dev/encl0                 number of drives     (host->topo_lock)
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#define ENCL_SLOTS 12

struct encl_bay {
	struct list_head node;
	struct encl_host *host;
	unsigned int slot;
	u8 led;
	u8 present;
	struct mutex lock;
	u64 wwn;
};

struct encl_host {
	struct list_head bays;
	struct mutex topo_lock;
	u32 generation;
	u32 drives;
	struct work_struct rescan;
	struct workqueue_struct *wq;
};

static struct encl_host *encl;

static inline void encl_ses_transaction(unsigned int page)
{
	/* A SES page goes over the wire: slow. */
	msleep(page == 2 ? 700 : 60);
}

static struct encl_bay *encl_find_bay(struct encl_host *host, unsigned int slot)
{
	struct encl_bay *bay;

	list_for_each_entry(bay, &host->bays, node)
		if (bay->slot == slot)
			return bay;
	return NULL;
}

static void encl_account_change(struct encl_host *host)
{
	mutex_lock(&host->topo_lock);
	host->generation++;
	mutex_unlock(&host->topo_lock);
}

static int encl_set_led(struct encl_bay *bay, u8 value)
{
	mutex_lock(&bay->lock);
	if (bay->led != value) {
		bay->led = value;
		encl_ses_transaction(2);
		encl_account_change(bay->host);
	}
	mutex_unlock(&bay->lock);
	return 0;
}

static bool encl_probe_bay(struct encl_bay *bay)
{
	bool present;

	encl_ses_transaction(10);
	mutex_lock(&bay->lock);
	bay->present = bay->wwn != 0;
	present = bay->present;
	mutex_unlock(&bay->lock);
	return present;
}

static void encl_rescan_work(struct work_struct *work)
{
	struct encl_host *host = container_of(work, struct encl_host, rescan);
	struct encl_bay *bay;
	u32 drives = 0;

	mutex_lock(&host->topo_lock);
	list_for_each_entry(bay, &host->bays, node)
		drives += encl_probe_bay(bay);
	host->drives = drives;
	mutex_unlock(&host->topo_lock);
}

static ssize_t encl_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32];
	unsigned int slot;
	struct encl_bay *bay;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "led %u", &slot) == 1) {
		bay = encl_find_bay(encl, slot);
		if (!bay)
			return -ENODEV;
		encl_set_led(bay, !bay->led);
	} else if (!strncmp(line, "rescan", 6)) {
		queue_work(encl->wq, &encl->rescan);
	} else {
		return -EINVAL;
	}
	return count;
}

static ssize_t encl_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32];
	int length;

	mutex_lock(&encl->topo_lock);
	length = scnprintf(line, sizeof(line), "%u drives\n", encl->drives);
	mutex_unlock(&encl->topo_lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations encl_fops = {
	.owner = THIS_MODULE,
	.read = encl_read,
	.write = encl_write,
};

static struct miscdevice encl_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "encl0",
	.fops = &encl_fops,
};

static int __init encl_init(void)
{
	unsigned int slot;

	encl = kzalloc(sizeof(*encl), GFP_KERNEL);
	if (!encl)
		return -ENOMEM;
	INIT_LIST_HEAD(&encl->bays);
	mutex_init(&encl->topo_lock);
	INIT_WORK(&encl->rescan, encl_rescan_work);
	encl->wq = alloc_workqueue("encl_rescan", 0, 1);
	for (slot = 0; slot < ENCL_SLOTS; slot++) {
		struct encl_bay *bay = kzalloc(sizeof(*bay), GFP_KERNEL);

		if (!bay)
			break;
		bay->slot = slot;
		bay->host = encl;
		bay->wwn = 0x5000c50000000000ULL + slot;
		mutex_init(&bay->lock);
		list_add_tail(&bay->node, &encl->bays);
	}
	return misc_register(&encl_misc);
}

module_init(encl_init);
MODULE_DESCRIPTION("Inquest lab: enclosure with bays");
MODULE_LICENSE("GPL");
