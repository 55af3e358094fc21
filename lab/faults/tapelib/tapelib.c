// SPDX-License-Identifier: GPL-2.0
/*
 * A tape library: drives, a robot (a thread that moves cartridges on request) and an inventory of its slots.
 *
 *   load      drive->lock, then a move by the robot, whose end is awaited
 *   robot     inventory->sem for reading while it moves
 *   audit     inventory->sem for writing, then every drive->lock
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#define TAPE_DRIVES 2
#define TAPE_SLOTS 16

struct tape_move {
	struct list_head link;
	u16 from;
	u16 to;
	int status;
	struct completion finished;
};

struct tape_inventory {
	struct rw_semaphore sem;
	u32 generation;
	u32 volume[TAPE_SLOTS];
};

struct tape_robot {
	spinlock_t lock;
	struct list_head moves;
	wait_queue_head_t wanted;
	struct task_struct *arm;
	u32 moved;
};

struct tape_drive {
	struct mutex lock;
	u32 volume;
	u32 loads;
};

struct tape_library {
	struct tape_inventory inventory;
	struct tape_robot robot;
	struct tape_drive drives[TAPE_DRIVES];
};

static struct tape_library *library;

static struct tape_move *robot_next(struct tape_robot *robot)
{
	struct tape_move *move;

	spin_lock(&robot->lock);
	move = list_first_entry_or_null(&robot->moves, struct tape_move, link);
	if (move)
		list_del_init(&move->link);
	spin_unlock(&robot->lock);
	return move;
}

static u32 robot_pick(struct tape_library *lib, u16 slot)
{
	u32 volume;

	down_read(&lib->inventory.sem);
	volume = lib->inventory.volume[slot];
	up_read(&lib->inventory.sem);
	return volume;
}

static void robot_move(struct tape_library *lib, struct tape_move *move)
{
	/* The arm drives to the slot, then reads its label. */
	msleep(700);
	move->status = robot_pick(lib, move->from) ? 0 : -ENOENT;
	lib->robot.moved++;
	complete(&move->finished);
}

static int robot_thread(void *data)
{
	struct tape_library *lib = data;
	struct tape_move *move;

	while (!kthread_should_stop()) {
		wait_event_interruptible(lib->robot.wanted, !list_empty(&lib->robot.moves) || kthread_should_stop());
		while ((move = robot_next(&lib->robot)))
			robot_move(lib, move);
	}
	return 0;
}

static int robot_request(struct tape_robot *robot, u16 from, u16 to)
{
	struct tape_move *move = kzalloc(sizeof(*move), GFP_KERNEL);
	int status;

	if (!move)
		return -ENOMEM;
	move->from = from;
	move->to = to;
	init_completion(&move->finished);
	spin_lock(&robot->lock);
	list_add_tail(&move->link, &robot->moves);
	spin_unlock(&robot->lock);
	wake_up(&robot->wanted);
	wait_for_completion(&move->finished);
	status = move->status;
	kfree(move);
	return status;
}

static int drive_load(struct tape_drive *drive, u16 slot)
{
	int err;

	mutex_lock(&drive->lock);
	err = robot_request(&library->robot, slot, drive - library->drives);
	if (!err)
		drive->loads++;
	mutex_unlock(&drive->lock);
	return err;
}

static u32 drive_volume(struct tape_drive *drive)
{
	u32 volume;

	mutex_lock(&drive->lock);
	volume = drive->volume;
	mutex_unlock(&drive->lock);
	return volume;
}

static void library_audit(struct tape_library *lib)
{
	unsigned int i;
	u32 sum = 0;

	down_write(&lib->inventory.sem);
	for (i = 0; i < TAPE_DRIVES; i++)
		sum += drive_volume(&lib->drives[i]);
	lib->inventory.generation += sum + 1;
	up_write(&lib->inventory.sem);
}

static ssize_t tape_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char line[32] = {};
	unsigned int drive, slot;
	int err = 0;

	if (count >= sizeof(line) || copy_from_user(line, ubuf, count))
		return -EINVAL;
	if (sscanf(line, "load %u %u", &drive, &slot) == 2 && drive < TAPE_DRIVES && slot < TAPE_SLOTS)
		err = drive_load(&library->drives[drive], slot);
	else if (!strncmp(line, "audit", 5))
		library_audit(library);
	else
		err = -EINVAL;
	return err ?: count;
}

static ssize_t tape_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	char line[24];
	int length = scnprintf(line, sizeof(line), "%u\n", drive_volume(&library->drives[1]));

	return simple_read_from_buffer(ubuf, count, pos, line, length);
}

static const struct file_operations tape_fops = {
	.owner = THIS_MODULE,
	.read = tape_read,
	.write = tape_write,
};

static struct miscdevice tape_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tapelib",
	.fops = &tape_fops,
};

static int __init tape_init(void)
{
	unsigned int i;

	library = kzalloc(sizeof(*library), GFP_KERNEL);
	if (!library)
		return -ENOMEM;
	init_rwsem(&library->inventory.sem);
	for (i = 0; i < TAPE_SLOTS; i++)
		library->inventory.volume[i] = 1000 + i;
	for (i = 0; i < TAPE_DRIVES; i++)
		mutex_init(&library->drives[i].lock);
	spin_lock_init(&library->robot.lock);
	INIT_LIST_HEAD(&library->robot.moves);
	init_waitqueue_head(&library->robot.wanted);
	library->robot.arm = kthread_run(robot_thread, library, "tape_arm");
	if (IS_ERR(library->robot.arm))
		return PTR_ERR(library->robot.arm);
	return misc_register(&tape_misc);
}

module_init(tape_init);
MODULE_DESCRIPTION("Inquest lab: tape library");
MODULE_LICENSE("GPL");
