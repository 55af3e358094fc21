// SPDX-License-Identifier: GPL-2.0
/*
 * A pipe of messages to a daemon. read() waits for a message while it holds the mutex that every other call on the device takes.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

struct ctl_pipe {
	unsigned int queued;
	u32 sequence;
	wait_queue_head_t readers;
	struct mutex mutex;
	char message[64];
};

static struct ctl_pipe ctl_pipe = {
	.readers = __WAIT_QUEUE_HEAD_INITIALIZER(ctl_pipe.readers),
	.mutex = __MUTEX_INITIALIZER(ctl_pipe.mutex),
};

static int ctl_next_message(struct ctl_pipe *pipe, char *to, size_t size)
{
	int error = wait_event_interruptible(pipe->readers, READ_ONCE(pipe->queued) > 0);

	if (error)
		return error;
	pipe->queued--;
	return strscpy(to, pipe->message, size);
}

static int ctl_receive(struct ctl_pipe *pipe, char *to, size_t size)
{
	int length;

	mutex_lock(&pipe->mutex);
	length = ctl_next_message(pipe, to, size);
	mutex_unlock(&pipe->mutex);
	return length;
}

static void ctl_renumber(struct ctl_pipe *pipe)
{
	mutex_lock(&pipe->mutex);
	pipe->sequence = 0;
	mutex_unlock(&pipe->mutex);
}

static void ctl_announce(struct ctl_pipe *pipe)
{
	pipe->sequence++;
	WRITE_ONCE(pipe->queued, pipe->queued + 1);
	wake_up_interruptible(&pipe->readers);
}

static ssize_t ctl_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[64];
	int length = ctl_receive(&ctl_pipe, line, sizeof(line));

	if (length < 0)
		return length;
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static ssize_t ctl_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char word;

	if (count == 0 || get_user(word, ubuf))
		return -EFAULT;
	if (word == 'r')
		ctl_renumber(&ctl_pipe);
	else
		ctl_announce(&ctl_pipe);
	return count;
}

static const struct file_operations ctl_fops = {
	.owner = THIS_MODULE,
	.read = ctl_read,
	.write = ctl_write,
};

static struct miscdevice ctl_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ctlpipe",
	.fops = &ctl_fops,
};

module_misc_device(ctl_misc);
MODULE_DESCRIPTION("Inquest lab: messages to a daemon");
MODULE_LICENSE("GPL");
