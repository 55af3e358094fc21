// SPDX-License-Identifier: GPL-2.0
/*
 * A serial device whose FIFO is emptied with interrupts off until its status says "empty". After an overrun the status never says so.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define FIFO_READY 0x1
#define FIFO_OVERRUN 0x2

struct fifo_regs {
	u32 status;
	u32 level;
	u32 data;
};

struct fifo_port {
	struct fifo_regs *regs;
	u32 received;
	u32 checksum;
	u8 line;
};

static struct fifo_port *fifo;

static inline u32 fifo_read_data(struct fifo_regs *regs)
{
	if (READ_ONCE(regs->level) > 0)
		WRITE_ONCE(regs->level, regs->level - 1);
	/* The overrun bit keeps "ready" set until it is acknowledged. */
	if (regs->level == 0 && !(regs->status & FIFO_OVERRUN))
		WRITE_ONCE(regs->status, regs->status & ~FIFO_READY);
	return READ_ONCE(regs->data);
}

static u32 fifo_drain(struct fifo_port *port)
{
	u32 words = 0;

	while (READ_ONCE(port->regs->status) & FIFO_READY) {
		port->checksum = port->checksum * 31 + fifo_read_data(port->regs);
		words++;
	}
	return words;
}

static void fifo_poll(struct fifo_port *port)
{
	unsigned long flags;

	local_irq_save(flags);
	port->received += fifo_drain(port);
	local_irq_restore(flags);
}

static ssize_t fifo_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 level;
	int error = kstrtou32_from_user(ubuf, count, 0, &level);

	if (error)
		return error;
	fifo->regs->level = level;
	fifo->regs->status = FIFO_READY | (level > 16 ? FIFO_OVERRUN : 0);
	fifo_poll(fifo);
	return count;
}

static const struct file_operations fifo_fops = { .owner = THIS_MODULE, .write = fifo_write };

static struct miscdevice fifo_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "fifodrain",
	.fops = &fifo_fops,
};

static int __init fifo_init(void)
{
	fifo = kzalloc(sizeof(*fifo), GFP_KERNEL);
	if (!fifo)
		return -ENOMEM;
	fifo->regs = kzalloc(sizeof(*fifo->regs), GFP_KERNEL);
	if (!fifo->regs)
		return -ENOMEM;
	return misc_register(&fifo_misc);
}

module_init(fifo_init);
MODULE_DESCRIPTION("Inquest lab: serial FIFO");
MODULE_LICENSE("GPL");
