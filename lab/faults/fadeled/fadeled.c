// SPDX-License-Identifier: GPL-2.0
/*
 * LEDs that are faded by a high-resolution timer. A fade that is told to pause stays active and has no step left, and its timer begins again
 * without being set forward.
 */
#include <linux/module.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

struct fade_led {
	struct hrtimer tick;
	u64 period_ns;
	int level;
	int target;
	unsigned int steps;
	bool active;
	u8 lut[64];
};

static struct fade_led *fade;

static inline u8 fade_gamma(const struct fade_led *led)
{
	return led->lut[led->level & 63];
}

static void fade_step(struct fade_led *led)
{
	if (led->level < led->target)
		led->level++;
	else if (led->level > led->target)
		led->level--;
	led->lut[63] = fade_gamma(led);
	led->steps--;
}

static enum hrtimer_restart fade_tick(struct hrtimer *timer)
{
	struct fade_led *led = container_of(timer, struct fade_led, tick);

	if (!READ_ONCE(led->active))
		return HRTIMER_NORESTART;
	if (led->steps > 0) {
		fade_step(led);
		hrtimer_forward_now(timer, ns_to_ktime(led->period_ns));
	}
	return HRTIMER_RESTART;
}

static void fade_to(struct fade_led *led, int target)
{
	led->target = target;
	led->steps = abs(target - led->level);
	WRITE_ONCE(led->active, true);
	hrtimer_start(&led->tick, ns_to_ktime(led->period_ns), HRTIMER_MODE_REL);
}

static ssize_t fade_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	int target, err;

	err = kstrtoint_from_user(ubuf, count, 0, &target);
	if (err)
		return err;
	fade_to(fade, target);
	return count;
}

static const struct file_operations fade_fops = {
	.owner = THIS_MODULE,
	.write = fade_write,
};

static struct miscdevice fade_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "fadeled",
	.fops = &fade_fops,
};

static int __init fade_init(void)
{
	unsigned int i;

	fade = kzalloc(sizeof(*fade), GFP_KERNEL);
	if (!fade)
		return -ENOMEM;
	for (i = 0; i < 63; i++)
		fade->lut[i] = i * i / 16;
	fade->period_ns = 20 * NSEC_PER_MSEC;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&fade->tick, fade_tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(&fade->tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	fade->tick.function = fade_tick;
#endif
	return misc_register(&fade_misc);
}

static void __exit fade_exit(void)
{
	misc_deregister(&fade_misc);
	WRITE_ONCE(fade->active, false);
	hrtimer_cancel(&fade->tick);
	kfree(fade);
}

module_init(fade_init);
module_exit(fade_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("LEDs that fade");
