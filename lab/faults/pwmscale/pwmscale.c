// SPDX-License-Identifier: GPL-2.0
/* A fan's speed controller: its sysfs attribute gives the error of the loop scaled by a signed gain. */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

struct pwm_loop {
	s32 target;
	s32 measured;
	s32 offset;
	s32 gain;
};

struct pwm_fan {
	struct platform_device *pdev;
	struct pwm_loop loop;
	u32 rpm;
};

static struct pwm_fan *pwm_fan;

static noinline s32 pwm_error(const struct pwm_loop *loop)
{
	return (loop->target - loop->measured + loop->offset) / loop->gain;
}

static noinline s32 pwm_duty(struct pwm_fan *fan)
{
	s32 error = pwm_error(&fan->loop);

	return clamp_t(s32, 128 + error, 0, 255);
}

static ssize_t duty_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pwm_fan *fan = dev_get_drvdata(dev);

	return sprintf(buf, "%d\n", pwm_duty(fan));
}
static DEVICE_ATTR_RO(duty);

static ssize_t gain_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	struct pwm_fan *fan = dev_get_drvdata(dev);
	s32 gain;

	if (kstrtos32(buf, 0, &gain) || !gain)
		return -EINVAL;
	fan->loop.gain = gain;
	return count;
}
static DEVICE_ATTR_WO(gain);

static ssize_t offset_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	struct pwm_fan *fan = dev_get_drvdata(dev);

	return kstrtos32(buf, 0, &fan->loop.offset) ?: count;
}
static DEVICE_ATTR_WO(offset);

static struct attribute *pwm_attrs[] = { &dev_attr_duty.attr, &dev_attr_gain.attr, &dev_attr_offset.attr, NULL };
static const struct attribute_group pwm_group = { .attrs = pwm_attrs };

static int __init pwm_init(void)
{
	pwm_fan = kzalloc(sizeof(*pwm_fan), GFP_KERNEL);
	if (!pwm_fan)
		return -ENOMEM;
	pwm_fan->loop.target = 2400;
	pwm_fan->loop.measured = 2400;
	pwm_fan->loop.gain = 16;
	pwm_fan->pdev = platform_device_register_simple("pwmscale", -1, NULL, 0);
	if (IS_ERR(pwm_fan->pdev))
		return PTR_ERR(pwm_fan->pdev);
	platform_set_drvdata(pwm_fan->pdev, pwm_fan);
	return sysfs_create_group(&pwm_fan->pdev->dev.kobj, &pwm_group);
}

module_init(pwm_init);
MODULE_DESCRIPTION("Inquest lab: fan speed controller");
MODULE_LICENSE("GPL");
