// SPDX-License-Identifier: GPL-2.0
/* Messages between hosts. The sender frees a message that could not be queued; so does the queue when it refuses one. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct slot_message {
	u32 source;
	u32 target;
	u16 type;
	u16 length;
	u32 sequence;
	u8 payload[176];
};

struct slot_queue {
	u32 limit;
	u32 depth;
	u64 refused;
	struct slot_message *messages[8];
};

static struct slot_queue *slot_queue;
static u32 slot_sequence;

static noinline void slot_message_put(struct slot_message *message)
{
	message->type = 0;
	kfree(message);
}

static noinline int slot_enqueue(struct slot_queue *queue, struct slot_message *message)
{
	if (queue->depth >= queue->limit) {
		queue->refused++;
		slot_message_put(message);
		return -ENOSPC;
	}
	queue->messages[queue->depth++] = message;
	return 0;
}

static noinline int slot_send(struct slot_queue *queue, u32 target, u16 type)
{
	struct slot_message *message = kzalloc(sizeof(*message), GFP_KERNEL);
	int ret;

	if (!message)
		return -ENOMEM;
	message->target = target;
	message->type = type;
	message->sequence = slot_sequence++;
	ret = slot_enqueue(queue, message);
	if (ret)
		slot_message_put(message);
	return ret;
}

static ssize_t slot_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	while (slot_send(slot_queue, 17, 0x8001) == 0)
		;
	return length;
}

static const struct proc_ops slot_proc_ops = { .proc_write = slot_write };

static int __init slot_init(void)
{
	slot_queue = kzalloc(sizeof(*slot_queue), GFP_KERNEL);
	if (!slot_queue)
		return -ENOMEM;
	slot_queue->limit = ARRAY_SIZE(slot_queue->messages);
	return proc_create("msgslot", 0200, NULL, &slot_proc_ops) ? 0 : -ENOMEM;
}

static void __exit slot_exit(void)
{
}

module_init(slot_init);
module_exit(slot_exit);
MODULE_DESCRIPTION("Messages between hosts");
MODULE_LICENSE("GPL");
