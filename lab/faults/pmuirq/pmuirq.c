// SPDX-License-Identifier: GPL-2.0
/*
 * Samples of a performance monitor: an overflow hands its sample to irq_work, which stores it. When the buffer is full the work is put off.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define PMU_SAMPLES 64

struct pmu_buffer {
	u32 head;
	u32 tail;
	u64 samples[PMU_SAMPLES];
};

struct pmu_unit {
	u32 pending;
	u32 deferred;
	struct irq_work drain;
	struct pmu_buffer buffer;
};

static struct pmu_unit *pmu;

static bool pmu_buffer_full(const struct pmu_buffer *buffer)
{
	return buffer->head - buffer->tail >= PMU_SAMPLES;
}

static noinline bool pmu_store(struct pmu_unit *unit)
{
	struct pmu_buffer *buffer = &unit->buffer;

	if (pmu_buffer_full(buffer))
		return false;
	buffer->samples[buffer->head++ % PMU_SAMPLES] = unit->pending;
	return true;
}

static void pmu_drain(struct irq_work *work)
{
	struct pmu_unit *unit = container_of(work, struct pmu_unit, drain);

	while (unit->pending) {
		if (!pmu_store(unit)) {
			/* Later, when a reader has made room. */
			unit->deferred++;
			irq_work_queue(&unit->drain);
			return;
		}
		unit->pending--;
	}
}

static void pmu_overflow(struct pmu_unit *unit, u32 samples)
{
	unit->pending += samples;
	irq_work_queue(&unit->drain);
}

static ssize_t pmu_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 samples;
	int err = kstrtou32_from_user(ubuf, count, 0, &samples);

	if (err)
		return err;
	pmu_overflow(pmu, samples);
	return count;
}

static ssize_t pmu_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length = scnprintf(line, sizeof(line), "%u\n", pmu->buffer.head - pmu->buffer.tail);

	pmu->buffer.tail = pmu->buffer.head;
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations pmu_fops = {
	.owner = THIS_MODULE,
	.read = pmu_read,
	.write = pmu_write,
};

static struct miscdevice pmu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pmuirq",
	.fops = &pmu_fops,
};

static int __init pmu_init(void)
{
	pmu = kzalloc(sizeof(*pmu), GFP_KERNEL);
	if (!pmu)
		return -ENOMEM;
	init_irq_work(&pmu->drain, pmu_drain);
	return misc_register(&pmu_misc);
}

module_init(pmu_init);
MODULE_DESCRIPTION("Inquest lab: samples of a performance monitor");
MODULE_LICENSE("GPL");
