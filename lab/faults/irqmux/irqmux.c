// SPDX-License-Identifier: GPL-2.0
/* An interrupt multiplexer on PCI: its thread asks the card which line asked and marks it in a bitmap. */
#include <linux/module.h>
#include <linux/bitops.h>
#include <linux/interrupt.h>
#include <linux/pci.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

#define IMX_LINE 0x04
#define IMX_PENDING 0x24
#define IMX_RAISE 0x60
#define IMX_ACKNOWLEDGE 0x64
#define IMX_LINES 128

struct imx_card {
	void __iomem *regs;
	struct pci_dev *pdev;
	u32 served;
	u32 spurious;
	DECLARE_BITMAP(asked, IMX_LINES);
	u64 counts[IMX_LINES];
};

static struct imx_card *imx;

static noinline void imx_mark(struct imx_card *card, u32 line)
{
	set_bit(line, card->asked);
	card->counts[line & (IMX_LINES - 1)]++;
}

static noinline u32 imx_next_line(struct imx_card *card)
{
	return readl(card->regs + IMX_LINE);
}

static irqreturn_t imx_check(int irq, void *data)
{
	struct imx_card *card = data;
	u32 pending = readl(card->regs + IMX_PENDING);

	if (!pending)
		return IRQ_NONE;
	writel(pending, card->regs + IMX_ACKNOWLEDGE);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t imx_serve(int irq, void *data)
{
	struct imx_card *card = data;

	imx_mark(card, imx_next_line(card));
	card->served++;
	return IRQ_HANDLED;
}

/* The card gives the inverse of what was written to this register last. */
static ssize_t imx_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 line;

	if (kstrtou32_from_user(from, length, 0, &line))
		return -EINVAL;
	writel(~line, imx->regs + IMX_LINE);
	writel(1, imx->regs + IMX_RAISE);
	return length;
}

static const struct proc_ops imx_proc_ops = { .proc_write = imx_write };

static int imx_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct imx_card *card;
	int err = pcim_enable_device(pdev);

	if (err)
		return err;
	card = devm_kzalloc(&pdev->dev, sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	card->regs = pcim_iomap(pdev, 0, 0);
	if (!card->regs)
		return -ENOMEM;
	card->pdev = pdev;
	pci_set_drvdata(pdev, card);
	imx = card;
	return devm_request_threaded_irq(&pdev->dev, pdev->irq, imx_check, imx_serve, IRQF_SHARED, "irqmux", card);
}

static const struct pci_device_id imx_ids[] = { { PCI_DEVICE(0x1234, 0x11e8) }, {} };

static struct pci_driver imx_driver = { .name = "irqmux", .id_table = imx_ids, .probe = imx_probe };

static int __init imx_init(void)
{
	int err = pci_register_driver(&imx_driver);

	if (err)
		return err;
	return proc_create("irqmux", 0200, NULL, &imx_proc_ops) ? 0 : -ENOMEM;
}

module_init(imx_init);
MODULE_DESCRIPTION("Inquest lab: interrupt multiplexer");
MODULE_LICENSE("GPL");
