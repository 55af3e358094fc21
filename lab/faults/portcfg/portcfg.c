// SPDX-License-Identifier: GPL-2.0
/* Settings of a serial multiplexer's ports, a line of text each; the ports lie side by side in one array. */
#include <linux/module.h>
#include <linux/ctype.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct mux_port;

struct mux_discipline {
	int (*open)(struct mux_port *port);
	int (*receive)(struct mux_port *port, const u8 *data, u32 length);
	u32 id;
	u32 flags;
};

struct mux_port {
	const struct mux_discipline *discipline;
	u32 line;
	u32 speed;
	u64 received;
	char label[24];
};

struct mux {
	u32 count;
	struct mux_port *ports;
	char command[96];
};

static struct mux *mux;

static int mux_raw_receive(struct mux_port *port, const u8 *data, u32 length)
{
	port->received += length;
	return length;
}

static const struct mux_discipline mux_raw = { .receive = mux_raw_receive, .id = 3 };

static noinline void mux_set_label(struct mux_port *port, const char *text)
{
	char *to = port->label;

	while (*text && !isspace(*text))
		*to++ = *text++;
	*to = '\0';
}

static noinline int mux_port_receive(struct mux_port *port, const u8 *data, u32 length)
{
	const struct mux_discipline *discipline = port->discipline;

	if (discipline->flags & 1)
		return 0;
	return discipline->receive(port, data, length);
}

static noinline int mux_loopback(struct mux *mux)
{
	u32 i;
	int sum = 0;

	for (i = 0; i < mux->count; i++)
		sum += mux_port_receive(&mux->ports[i], "U", 1);
	return sum;
}

static ssize_t mux_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	if (length >= sizeof(mux->command) || copy_from_user(mux->command, from, length))
		return -EFAULT;
	mux->command[length] = '\0';
	if (!strncmp(mux->command, "label ", 6))
		mux_set_label(&mux->ports[4], mux->command + 6);
	else
		mux_loopback(mux);
	return length;
}

static const struct proc_ops mux_proc_ops = { .proc_write = mux_write };

static int __init mux_init(void)
{
	u32 i;

	mux = kzalloc(sizeof(*mux), GFP_KERNEL);
	if (!mux)
		return -ENOMEM;
	mux->count = 8;
	mux->ports = kcalloc(mux->count, sizeof(struct mux_port), GFP_KERNEL);
	if (!mux->ports)
		return -ENOMEM;
	for (i = 0; i < mux->count; i++) {
		mux->ports[i].discipline = &mux_raw;
		mux->ports[i].line = i;
		mux->ports[i].speed = 115200;
		snprintf(mux->ports[i].label, sizeof(mux->ports[i].label), "console %u", i);
	}
	return proc_create("portcfg", 0200, NULL, &mux_proc_ops) ? 0 : -ENOMEM;
}

static void __exit mux_exit(void)
{
}

module_init(mux_init);
module_exit(mux_exit);
MODULE_DESCRIPTION("Serial multiplexer");
MODULE_LICENSE("GPL");
