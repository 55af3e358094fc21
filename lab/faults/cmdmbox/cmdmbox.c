// SPDX-License-Identifier: GPL-2.0
/* A mailbox to a controller: a reply is copied into the command it belongs to, behind which the command's owner is kept. */
#include <linux/module.h>
#include <linux/completion.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

struct mbox_client {
	u32 id;
	u32 credits;
	u64 replies;
};

struct mbox_reply {
	u16 opcode;
	u16 length;
	u32 values[30];
};

struct mbox_command {
	u16 opcode;
	u16 status;
	u32 tag;
	u32 values[12];
	struct mbox_client *client;
	u64 started;
};

struct mbox {
	struct mbox_client clients[4];
	struct mbox_command commands[8];
	struct mbox_reply reply;
	struct work_struct receive;
	u32 next;
};

static struct mbox *mbox;

static noinline void mbox_copy_reply(struct mbox_command *command, const struct mbox_reply *reply)
{
	void *to = command->values;

	command->opcode = reply->opcode;
	memcpy(to, reply->values, reply->length);
}

static inline void mbox_client_done(struct mbox_client *client)
{
	client->credits++;
	client->replies++;
}

static noinline void mbox_finish(struct mbox_command *command)
{
	command->status = 1;
	mbox_client_done(command->client);
}

static void mbox_receive(struct work_struct *work)
{
	struct mbox *mbox = container_of(work, struct mbox, receive);
	struct mbox_command *command = &mbox->commands[mbox->next++ & 7];

	mbox_copy_reply(command, &mbox->reply);
	mbox_finish(command);
}

static void mbox_answer(struct mbox *mbox, u16 length)
{
	u32 i;

	mbox->reply.opcode = 0x40;
	mbox->reply.length = length;
	for (i = 0; i < ARRAY_SIZE(mbox->reply.values); i++)
		mbox->reply.values[i] = 0x00020001 * i;
	schedule_work(&mbox->receive);
	flush_work(&mbox->receive);
}

static ssize_t mbox_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	mbox_answer(mbox, 40);
	mbox_answer(mbox, 48);
	/* A newer firmware says more. */
	mbox_answer(mbox, 56);
	return length;
}

static const struct proc_ops mbox_proc_ops = { .proc_write = mbox_write };

static int __init mbox_init(void)
{
	u32 i;

	mbox = kzalloc(sizeof(*mbox), GFP_KERNEL);
	if (!mbox)
		return -ENOMEM;
	for (i = 0; i < 8; i++) {
		mbox->commands[i].tag = i;
		mbox->commands[i].client = &mbox->clients[i & 3];
	}
	INIT_WORK(&mbox->receive, mbox_receive);
	return proc_create("cmdmbox", 0200, NULL, &mbox_proc_ops) ? 0 : -ENOMEM;
}

static void __exit mbox_exit(void)
{
}

module_init(mbox_init);
module_exit(mbox_exit);
MODULE_DESCRIPTION("Controller mailbox");
MODULE_LICENSE("GPL");
