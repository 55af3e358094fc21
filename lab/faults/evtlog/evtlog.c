// SPDX-License-Identifier: GPL-2.0
/* Records of events wait for a reader; a channel that is closed takes its records with it. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct log_channel {
	const char *name;
	u32 id;
	u32 records;
	u64 delivered;
};

struct log_record {
	u64 time;
	u32 code;
	u32 length;
	struct log_channel *channel;
	u8 payload[200];
};

struct log_reader {
	struct log_record *current_record;
	struct delayed_work deliver;
	u64 read;
};

static struct log_channel *log_channels[2];
static struct log_record *log_records[8];
static struct log_reader *log_reader;

static noinline struct log_record *log_append(struct log_channel *channel, u32 code)
{
	struct log_record *record = kmalloc(sizeof(*record), GFP_KERNEL);

	if (!record)
		return NULL;
	record->time = jiffies;
	record->code = code;
	record->length = 12;
	record->channel = channel;
	channel->records++;
	return record;
}

static noinline void log_close(struct log_channel *channel)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(log_records); i++) {
		if (!log_records[i] || log_records[i]->channel != channel)
			continue;
		kfree(log_records[i]);
		log_records[i] = NULL;
		channel->records--;
	}
}

static inline void log_channel_account(struct log_channel *channel)
{
	channel->delivered++;
}

static noinline void log_deliver_one(struct log_reader *reader, struct log_record *record)
{
	reader->read += record->length;
	log_channel_account(record->channel);
}

static void log_deliver(struct work_struct *work)
{
	struct log_reader *reader = container_of(to_delayed_work(work), struct log_reader, deliver);

	log_deliver_one(reader, reader->current_record);
}

static ssize_t log_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(log_records); i++)
		log_records[i] = log_append(log_channels[i & 1], 0x100 + i);
	log_reader->current_record = log_records[3];
	schedule_delayed_work(&log_reader->deliver, HZ / 20);
	log_close(log_channels[1]);
	return length;
}

static const struct proc_ops log_proc_ops = { .proc_write = log_write };

static int __init log_init(void)
{
	log_channels[0] = kzalloc(sizeof(struct log_channel), GFP_KERNEL);
	log_channels[1] = kzalloc(sizeof(struct log_channel), GFP_KERNEL);
	log_reader = kzalloc(sizeof(*log_reader), GFP_KERNEL);
	if (!log_channels[0] || !log_channels[1] || !log_reader)
		return -ENOMEM;
	log_channels[0]->name = "boot";
	log_channels[1]->name = "run";
	INIT_DELAYED_WORK(&log_reader->deliver, log_deliver);
	return proc_create("evtlog", 0200, NULL, &log_proc_ops) ? 0 : -ENOMEM;
}

static void __exit log_exit(void)
{
}

module_init(log_init);
module_exit(log_exit);
MODULE_DESCRIPTION("Event log");
MODULE_LICENSE("GPL");
