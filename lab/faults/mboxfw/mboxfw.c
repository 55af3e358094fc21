// SPDX-License-Identifier: GPL-2.0
/*
 * A mailbox to a controller. A firmware update sends a message and waits for its reply, holding the semaphore that all readers of the
 * version take. The reply to this message has another number than the driver looks for, so nobody completes the request.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/completion.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct mbox_request {
	struct list_head node;
	u16 tag;
	u16 opcode;
	u32 result;
	struct completion reply;
};

struct mbox {
	struct list_head pending;
	spinlock_t pending_lock;
	u16 next_tag;
	struct rw_semaphore fw_sem;
	u32 fw_version;
	struct timer_list doorbell;
	u16 answered_tag;
};

static struct mbox *mbox;

/* The controller's answer. */
static void mbox_doorbell(struct timer_list *timer)
{
	struct mbox *box = container_of(timer, struct mbox, doorbell);
	struct mbox_request *request, *next;

	spin_lock(&box->pending_lock);
	list_for_each_entry_safe(request, next, &box->pending, node) {
		if (request->tag != box->answered_tag)
			continue;
		list_del_init(&request->node);
		complete(&request->reply);
	}
	spin_unlock(&box->pending_lock);
}

static void mbox_post(struct mbox *box, struct mbox_request *request)
{
	spin_lock_bh(&box->pending_lock);
	request->tag = ++box->next_tag;
	list_add_tail(&request->node, &box->pending);
	/* The controller echoes only eight bits of the tag. */
	box->answered_tag = request->tag & 0xff;
	spin_unlock_bh(&box->pending_lock);
	mod_timer(&box->doorbell, jiffies + HZ / 20);
}

static int mbox_transfer(struct mbox *box, u16 opcode, u32 *result)
{
	struct mbox_request *request = kzalloc(sizeof(*request), GFP_KERNEL);

	if (!request)
		return -ENOMEM;
	request->opcode = opcode;
	init_completion(&request->reply);
	mbox_post(box, request);
	wait_for_completion(&request->reply);
	*result = request->result;
	kfree(request);
	return 0;
}

static int mbox_update_firmware(struct mbox *box, u32 version)
{
	u32 result;
	int error;

	down_write(&box->fw_sem);
	error = mbox_transfer(box, 0x21, &result);
	if (!error && !result)
		box->fw_version = version;
	up_write(&box->fw_sem);
	return error;
}

static u32 mbox_version(struct mbox *box)
{
	u32 version;

	down_read(&box->fw_sem);
	version = box->fw_version;
	up_read(&box->fw_sem);
	return version;
}

static ssize_t mbox_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 version;
	int error = kstrtou32_from_user(ubuf, count, 0, &version);

	if (!error)
		error = mbox_update_firmware(mbox, version);
	return error ? error : count;
}

static ssize_t mbox_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16];
	int length = scnprintf(line, sizeof(line), "%u\n", mbox_version(mbox));

	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations mbox_fops = {
	.owner = THIS_MODULE,
	.read = mbox_read,
	.write = mbox_write,
};

static struct miscdevice mbox_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mboxfw",
	.fops = &mbox_fops,
};

static int __init mbox_init(void)
{
	mbox = kzalloc(sizeof(*mbox), GFP_KERNEL);
	if (!mbox)
		return -ENOMEM;
	INIT_LIST_HEAD(&mbox->pending);
	spin_lock_init(&mbox->pending_lock);
	init_rwsem(&mbox->fw_sem);
	timer_setup(&mbox->doorbell, mbox_doorbell, 0);
	mbox->next_tag = 0xfe;
	return misc_register(&mbox_misc);
}

module_init(mbox_init);
MODULE_DESCRIPTION("Inquest lab: mailbox and firmware");
MODULE_LICENSE("GPL");
