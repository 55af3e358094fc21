// SPDX-License-Identifier: GPL-2.0
/* Completions of a storage controller: each carries either a driver's buffer or a token of the firmware, as its flags say. */
#include <linux/module.h>
#include <linux/interrupt.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

#define TQ_IMMEDIATE 0x01

struct tq_buffer {
	u32 length;
	u32 state;
	u64 completed_at;
	u8 data[48];
};

struct tq_entry {
	u16 tag;
	u8 flags;
	u8 status;
	u32 bytes;
	union {
		struct tq_buffer *buffer;
		u64 token;
	};
};

struct tq_queue {
	struct tq_entry entries[16];
	u32 head;
	u32 tail;
	u64 tokens;
	struct tasklet_struct reap;
	struct tq_buffer *pool[16];
};

static struct tq_queue *tq_queue;

static noinline void tq_post_buffer(struct tq_queue *queue, u16 tag, u32 bytes)
{
	struct tq_entry *entry = &queue->entries[queue->head++ & 15];

	entry->tag = tag;
	entry->flags = 0;
	entry->bytes = bytes;
	entry->buffer = queue->pool[tag & 15];
}

static noinline void tq_post_token(struct tq_queue *queue, u16 tag, u64 token, u8 flags)
{
	struct tq_entry *entry = &queue->entries[queue->head++ & 15];

	entry->tag = tag;
	entry->flags = flags;
	entry->bytes = 0;
	entry->token = token;
}

static inline void tq_buffer_done(struct tq_buffer *buffer, u32 bytes)
{
	buffer->length = bytes;
	buffer->state = 2;
	buffer->completed_at = jiffies;
}

static noinline void tq_complete(struct tq_queue *queue, struct tq_entry *entry)
{
	if (entry->flags & TQ_IMMEDIATE)
		queue->tokens += entry->token & 0xff;
	else
		tq_buffer_done(entry->buffer, entry->bytes);
	entry->status = 1;
}

static void tq_reap(struct tasklet_struct *tasklet)
{
	struct tq_queue *queue = container_of(tasklet, struct tq_queue, reap);

	while (queue->tail != queue->head)
		tq_complete(queue, &queue->entries[queue->tail++ & 15]);
}

static ssize_t tq_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	tq_post_buffer(tq_queue, 1, 512);
	tq_post_token(tq_queue, 2, 0x00c0000200070041ULL, TQ_IMMEDIATE);
	tq_post_buffer(tq_queue, 3, 4096);
	/* An event of the firmware has flags of its own. */
	tq_post_token(tq_queue, 4, 0x00c0000300090042ULL, 0x80);
	tq_post_buffer(tq_queue, 5, 4096);
	tasklet_schedule(&tq_queue->reap);
	return length;
}

static const struct proc_ops tq_proc_ops = { .proc_write = tq_write };

static int __init tq_init(void)
{
	u32 i;

	tq_queue = kzalloc(sizeof(*tq_queue), GFP_KERNEL);
	if (!tq_queue)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(tq_queue->pool); i++) {
		tq_queue->pool[i] = kzalloc(sizeof(struct tq_buffer), GFP_KERNEL);
		if (!tq_queue->pool[i])
			return -ENOMEM;
	}
	tasklet_setup(&tq_queue->reap, tq_reap);
	return proc_create("tagqueue", 0200, NULL, &tq_proc_ops) ? 0 : -ENOMEM;
}

static void __exit tq_exit(void)
{
}

module_init(tq_init);
module_exit(tq_exit);
MODULE_DESCRIPTION("Tagged completions");
MODULE_LICENSE("GPL");
