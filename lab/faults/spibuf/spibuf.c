// SPDX-License-Identifier: GPL-2.0
/* Transmit buffers of a serial bus with room for a header in front, which is put there backwards. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

#define SPI_HEADROOM	4

struct spi_frame {
	u8 *buffer;
	u8 *data;
	u32 length;
	u32 flags;
};

static u8 *spi_push(struct spi_frame *frame, u8 byte)
{
	*--frame->data = byte;
	frame->length++;
	return frame->data;
}

static noinline void spi_frame_header(struct spi_frame *frame, u16 address, bool extended)
{
	spi_push(frame, 0x5e);
	spi_push(frame, address & 0xff);
	if (extended) {
		spi_push(frame, 0xc1);
		spi_push(frame, 0xc2);
	}
	spi_push(frame, address >> 8);
	spi_push(frame, 0xa7);
}

static noinline int spi_frame_init(struct spi_frame *frame, u32 length)
{
	frame->buffer = kmalloc(SPI_HEADROOM + length, GFP_KERNEL);
	if (!frame->buffer)
		return -ENOMEM;
	frame->data = frame->buffer + SPI_HEADROOM;
	memset(frame->data, 0, length);
	frame->length = length;
	return 0;
}

static noinline void spi_frame_release(struct spi_frame *frame)
{
	kfree(frame->buffer);
	frame->buffer = NULL;
}

static noinline int spi_transfer(u16 address, u32 length, bool extended)
{
	struct spi_frame frame;
	int ret = spi_frame_init(&frame, length);

	if (ret)
		return ret;
	spi_frame_header(&frame, address, extended);
	spi_frame_release(&frame);
	return length;
}

static ssize_t spi_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	spi_transfer(0x1200, 240, false);
	spi_transfer(0x1234, 240, true);
	return length;
}

static const struct proc_ops spi_proc_ops = { .proc_write = spi_write };

static int __init spi_init(void)
{
	return proc_create("spibuf", 0200, NULL, &spi_proc_ops) ? 0 : -ENOMEM;
}

static void __exit spi_exit(void)
{
}

module_init(spi_init);
module_exit(spi_exit);
MODULE_DESCRIPTION("Serial bus frames");
MODULE_LICENSE("GPL");
