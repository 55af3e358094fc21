// SPDX-License-Identifier: GPL-2.0
/*
 * A data acquisition card on PCI with one interrupt line for all its channels. The service routine acknowledges the channels that are
 * switched on; one that is switched off while its request is pending goes on asking for ever.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/interrupt.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define DAQ_PENDING 0x24
#define DAQ_RAISE 0x60
#define DAQ_ACKNOWLEDGE 0x64

#define DAQ_CHANNELS 8
/* The converter wants rest between two looks at its registers. */
#define DAQ_SETTLE_US 250

struct daq_channel {
	u64 samples;
	u32 last;
	u8 gain;
};

struct daq_card {
	void __iomem *regs;
	struct pci_dev *pdev;
	spinlock_t lock;
	u32 enabled;
	u64 served;
	struct daq_channel channels[DAQ_CHANNELS];
};

static struct daq_card *daq;

static inline u32 daq_read(struct daq_card *card, unsigned int reg)
{
	return readl(card->regs + reg);
}

static inline void daq_write(struct daq_card *card, unsigned int reg, u32 value)
{
	writel(value, card->regs + reg);
}

static void daq_collect(struct daq_card *card, u32 ready)
{
	unsigned int i;

	for (i = 0; i < DAQ_CHANNELS; i++) {
		if (!(ready & BIT(i)))
			continue;
		card->channels[i].last = daq_read(card, 0) >> card->channels[i].gain;
		card->channels[i].samples++;
	}
	udelay(DAQ_SETTLE_US);
}

static irqreturn_t daq_service(int irq, void *data)
{
	struct daq_card *card = data;
	u32 pending = daq_read(card, DAQ_PENDING);
	u32 ready;

	if (!pending)
		return IRQ_NONE;
	spin_lock(&card->lock);
	ready = pending & card->enabled;
	daq_collect(card, ready);
	if (ready)
		daq_write(card, DAQ_ACKNOWLEDGE, ready);
	card->served++;
	spin_unlock(&card->lock);
	return IRQ_HANDLED;
}

static void daq_select(struct daq_card *card, u32 channels)
{
	unsigned long flags;

	spin_lock_irqsave(&card->lock, flags);
	card->enabled = channels;
	spin_unlock_irqrestore(&card->lock, flags);
}

static void daq_convert(struct daq_card *card, u32 channels)
{
	daq_write(card, DAQ_RAISE, channels);
}

/* "on MASK", "off", "go MASK" */
static ssize_t daq_ctl_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char text[32] = {};
	u32 mask;

	if (count >= sizeof(text) || copy_from_user(text, ubuf, count))
		return -EINVAL;
	if (sscanf(text, "on %x", &mask) == 1)
		daq_select(daq, mask);
	else if (sscanf(text, "go %x", &mask) == 1)
		daq_convert(daq, mask);
	else
		daq_select(daq, 0);
	return count;
}

static const struct file_operations daq_fops = {
	.owner = THIS_MODULE,
	.write = daq_ctl_write,
};

static struct miscdevice daq_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "daqcard",
	.fops = &daq_fops,
};

static int daq_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct daq_card *card;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	card = devm_kzalloc(&pdev->dev, sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	card->regs = pcim_iomap(pdev, 0, 0);
	if (!card->regs)
		return -ENOMEM;
	spin_lock_init(&card->lock);
	card->pdev = pdev;
	pci_set_drvdata(pdev, card);
	err = devm_request_irq(&pdev->dev, pdev->irq, daq_service, IRQF_SHARED, "daqcard", card);
	if (err)
		return err;
	daq = card;
	return misc_register(&daq_misc);
}

static void daq_remove(struct pci_dev *pdev)
{
	misc_deregister(&daq_misc);
}

static const struct pci_device_id daq_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};
MODULE_DEVICE_TABLE(pci, daq_ids);

static struct pci_driver daq_driver = {
	.name = "daqcard",
	.id_table = daq_ids,
	.probe = daq_probe,
	.remove = daq_remove,
};
module_pci_driver(daq_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Data acquisition card");
