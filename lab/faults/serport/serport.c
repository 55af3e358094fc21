// SPDX-License-Identifier: GPL-2.0
/* A serial concentrator: a status word names the ports with something to say, and a work item visits each. */
#include <linux/module.h>
#include <linux/bitops.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct ser_port {
	u32 line;
	u32 baud;
	u64 rx_bytes;
	struct mutex lock;
	char fifo[64];
};

struct ser_board {
	unsigned long status;
	u32 irqs;
	struct ser_port *ports[8];
	struct work_struct drain;
};

static struct ser_board *ser_board;

static inline struct ser_port *ser_port_of(struct ser_board *board, unsigned int line)
{
	return board->ports[line & 7];
}

static noinline void ser_drain_port(struct ser_port *port)
{
	mutex_lock(&port->lock);
	port->rx_bytes += strnlen(port->fifo, sizeof(port->fifo));
	mutex_unlock(&port->lock);
}

static noinline void ser_drain_ready(struct ser_board *board, unsigned long status)
{
	unsigned int line;

	for_each_set_bit(line, &status, 8)
		ser_drain_port(ser_port_of(board, line));
}

static void ser_drain(struct work_struct *work)
{
	struct ser_board *board = container_of(work, struct ser_board, drain);

	ser_drain_ready(board, xchg(&board->status, 0));
}

static ssize_t ser_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	ser_board->irqs++;
	ser_board->status = 0x2b;
	schedule_work(&ser_board->drain);
	return length;
}

static const struct proc_ops ser_proc_ops = { .proc_write = ser_write };

static int __init ser_init(void)
{
	unsigned int i;

	ser_board = kzalloc(sizeof(*ser_board), GFP_KERNEL);
	if (!ser_board)
		return -ENOMEM;
	INIT_WORK(&ser_board->drain, ser_drain);
	/* This board has five. */
	for (i = 0; i < 5; i++) {
		struct ser_port *port = kzalloc(sizeof(*port), GFP_KERNEL);

		if (!port)
			return -ENOMEM;
		port->line = i;
		port->baud = 115200;
		mutex_init(&port->lock);
		ser_board->ports[i] = port;
	}
	return proc_create("serport", 0200, NULL, &ser_proc_ops) ? 0 : -ENOMEM;
}

static void __exit ser_exit(void)
{
}

module_init(ser_init);
module_exit(ser_exit);
MODULE_DESCRIPTION("Serial concentrator");
MODULE_LICENSE("GPL");
