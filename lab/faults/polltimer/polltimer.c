// SPDX-License-Identifier: GPL-2.0
/*
 * A sensor that is read from a timer. A reading that must be repeated sleeps a moment first, in the timer's callback.
 */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct poll_sensor {
	struct timer_list timer;
	u32 raw;
	u32 retries;
	int celsius;
};

static struct poll_sensor *sensor;

static bool poll_is_plausible(u32 raw)
{
	return raw > 100 && raw < 4000;
}

static void poll_settle(struct poll_sensor *s)
{
	s->retries++;
	msleep(20);
}

static int poll_read_raw(struct poll_sensor *s, u32 *raw)
{
	unsigned int tries;

	for (tries = 0; tries < 3; tries++) {
		*raw = s->raw;
		if (poll_is_plausible(*raw))
			return 0;
		poll_settle(s);
	}
	return -EIO;
}

static void poll_timer(struct timer_list *timer)
{
	struct poll_sensor *s = container_of(timer, struct poll_sensor, timer);
	u32 raw;

	if (!poll_read_raw(s, &raw))
		s->celsius = (int)raw / 16 - 50;
	mod_timer(&s->timer, jiffies + HZ / 4);
}

static int poll_set_trigger(const char *value, const struct kernel_param *param)
{
	sensor->raw = 0xffff;
	return 0;
}

static const struct kernel_param_ops poll_trigger_ops = { .set = poll_set_trigger };
module_param_cb(trigger, &poll_trigger_ops, NULL, 0200);

static int __init poll_init(void)
{
	sensor = kzalloc(sizeof(*sensor), GFP_KERNEL);
	if (!sensor)
		return -ENOMEM;
	sensor->raw = 1200;
	timer_setup(&sensor->timer, poll_timer, 0);
	mod_timer(&sensor->timer, jiffies + HZ / 4);
	return 0;
}

module_init(poll_init);
MODULE_DESCRIPTION("Inquest lab: sensor read from a timer");
MODULE_LICENSE("GPL");
