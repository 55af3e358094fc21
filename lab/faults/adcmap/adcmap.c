// SPDX-License-Identifier: GPL-2.0
/* An analogue converter whose samples say which input they are of; each input has its calibration in a table. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define ADC_INPUTS	12

struct adc_calibration {
	s32 offset;
	u32 gain;
	s64 sum;
	u32 count;
	u32 clipped;
};

struct adc_sample {
	u32 input;
	s32 value;
};

struct adc_device {
	struct work_struct work;
	u32 rate;
	u32 pending;
	struct adc_sample fifo[32];
};

static struct adc_calibration adc_table[ADC_INPUTS];
static struct adc_device *adc;

static inline s64 adc_scale(const struct adc_calibration *calibration, s32 value)
{
	return ((s64)value - calibration->offset) * calibration->gain >> 16;
}

static noinline void adc_sample_store(const struct adc_sample *sample)
{
	struct adc_calibration *calibration = &adc_table[sample->input];

	calibration->sum += adc_scale(calibration, sample->value);
	calibration->count++;
}

static noinline void adc_drain(struct adc_device *device)
{
	u32 i;

	for (i = 0; i < device->pending; i++)
		adc_sample_store(&device->fifo[i]);
	device->pending = 0;
}

static void adc_work(struct work_struct *work)
{
	adc_drain(container_of(work, struct adc_device, work));
}

static ssize_t adc_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 i;

	for (i = 0; i < 20; i++) {
		adc->fifo[i].input = i % ADC_INPUTS;
		adc->fifo[i].value = 1000 + i;
	}
	/* A glitch on the bus: ones where the input's number should be. */
	adc->fifo[17].input = 0x07ffffff;
	adc->pending = 20;
	schedule_work(&adc->work);
	return length;
}

static const struct proc_ops adc_proc_ops = { .proc_write = adc_write };

static int __init adc_init(void)
{
	u32 i;

	adc = kzalloc(sizeof(*adc), GFP_KERNEL);
	if (!adc)
		return -ENOMEM;
	for (i = 0; i < ADC_INPUTS; i++)
		adc_table[i].gain = 0x10000 + i;
	INIT_WORK(&adc->work, adc_work);
	return proc_create("adcmap", 0200, NULL, &adc_proc_ops) ? 0 : -ENOMEM;
}

static void __exit adc_exit(void)
{
}

module_init(adc_init);
module_exit(adc_exit);
MODULE_DESCRIPTION("Analogue converter");
MODULE_LICENSE("GPL");
