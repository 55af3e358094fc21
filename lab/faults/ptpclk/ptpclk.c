// SPDX-License-Identifier: GPL-2.0
/*
 * A clock that is steered from a timer: it steps until the offset is small. A step as large as the offset's bound makes it swing for ever.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct ptp_servo {
	s64 offset;
	s64 step;
	u32 steps;
};

struct ptp_clock_dev {
	struct timer_list sync;
	struct ptp_servo servo;
	u64 syncs;
};

static struct ptp_clock_dev *ptp;

static void ptp_step(struct ptp_servo *servo)
{
	WRITE_ONCE(servo->offset, servo->offset > 0 ? servo->offset - servo->step : servo->offset + servo->step);
	servo->steps++;
}

static void ptp_settle(struct ptp_servo *servo)
{
	while (READ_ONCE(servo->offset) > 4 || READ_ONCE(servo->offset) < -4)
		ptp_step(servo);
}

static void ptp_sync(struct timer_list *timer)
{
	struct ptp_clock_dev *clock = container_of(timer, struct ptp_clock_dev, sync);

	ptp_settle(&clock->servo);
	clock->syncs++;
	mod_timer(&clock->sync, jiffies + HZ / 8);
}

static int ptp_set_trigger(const char *value, const struct kernel_param *param)
{
	ptp->servo.step = 100;
	ptp->servo.offset = 50;
	return 0;
}

static const struct kernel_param_ops ptp_trigger_ops = { .set = ptp_set_trigger };
module_param_cb(trigger, &ptp_trigger_ops, NULL, 0200);

static int __init ptpclk_init(void)
{
	ptp = kzalloc(sizeof(*ptp), GFP_KERNEL);
	if (!ptp)
		return -ENOMEM;
	ptp->servo.step = 1;
	timer_setup(&ptp->sync, ptp_sync, 0);
	mod_timer(&ptp->sync, jiffies + HZ / 8);
	return 0;
}

module_init(ptpclk_init);
MODULE_DESCRIPTION("Inquest lab: clock steered from a timer");
MODULE_LICENSE("GPL");
