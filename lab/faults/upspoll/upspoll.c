// SPDX-License-Identifier: GPL-2.0
/*
 * A power supply that is polled by a kernel thread. Turning polling off stops the thread under the mutex that each poll takes.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct ups_reading {
	u16 volts;
	u16 percent;
};

struct ups_unit {
	char serial[12];
	struct task_struct *poller;
	struct ups_reading last;
	struct mutex guard;
	u32 polls;
};

static struct ups_unit *ups;

static void ups_exchange(struct ups_reading *reading)
{
	msleep(400);
	reading->volts = 230;
	reading->percent = 97;
}

static void ups_poll_once(struct ups_unit *unit)
{
	struct ups_reading reading;

	ups_exchange(&reading);
	mutex_lock(&unit->guard);
	unit->last = reading;
	unit->polls++;
	mutex_unlock(&unit->guard);
}

static int ups_poller(void *data)
{
	while (!kthread_should_stop())
		ups_poll_once(data);
	return 0;
}

static int ups_polling_on(struct ups_unit *unit)
{
	struct task_struct *poller = kthread_run(ups_poller, unit, "ups_poller");

	if (IS_ERR(poller))
		return PTR_ERR(poller);
	unit->poller = poller;
	return 0;
}

static void ups_polling_off(struct ups_unit *unit)
{
	kthread_stop(unit->poller);
	unit->poller = NULL;
	unit->last.percent = 0;
}

static int ups_set_polling(struct ups_unit *unit, bool on)
{
	int error = 0;

	mutex_lock(&unit->guard);
	if (on && !unit->poller)
		error = ups_polling_on(unit);
	else if (!on && unit->poller)
		ups_polling_off(unit);
	mutex_unlock(&unit->guard);
	return error;
}

static ssize_t ups_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	bool on;
	int error = kstrtobool_from_user(ubuf, count, &on);

	if (!error)
		error = ups_set_polling(ups, on);
	return error ? error : count;
}

static ssize_t ups_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&ups->guard);
	length = scnprintf(line, sizeof(line), "%u V %u %%\n", ups->last.volts, ups->last.percent);
	mutex_unlock(&ups->guard);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations ups_fops = {
	.owner = THIS_MODULE,
	.read = ups_read,
	.write = ups_write,
};

static struct miscdevice ups_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "upspoll",
	.fops = &ups_fops,
};

static int __init ups_init(void)
{
	ups = kzalloc(sizeof(*ups), GFP_KERNEL);
	if (!ups)
		return -ENOMEM;
	mutex_init(&ups->guard);
	return misc_register(&ups_misc);
}

module_init(ups_init);
MODULE_DESCRIPTION("Inquest lab: power supply");
MODULE_LICENSE("GPL");
