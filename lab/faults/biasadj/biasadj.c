// SPDX-License-Identifier: GPL-2.0
/* Laser bias: corrections by temperature, kept per degree; a work item sends them to where they are used. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define BIAS_COLDEST (-8)

struct bias_sink {
	u32 sent;
	s32 last;
};

struct bias_unit {
	u32 laser;
	u32 readings;
	struct bias_sink *sink;
	s32 trim[40];
};

struct bias {
	struct bias_unit units[3];
	struct bias_sink sinks[3];
	struct work_struct send;
	u32 due;
};

static struct bias *bias;

static noinline void bias_trim(struct bias_unit *unit, s8 degrees, s32 correction)
{
	s32 *trim = unit->trim;

	unit->readings++;
	trim[degrees - BIAS_COLDEST] = correction;
}

static inline void bias_sink_put(struct bias_sink *sink, s32 value)
{
	sink->last = value;
	sink->sent++;
}

static noinline void bias_unit_send(struct bias_unit *unit)
{
	bias_sink_put(unit->sink, unit->trim[8]);
}

static void bias_send(struct work_struct *work)
{
	struct bias *all = container_of(work, struct bias, send);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(all->units); i++)
		if (all->due & 1 << i)
			bias_unit_send(&all->units[i]);
	all->due = 0;
}

static void bias_read(u32 laser, s8 degrees, s32 correction)
{
	bias_trim(&bias->units[laser], degrees, correction);
	bias->due |= 1 << laser;
}

static ssize_t bias_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	bias_read(0, 21, 140);
	bias_read(1, -7, -33);
	/* A cold morning. */
	bias_read(2, -10, 1180);
	bias_read(2, -9, 1155);
	schedule_work(&bias->send);
	return length;
}

static const struct proc_ops bias_proc_ops = { .proc_write = bias_write };

static int __init bias_init(void)
{
	u32 i;

	bias = kzalloc(sizeof(*bias), GFP_KERNEL);
	if (!bias)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(bias->units); i++) {
		bias->units[i].laser = i;
		bias->units[i].sink = &bias->sinks[i];
	}
	INIT_WORK(&bias->send, bias_send);
	return proc_create("biasadj", 0200, NULL, &bias_proc_ops) ? 0 : -ENOMEM;
}

static void __exit bias_exit(void)
{
}

module_init(bias_init);
module_exit(bias_exit);
MODULE_DESCRIPTION("Laser bias");
MODULE_LICENSE("GPL");
