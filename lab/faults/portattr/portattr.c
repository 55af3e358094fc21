// SPDX-License-Identifier: GPL-2.0
/* Ports of a switch that come and go: each has an attribute in sysfs that shows its counters. */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>

#define PORTS 6

struct sw_port {
	u32 number;
	u32 speed;
	u64 rx_frames;
	char name[12];
	struct kobj_attribute attr;
	struct sw_chassis *chassis;
};

struct sw_chassis {
	struct kobject *kobj;
	u32 serial;
	u32 present;
	struct mutex topology;
	struct sw_port *ports[PORTS];
};

static struct sw_chassis *chassis;

/* The counters lie in the port's own registers, which take a while. */
static noinline u64 sw_read_counters(struct sw_port *port)
{
	port->rx_frames += 3;
	return port->rx_frames;
}

static ssize_t sw_port_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct sw_port *port = container_of(attr, struct sw_port, attr);
	ssize_t length;

	mutex_lock(&port->chassis->topology);
	length = scnprintf(buf, PAGE_SIZE, "%u %llu\n", port->speed, sw_read_counters(port));
	mutex_unlock(&port->chassis->topology);
	return length;
}

static noinline void sw_port_power_down(struct sw_port *port)
{
	port->speed = 0;
	msleep(900);
}

static noinline void sw_port_unregister(struct sw_chassis *sw, struct sw_port *port)
{
	sysfs_remove_file(sw->kobj, &port->attr.attr);
	sw->ports[port->number] = NULL;
	sw->present--;
	kfree(port);
}

static noinline int sw_unplug(struct sw_chassis *sw, u32 number)
{
	struct sw_port *port;

	mutex_lock(&sw->topology);
	port = sw->ports[number];
	if (port) {
		sw_port_power_down(port);
		sw_port_unregister(sw, port);
	}
	mutex_unlock(&sw->topology);
	return port ? 0 : -ENODEV;
}

static ssize_t sw_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	u32 number;
	int error = kstrtou32_from_user(from, length, 0, &number);

	if (error)
		return error;
	if (number >= PORTS)
		return -EINVAL;
	error = sw_unplug(chassis, number);
	return error ? error : length;
}

static const struct proc_ops sw_proc_ops = { .proc_write = sw_write };

static int sw_plug(struct sw_chassis *sw, u32 number)
{
	struct sw_port *port = kzalloc(sizeof(*port), GFP_KERNEL);

	if (!port)
		return -ENOMEM;
	port->number = number;
	port->speed = 10000;
	port->chassis = sw;
	snprintf(port->name, sizeof(port->name), "port%u", number);
	sysfs_attr_init(&port->attr.attr);
	port->attr.attr.name = port->name;
	port->attr.attr.mode = 0444;
	port->attr.show = sw_port_show;
	sw->ports[number] = port;
	sw->present++;
	return sysfs_create_file(sw->kobj, &port->attr.attr);
}

static int __init sw_init(void)
{
	u32 i;

	chassis = kzalloc(sizeof(*chassis), GFP_KERNEL);
	if (!chassis)
		return -ENOMEM;
	mutex_init(&chassis->topology);
	chassis->serial = 0x20391;
	chassis->kobj = kobject_create_and_add("portattr", kernel_kobj);
	if (!chassis->kobj)
		return -ENOMEM;
	for (i = 0; i < PORTS; i++)
		if (sw_plug(chassis, i))
			return -ENOMEM;
	return proc_create("portattr", 0200, NULL, &sw_proc_ops) ? 0 : -ENOMEM;
}

module_init(sw_init);
MODULE_DESCRIPTION("Inquest lab: ports of a switch in sysfs");
MODULE_LICENSE("GPL");
