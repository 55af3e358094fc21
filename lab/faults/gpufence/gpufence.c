// SPDX-License-Identifier: GPL-2.0
/* A small GPU: buffers have a reservation, jobs a fence that the engine signals when it is done. */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/ww_mutex.h>

static DEFINE_WW_CLASS(gpu_reservation_class);

struct gpu_buffer {
	u32 handle;
	u32 pages;
	struct ww_mutex resv;
	struct dma_fence *last_use;
};

struct gpu_job {
	struct dma_fence base;
	struct list_head link;
	u32 opcode;
	struct gpu_buffer *target;
};

struct gpu_device {
	struct mutex struct_mutex;
	spinlock_t fence_lock;
	u64 context;
	u32 seqno;
	struct list_head queue;
	wait_queue_head_t doorbell;
	struct task_struct *engine;
	struct gpu_buffer buffers[4];
};

static struct gpu_device *gpu;

static const char *gpu_driver_name(struct dma_fence *fence)
{
	return "gpufence";
}

static const char *gpu_timeline_name(struct dma_fence *fence)
{
	return "engine0";
}

static const struct dma_fence_ops gpu_fence_ops = {
	.get_driver_name = gpu_driver_name,
	.get_timeline_name = gpu_timeline_name,
};

/* What the engine does not know it leaves to the firmware. */
static noinline bool gpu_execute(struct gpu_job *job)
{
	if (job->opcode > 7)
		return false;
	job->target->pages += job->opcode;
	return true;
}

static int gpu_engine(void *data)
{
	struct gpu_device *dev = data;
	struct gpu_job *job;

	while (!kthread_should_stop()) {
		wait_event_interruptible(dev->doorbell, !list_empty(&dev->queue) || kthread_should_stop());
		while (!list_empty(&dev->queue)) {
			spin_lock_irq(&dev->fence_lock);
			job = list_first_entry(&dev->queue, struct gpu_job, link);
			list_del_init(&job->link);
			spin_unlock_irq(&dev->fence_lock);
			if (gpu_execute(job))
				dma_fence_signal(&job->base);
		}
	}
	return 0;
}

static noinline int gpu_submit(struct gpu_device *dev, struct gpu_buffer *buffer, u32 opcode)
{
	struct gpu_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	if (!job)
		return -ENOMEM;
	job->opcode = opcode;
	job->target = buffer;
	dma_fence_init(&job->base, &gpu_fence_ops, &dev->fence_lock, dev->context, ++dev->seqno);
	buffer->last_use = dma_fence_get(&job->base);
	spin_lock_irq(&dev->fence_lock);
	list_add_tail(&job->link, &dev->queue);
	spin_unlock_irq(&dev->fence_lock);
	wake_up(&dev->doorbell);
	return 0;
}

static noinline void gpu_buffer_idle(struct gpu_buffer *buffer)
{
	if (buffer->last_use)
		dma_fence_wait(buffer->last_use, false);
}

/* Draws, and waits until the picture is there. */
static noinline int gpu_present(struct gpu_device *dev, struct gpu_buffer *buffer, u32 opcode)
{
	int error;

	ww_mutex_lock(&buffer->resv, NULL);
	error = gpu_submit(dev, buffer, opcode);
	if (!error)
		gpu_buffer_idle(buffer);
	ww_mutex_unlock(&buffer->resv);
	return error;
}

static noinline void gpu_evict(struct gpu_device *dev, struct gpu_buffer *buffer)
{
	mutex_lock(&dev->struct_mutex);
	ww_mutex_lock(&buffer->resv, NULL);
	buffer->pages = 0;
	ww_mutex_unlock(&buffer->resv);
	mutex_unlock(&dev->struct_mutex);
}

static ssize_t gpu_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24] = {};
	u32 handle, opcode;
	int error = 0;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (sscanf(line, "present %u %u", &handle, &opcode) == 2 && handle < ARRAY_SIZE(gpu->buffers))
		error = gpu_present(gpu, &gpu->buffers[handle], opcode);
	else if (sscanf(line, "evict %u", &handle) == 1 && handle < ARRAY_SIZE(gpu->buffers))
		gpu_evict(gpu, &gpu->buffers[handle]);
	else
		error = -EINVAL;
	return error ? error : count;
}

static ssize_t gpu_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length;

	mutex_lock(&gpu->struct_mutex);
	length = scnprintf(line, sizeof(line), "%u\n", gpu->seqno);
	mutex_unlock(&gpu->struct_mutex);
	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations gpu_fops = {
	.owner = THIS_MODULE,
	.read = gpu_read,
	.write = gpu_write,
};

static struct miscdevice gpu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gpufence",
	.fops = &gpu_fops,
};

static int __init gpu_init(void)
{
	u32 i;

	gpu = kzalloc(sizeof(*gpu), GFP_KERNEL);
	if (!gpu)
		return -ENOMEM;
	mutex_init(&gpu->struct_mutex);
	spin_lock_init(&gpu->fence_lock);
	INIT_LIST_HEAD(&gpu->queue);
	init_waitqueue_head(&gpu->doorbell);
	gpu->context = dma_fence_context_alloc(1);
	for (i = 0; i < ARRAY_SIZE(gpu->buffers); i++) {
		gpu->buffers[i].handle = i;
		ww_mutex_init(&gpu->buffers[i].resv, &gpu_reservation_class);
	}
	gpu->engine = kthread_run(gpu_engine, gpu, "gpu_engine");
	if (IS_ERR(gpu->engine))
		return PTR_ERR(gpu->engine);
	return misc_register(&gpu_misc);
}

module_init(gpu_init);
MODULE_DESCRIPTION("Inquest lab: buffers and fences of a GPU");
MODULE_LICENSE("GPL");
