// SPDX-License-Identifier: GPL-2.0
/*
 * Ports of a switch with pluggable transceivers behind one two-wire bus.
 *
 *   sweep   (a subnet manager)  fabric->route_sem for writing, then port->state_lock
 *   reset   (a port daemon)     port->state_lock, then bus->lock
 *   poll    (a kernel thread)   bus->lock, then fabric->route_sem for reading
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/rtmutex.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define QSFP_PORTS 4

struct qsfp_bus {
	struct rt_mutex lock;
	u32 transfers;
	u8 page;
};

struct qsfp_port {
	unsigned int number;
	u32 speed;
	struct mutex state_lock;
	struct qsfp_bus *bus;
	u8 eeprom[16];
};

struct qsfp_fabric {
	struct rw_semaphore route_sem;
	u16 lids[QSFP_PORTS];
	struct qsfp_port *ports[QSFP_PORTS];
	struct qsfp_bus bus;
	struct task_struct *poller;
};

static struct qsfp_fabric *fabric;

static void qsfp_read_page(struct qsfp_port *port, u8 page)
{
	struct qsfp_bus *bus = port->bus;

	rt_mutex_lock(&bus->lock);
	bus->page = page;
	bus->transfers++;
	memset(port->eeprom, page, sizeof(port->eeprom));
	rt_mutex_unlock(&bus->lock);
}

static void qsfp_port_reset(struct qsfp_port *port)
{
	mutex_lock(&port->state_lock);
	port->speed = 0;
	msleep(600);
	qsfp_read_page(port, 0);
	port->speed = 100000;
	mutex_unlock(&port->state_lock);
}

static u32 qsfp_port_speed(struct qsfp_port *port)
{
	u32 speed;

	mutex_lock(&port->state_lock);
	speed = port->speed;
	mutex_unlock(&port->state_lock);
	return speed;
}

static void qsfp_sweep(struct qsfp_fabric *fab)
{
	unsigned int i;

	down_write(&fab->route_sem);
	msleep(600);
	for (i = 0; i < QSFP_PORTS; i++)
		fab->lids[i] = qsfp_port_speed(fab->ports[i]) ? i + 1 : 0;
	up_write(&fab->route_sem);
}

static bool qsfp_is_routed(struct qsfp_fabric *fab, unsigned int i)
{
	bool routed;

	down_read(&fab->route_sem);
	routed = fab->lids[i] != 0;
	up_read(&fab->route_sem);
	return routed;
}

static void qsfp_poll_temperatures(struct qsfp_fabric *fab)
{
	unsigned int i;

	rt_mutex_lock(&fab->bus.lock);
	msleep(600);
	for (i = 0; i < QSFP_PORTS; i++)
		if (qsfp_is_routed(fab, i))
			fab->bus.transfers++;
	rt_mutex_unlock(&fab->bus.lock);
}

static int qsfp_poll_thread(void *data)
{
	while (!kthread_should_stop()) {
		qsfp_poll_temperatures(data);
		schedule_timeout_interruptible(30 * HZ);
	}
	return 0;
}

static ssize_t qsfp_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32];
	unsigned int number;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "reset %u", &number) == 1 && number < QSFP_PORTS) {
		qsfp_port_reset(fabric->ports[number]);
	} else if (!strncmp(line, "sweep", 5)) {
		qsfp_sweep(fabric);
	} else if (!strncmp(line, "poll", 4)) {
		fabric->poller = kthread_run(qsfp_poll_thread, fabric, "qsfp_poll");
	} else {
		return -EINVAL;
	}
	return count;
}

static ssize_t qsfp_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[8] = "down\n";

	if (qsfp_is_routed(fabric, 1))
		strcpy(line, "up\n");
	return simple_read_from_buffer(ubuf, count, pos, line, strlen(line));
}

static const struct file_operations qsfp_fops = {
	.owner = THIS_MODULE,
	.read = qsfp_read,
	.write = qsfp_write,
};

static struct miscdevice qsfp_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "qsfp",
	.fops = &qsfp_fops,
};

static int __init qsfp_init(void)
{
	unsigned int i;

	fabric = kzalloc(sizeof(*fabric), GFP_KERNEL);
	if (!fabric)
		return -ENOMEM;
	init_rwsem(&fabric->route_sem);
	rt_mutex_init(&fabric->bus.lock);
	for (i = 0; i < QSFP_PORTS; i++) {
		struct qsfp_port *port = kzalloc(sizeof(*port), GFP_KERNEL);

		if (!port)
			return -ENOMEM;
		port->number = i;
		port->speed = 100000;
		port->bus = &fabric->bus;
		mutex_init(&port->state_lock);
		fabric->ports[i] = port;
	}
	return misc_register(&qsfp_misc);
}

module_init(qsfp_init);
MODULE_DESCRIPTION("Inquest lab: transceivers behind a bus");
MODULE_LICENSE("GPL");
