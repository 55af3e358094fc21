// SPDX-License-Identifier: GPL-2.0
/* Messages of a management controller, assembled from packets into a buffer on the stack. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

struct hw_packet {
	u8 sequence;
	u8 length;
	u8 data[62];
};

struct hw_inbox {
	struct work_struct work;
	u32 count;
	u32 received;
	u64 sum;
	struct hw_packet packets[6];
};

static struct hw_inbox *inbox;

static noinline size_t hw_assemble(const struct hw_inbox *inbox, u8 *to)
{
	size_t at = 0;
	u32 i;

	for (i = 0; i < inbox->count; i++) {
		const struct hw_packet *packet = &inbox->packets[i];
		u8 n;

		for (n = 0; n < packet->length; n++)
			to[at++] = packet->data[n];
	}
	return at;
}

static noinline void hw_message(struct hw_inbox *inbox)
{
	u8 message[96];
	size_t length, i;

	length = hw_assemble(inbox, message);
	for (i = 0; i < length && i < sizeof(message); i++)
		inbox->sum += message[i];
	inbox->received++;
}

static void hw_work(struct work_struct *work)
{
	hw_message(container_of(work, struct hw_inbox, work));
}

static void hw_receive(struct hw_inbox *inbox, u32 packets)
{
	u32 i;

	for (i = 0; i < packets; i++) {
		inbox->packets[i].sequence = i;
		inbox->packets[i].length = i == packets - 1 ? 18 : 48;
		memset(inbox->packets[i].data, 'a' + i, sizeof(inbox->packets[i].data));
	}
	inbox->count = packets;
	schedule_work(&inbox->work);
	flush_work(&inbox->work);
}

static ssize_t hw_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	hw_receive(inbox, 2);
	hw_receive(inbox, 3);
	return length;
}

static const struct proc_ops hw_proc_ops = { .proc_write = hw_write };

static int __init hw_init(void)
{
	inbox = kzalloc(sizeof(*inbox), GFP_KERNEL);
	if (!inbox)
		return -ENOMEM;
	INIT_WORK(&inbox->work, hw_work);
	return proc_create("hwmsg", 0200, NULL, &hw_proc_ops) ? 0 : -ENOMEM;
}

static void __exit hw_exit(void)
{
}

module_init(hw_init);
module_exit(hw_exit);
MODULE_DESCRIPTION("Messages of a management controller");
MODULE_LICENSE("GPL");
