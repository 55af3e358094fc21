// SPDX-License-Identifier: GPL-2.0
/*
 * A SPI host whose FIFO is emptied by a timer. A burst fills it with interrupts off and waits for room, which the timer of this CPU never
 * makes.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct spi_host {
	u32 level;
	u32 depth;
	u64 sent;
	spinlock_t lock;
	struct timer_list drain;
};

static struct spi_host *spi;

static void spi_drain(struct timer_list *timer)
{
	struct spi_host *host = container_of(timer, struct spi_host, drain);

	WRITE_ONCE(host->level, 0);
}

static void spi_wait_fifo(struct spi_host *host)
{
	while (READ_ONCE(host->level) >= host->depth)
		cpu_relax();
}

static void spi_burst(struct spi_host *host, u32 words)
{
	while (words--) {
		spi_wait_fifo(host);
		host->sent++;
		WRITE_ONCE(host->level, host->level + 1);
	}
}

static void spi_transfer(struct spi_host *host, u32 words)
{
	unsigned long flags;

	spin_lock_irqsave(&host->lock, flags);
	mod_timer(&host->drain, jiffies + 1);
	spi_burst(host, words);
	spin_unlock_irqrestore(&host->lock, flags);
}

static ssize_t spi_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 words;
	int error = kstrtou32_from_user(ubuf, count, 0, &words);

	if (!error)
		spi_transfer(spi, words);
	return error ? error : count;
}

static const struct file_operations spi_fops = { .owner = THIS_MODULE, .write = spi_write };

static struct miscdevice spi_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "spiburst",
	.fops = &spi_fops,
};

static int __init spi_init(void)
{
	spi = kzalloc(sizeof(*spi), GFP_KERNEL);
	if (!spi)
		return -ENOMEM;
	spi->depth = 64;
	spin_lock_init(&spi->lock);
	timer_setup(&spi->drain, spi_drain, TIMER_PINNED);
	return misc_register(&spi_misc);
}

module_init(spi_init);
MODULE_DESCRIPTION("Inquest lab: SPI host");
MODULE_LICENSE("GPL");
