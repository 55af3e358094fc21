// SPDX-License-Identifier: GPL-2.0
/*
 * A display on a slow bus. Its memory is pages, each locked while it is sent; a page that did not change is skipped.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define FB_PAGES 8

struct fb_bus {
	u32 sent;
	u8 last;
};

struct fb_panel {
	struct page *pages[FB_PAGES];
	u32 crc[FB_PAGES];
	struct fb_bus bus;
};

static struct fb_panel *panel;

static u32 fb_checksum(const u8 *data)
{
	u32 sum = 1;
	unsigned int i;

	for (i = 0; i < PAGE_SIZE; i++)
		sum = sum * 31 + data[i];
	return sum;
}

static int fb_bus_send(struct fb_bus *bus, const u8 *data)
{
	bus->last = data[PAGE_SIZE - 1];
	bus->sent++;
	return 0;
}

static int fb_send_page(struct fb_panel *fb, unsigned int i)
{
	struct page *page = fb->pages[i];
	u32 crc;
	int err;

	lock_page(page);
	crc = fb_checksum(page_address(page));
	if (crc == fb->crc[i])
		return 0;
	err = fb_bus_send(&fb->bus, page_address(page));
	if (!err)
		fb->crc[i] = crc;
	unlock_page(page);
	return err;
}

static int fb_flush(struct fb_panel *fb, unsigned int first, unsigned int last)
{
	unsigned int i;
	int err = 0;

	for (i = first; !err && i <= last; i++)
		err = fb_send_page(fb, i);
	return err;
}

static void fb_fill(struct fb_panel *fb, unsigned int i, u8 colour)
{
	lock_page(fb->pages[i]);
	memset(page_address(fb->pages[i]), colour, PAGE_SIZE);
	unlock_page(fb->pages[i]);
}

static ssize_t fb_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32] = {};
	u32 first, last;
	int err = 0;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (sscanf(line, "flush %u %u", &first, &last) == 2 && last < FB_PAGES)
		err = fb_flush(panel, first, last);
	else if (sscanf(line, "fill %u %u", &first, &last) == 2 && first < FB_PAGES)
		fb_fill(panel, first, last);
	else
		err = -EINVAL;
	return err ?: count;
}

static const struct file_operations fb_fops = {
	.owner = THIS_MODULE,
	.write = fb_write,
};

static struct miscdevice fb_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "fbdefer",
	.fops = &fb_fops,
};

static int __init fb_init(void)
{
	unsigned int i;

	panel = kzalloc(sizeof(*panel), GFP_KERNEL);
	if (!panel)
		return -ENOMEM;
	for (i = 0; i < FB_PAGES; i++) {
		panel->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!panel->pages[i])
			return -ENOMEM;
	}
	return misc_register(&fb_misc);
}

module_init(fb_init);
MODULE_DESCRIPTION("Inquest lab: display on a slow bus");
MODULE_LICENSE("GPL");
