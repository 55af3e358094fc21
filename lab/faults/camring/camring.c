// SPDX-License-Identifier: GPL-2.0
/*
 * A camera: a thread takes frames off the sensor into a ring, readers take them out of it.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#define CAM_FRAMES 8

struct cam_frame {
	u32 sequence;
	u32 bytes;
	u8 data[256];
};

struct cam_ring {
	u32 head;
	u32 tail;
	wait_queue_head_t filled;
	struct cam_frame frames[CAM_FRAMES];
};

struct cam_device {
	struct mutex lock;
	bool streaming;
	u32 exposure;
	struct cam_ring ring;
	struct task_struct *grabber;
};

static struct cam_device *cam;

static bool cam_has_frame(struct cam_ring *ring)
{
	return READ_ONCE(ring->head) != READ_ONCE(ring->tail);
}

static void cam_put_frame(struct cam_device *dev)
{
	struct cam_ring *ring = &dev->ring;
	struct cam_frame *frame;

	mutex_lock(&dev->lock);
	frame = &ring->frames[ring->head % CAM_FRAMES];
	frame->sequence = ring->head;
	frame->bytes = sizeof(frame->data);
	memset(frame->data, dev->exposure, sizeof(frame->data));
	WRITE_ONCE(ring->head, ring->head + 1);
	mutex_unlock(&dev->lock);
	wake_up(&ring->filled);
}

static int cam_grab_thread(void *data)
{
	struct cam_device *dev = data;

	while (!kthread_should_stop()) {
		msleep(500);
		cam_put_frame(dev);
	}
	return 0;
}

static void cam_wait_frame(struct cam_ring *ring)
{
	wait_event(ring->filled, cam_has_frame(ring));
}

static u32 cam_dequeue(struct cam_device *dev)
{
	struct cam_frame *frame;

	cam_wait_frame(&dev->ring);
	frame = &dev->ring.frames[dev->ring.tail % CAM_FRAMES];
	WRITE_ONCE(dev->ring.tail, dev->ring.tail + 1);
	return frame->sequence;
}

static int cam_start(struct cam_device *dev)
{
	struct task_struct *grabber;

	if (dev->streaming)
		return 0;
	grabber = kthread_run(cam_grab_thread, dev, "cam_grab");
	if (IS_ERR(grabber))
		return PTR_ERR(grabber);
	dev->grabber = grabber;
	dev->streaming = true;
	return 0;
}

static ssize_t cam_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[16];
	int length, err;

	mutex_lock(&cam->lock);
	err = cam_start(cam);
	if (err) {
		mutex_unlock(&cam->lock);
		return err;
	}
	length = scnprintf(line, sizeof(line), "%u\n", cam_dequeue(cam));
	mutex_unlock(&cam->lock);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static ssize_t cam_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 exposure;
	int err = kstrtou32_from_user(ubuf, count, 0, &exposure);

	if (err)
		return err;
	mutex_lock(&cam->lock);
	cam->exposure = exposure;
	mutex_unlock(&cam->lock);
	return count;
}

static const struct file_operations cam_fops = {
	.owner = THIS_MODULE,
	.read = cam_read,
	.write = cam_write,
};

static struct miscdevice cam_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "camring",
	.fops = &cam_fops,
};

static int __init cam_init(void)
{
	cam = kzalloc(sizeof(*cam), GFP_KERNEL);
	if (!cam)
		return -ENOMEM;
	mutex_init(&cam->lock);
	init_waitqueue_head(&cam->ring.filled);
	return misc_register(&cam_misc);
}

module_init(cam_init);
MODULE_DESCRIPTION("Inquest lab: camera");
MODULE_LICENSE("GPL");
