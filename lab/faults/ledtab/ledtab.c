// SPDX-License-Identifier: GPL-2.0
/* Lights of a front panel, with a table of their drivers; each has a pointer to its driver and is in the driver's array as well. */
#include <linux/module.h>
#include <linux/bitops.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct led_light;

struct led_driver {
	u32 id;
	u32 refreshes;
	struct led_light *lights[8];
	u64 brightness;
};

struct led_light {
	u32 index;
	u32 colour;
	unsigned long pattern;
	struct led_driver *driver;
	u32 blinks;
};

struct led_panel {
	struct timer_list refresh;
	u32 phase;
	u32 count;
	struct led_driver *drivers[3];
	struct led_light *lights[24];
};

static struct led_panel *led_panel;

static noinline void led_light_refresh(struct led_light *light, u32 phase)
{
	struct led_driver *driver = light->driver;

	if (light->pattern & BIT(phase % 16))
		light->blinks++;
	driver->refreshes++;
	driver->brightness += light->colour & 0xff;
}

static noinline void led_panel_refresh(struct led_panel *panel)
{
	u32 i;

	for (i = 0; i < panel->count; i++)
		led_light_refresh(panel->lights[i], panel->phase);
	panel->phase++;
}

static void led_refresh(struct timer_list *timer)
{
	struct led_panel *panel = container_of(timer, struct led_panel, refresh);

	led_panel_refresh(panel);
	mod_timer(timer, jiffies + HZ / 10);
}

static int step_set(const char *value, const struct kernel_param *kp)
{
	unsigned int step;
	int ret = kstrtouint(value, 0, &step);

	if (ret == 0)
		change_bit(step, &led_panel->lights[9]->pattern);
	return ret;
}

static const struct kernel_param_ops step_ops = { .set = step_set };
module_param_cb(step, &step_ops, NULL, 0200);

static int __init led_init(void)
{
	struct led_panel *panel = kzalloc(sizeof(*panel), GFP_KERNEL);
	u32 i;

	if (!panel)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(panel->lights); i++) {
		struct led_light *light = kzalloc(sizeof(*light), GFP_KERNEL);

		if (!light)
			return -ENOMEM;
		if (i % 8 == 0)
			panel->drivers[i / 8] = kzalloc(sizeof(struct led_driver), GFP_KERNEL);
		light->driver = panel->drivers[i / 8];
		light->driver->id = i / 8;
		light->driver->lights[i % 8] = light;
		light->index = i;
		light->colour = 0x202020;
		panel->lights[i] = light;
		panel->count++;
	}
	led_panel = panel;
	timer_setup(&panel->refresh, led_refresh, 0);
	mod_timer(&panel->refresh, jiffies + HZ / 10);
	return 0;
}

static void __exit led_exit(void)
{
}

module_init(led_init);
module_exit(led_exit);
MODULE_DESCRIPTION("Front panel lights");
MODULE_LICENSE("GPL");
