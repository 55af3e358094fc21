// SPDX-License-Identifier: GPL-2.0
/* Packets put off to a tasklet; each kind has its handler in a table. */
#include <linux/module.h>
#include <linux/interrupt.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

struct defer_packet;
typedef int (*defer_handler)(struct defer_packet *packet);

struct defer_packet {
	u16 kind;
	u16 length;
	u32 mark;
	struct defer_packet *next;
	u8 data[32];
};

struct defer_queue {
	struct defer_packet *head;
	struct tasklet_struct tasklet;
	u32 handled;
	u32 results[8];
};

static struct defer_queue *defer_queue;

static int defer_control(struct defer_packet *packet)
{
	return packet->length;
}

static int defer_data(struct defer_packet *packet)
{
	return packet->data[0] + packet->length;
}

static defer_handler defer_handlers[8] = {
	[0] = defer_control,
	[1] = defer_data,
	[2] = defer_data,
	[4] = defer_control,
};

static noinline int defer_dispatch(struct defer_packet *packet)
{
	return defer_handlers[packet->kind & 7](packet);
}

static void defer_run(unsigned long data)
{
	struct defer_queue *queue = (struct defer_queue *)data;
	struct defer_packet *packet;

	while ((packet = queue->head) != NULL) {
		queue->head = packet->next;
		queue->results[packet->kind & 7] = defer_dispatch(packet);
		queue->handled++;
	}
}

static ssize_t defer_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u16 kind;

	for (kind = 0; kind < 4; kind++) {
		struct defer_packet *packet = kzalloc(sizeof(*packet), GFP_KERNEL);

		if (!packet)
			return -ENOMEM;
		packet->kind = 3 - kind;
		packet->length = 64;
		packet->next = defer_queue->head;
		defer_queue->head = packet;
	}
	tasklet_schedule(&defer_queue->tasklet);
	return length;
}

static const struct proc_ops defer_proc_ops = { .proc_write = defer_write };

static int __init defer_init(void)
{
	defer_queue = kzalloc(sizeof(*defer_queue), GFP_KERNEL);
	if (!defer_queue)
		return -ENOMEM;
	tasklet_init(&defer_queue->tasklet, defer_run, (unsigned long)defer_queue);
	return proc_create("pktdefer", 0200, NULL, &defer_proc_ops) ? 0 : -ENOMEM;
}

static void __exit defer_exit(void)
{
}

module_init(defer_init);
module_exit(defer_exit);
MODULE_DESCRIPTION("Deferred packets");
MODULE_LICENSE("GPL");
