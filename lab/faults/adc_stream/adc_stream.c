// SPDX-License-Identifier: GPL-2.0
/*
 * A converter that samples in a work item. Stopping it waits for the work under the device's mutex, and the work wants that mutex to file
 * what it measured.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#define ADC_RING 64

struct adc_channel {
	u16 gain;
	u16 last;
};

struct adc_dev {
	struct miscdevice misc;
	struct mutex io_lock;
	struct work_struct sample_work;
	bool streaming;
	unsigned int head;
	u16 ring[ADC_RING];
	struct adc_channel channels[4];
};

static inline u16 adc_convert(struct adc_channel *channel)
{
	msleep(150);
	return channel->last = channel->gain * 3 + 17;
}

static void adc_store_sample(struct adc_dev *adc, u16 value)
{
	mutex_lock(&adc->io_lock);
	adc->ring[adc->head++ % ADC_RING] = value;
	if (adc->streaming)
		schedule_work(&adc->sample_work);
	mutex_unlock(&adc->io_lock);
}

static void adc_sample_work(struct work_struct *work)
{
	struct adc_dev *adc = container_of(work, struct adc_dev, sample_work);
	u32 sum = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(adc->channels); i++)
		sum += adc_convert(&adc->channels[i]);
	adc_store_sample(adc, sum / ARRAY_SIZE(adc->channels));
}

static void adc_quiesce(struct adc_dev *adc)
{
	adc->streaming = false;
	cancel_work_sync(&adc->sample_work);
	adc->head = 0;
}

static int adc_set_streaming(struct adc_dev *adc, bool on)
{
	mutex_lock(&adc->io_lock);
	if (on && !adc->streaming) {
		adc->streaming = true;
		schedule_work(&adc->sample_work);
	} else if (!on && adc->streaming) {
		adc_quiesce(adc);
	}
	mutex_unlock(&adc->io_lock);
	return 0;
}

static ssize_t adc_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	struct adc_dev *adc = container_of(file->private_data, struct adc_dev, misc);
	char word;

	if (count == 0 || get_user(word, ubuf))
		return -EFAULT;
	adc_set_streaming(adc, word == '1');
	return count;
}

static ssize_t adc_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	struct adc_dev *adc = container_of(file->private_data, struct adc_dev, misc);
	char line[16];
	int length;

	mutex_lock(&adc->io_lock);
	length = scnprintf(line, sizeof(line), "%u\n", adc->ring[(adc->head - 1) % ADC_RING]);
	mutex_unlock(&adc->io_lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations adc_fops = {
	.owner = THIS_MODULE,
	.read = adc_read,
	.write = adc_write,
};

static struct adc_dev *adc_dev;

static int __init adc_init(void)
{
	adc_dev = kzalloc(sizeof(*adc_dev), GFP_KERNEL);
	if (!adc_dev)
		return -ENOMEM;
	mutex_init(&adc_dev->io_lock);
	INIT_WORK(&adc_dev->sample_work, adc_sample_work);
	adc_dev->channels[0].gain = 12;
	adc_dev->misc.minor = MISC_DYNAMIC_MINOR;
	adc_dev->misc.name = "adc0";
	adc_dev->misc.fops = &adc_fops;
	return misc_register(&adc_dev->misc);
}

module_init(adc_init);
MODULE_DESCRIPTION("Inquest lab: sampling converter");
MODULE_LICENSE("GPL");
