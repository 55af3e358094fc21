// SPDX-License-Identifier: GPL-2.0
/*
 * A crypto engine with a thread for each of its lanes. All of them share the engine's register lock; one asks the engine for a self test with
 * the lock held and waits for an answer that an engine which sleeps never gives.
 */
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/completion.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/delay.h>
#include <linux/uaccess.h>

static unsigned int lanes = 64;
module_param(lanes, uint, 0444);

struct crypt_engine {
	struct mutex regs;
	struct completion answer;
	bool asleep;
	u32 command;
	u64 jobs;
};

struct crypt_lane {
	struct crypt_engine *engine;
	struct task_struct *thread;
	u32 id;
	u64 done;
};

static struct crypt_engine *engine;

static void engine_post(struct crypt_engine *e, u32 command)
{
	WRITE_ONCE(e->command, command);
	if (!e->asleep)
		complete(&e->answer);
}

static int engine_self_test(struct crypt_engine *e)
{
	int err;

	mutex_lock(&e->regs);
	reinit_completion(&e->answer);
	engine_post(e, 0x57);
	wait_for_completion(&e->answer);
	err = e->command == 0 ? 0 : -EIO;
	mutex_unlock(&e->regs);
	return err;
}

static void lane_serve(struct crypt_lane *lane)
{
	struct crypt_engine *e = lane->engine;

	mutex_lock(&e->regs);
	e->jobs++;
	lane->done++;
	mutex_unlock(&e->regs);
}

static int lane_thread(void *data)
{
	struct crypt_lane *lane = data;

	while (!kthread_should_stop()) {
		lane_serve(lane);
		msleep(500);
	}
	return 0;
}

static int lanes_start(struct crypt_engine *e)
{
	unsigned int i;

	for (i = 0; i < lanes; i++) {
		struct crypt_lane *lane = kzalloc(sizeof(*lane), GFP_KERNEL);

		if (!lane)
			return -ENOMEM;
		lane->engine = e;
		lane->id = i;
		lane->thread = kthread_run(lane_thread, lane, "lane/%u", i);
		if (IS_ERR(lane->thread))
			return PTR_ERR(lane->thread);
	}
	return 0;
}

static ssize_t engine_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char text[16] = {};
	int err = 0;

	if (count >= sizeof(text) || copy_from_user(text, ubuf, count))
		return -EINVAL;
	if (!strncmp(text, "sleep", 5))
		engine->asleep = true;
	else if (!strncmp(text, "test", 4))
		err = engine_self_test(engine);
	return err ?: count;
}

static const struct file_operations engine_fops = {
	.owner = THIS_MODULE,
	.write = engine_write,
};

static struct miscdevice engine_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lanepool",
	.fops = &engine_fops,
};

static int __init engine_init(void)
{
	engine = kzalloc(sizeof(*engine), GFP_KERNEL);
	if (!engine)
		return -ENOMEM;
	mutex_init(&engine->regs);
	init_completion(&engine->answer);
	if (misc_register(&engine_misc))
		return -ENODEV;
	return lanes_start(engine);
}

module_init(engine_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Crypto engine with lanes");
