// SPDX-License-Identifier: GPL-2.0
/*
 * Faults in process context, several named functions deep, with locals whose values a test can know.
 *   echo MODE > /sys/module/lab_fault/parameters/trigger
 *   null   write through a NULL member pointer
 *   wild   read through a non-canonical / unmapped pointer
 *   call   call through a NULL function pointer
 *   bug    BUG()
 *   warn   WARN() (a panic only with panic_on_warn)
 *   panic  panic()
 *   stack  endless recursion: the VMAP stack's guard page, a double fault on x86-64
 */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

struct lab_segment {
	u64 sector;
	u32 length;
	struct lab_segment *next;
	void (*complete)(struct lab_segment *segment);
};

struct lab_request {
	u32 magic;
	u32 tag;
	struct lab_segment *segment;
	char owner[16];
};

#define LAB_REQUEST_MAGIC 0x1ab0cafe

static noinline int lab_fault_map_segment(struct lab_request *request, const char *mode)
{
	struct lab_segment *segment = request->segment;

	if (sysfs_streq(mode, "wild"))
		segment = (struct lab_segment *)0xdead4ead12345678UL;
	if (sysfs_streq(mode, "call")) {
		segment = kzalloc(sizeof(*segment), GFP_KERNEL);
		if (!segment)
			return -ENOMEM;
		segment->sector = 2048;
		segment->complete(segment);
		return (int)segment->sector;
	}
	segment->length = request->tag * 512;
	return (int)segment->sector;
}

static noinline int lab_fault_queue_request(struct lab_request *request, const char *mode)
{
	int mapped;

	if (sysfs_streq(mode, "bug"))
		BUG_ON(request->magic == LAB_REQUEST_MAGIC);
	if (sysfs_streq(mode, "warn"))
		WARN(request->tag == 42, "lab_fault: request %u of %s has no segment\n", request->tag, request->owner);
	if (sysfs_streq(mode, "panic"))
		panic("lab_fault: request %u of %s lost", request->tag, request->owner);
	mapped = lab_fault_map_segment(request, mode);
	pr_info("lab_fault: mapped %d\n", mapped);
	return mapped;
}

static noinline int lab_fault_recurse(unsigned int depth)
{
	volatile char ballast[512];

	memset((void *)ballast, (int)depth, sizeof(ballast));
	if (depth == 0)
		return ballast[0];
	return lab_fault_recurse(depth - 1) + ballast[depth % sizeof(ballast)];
}

static noinline int lab_fault_submit(const char *mode)
{
	struct lab_request *request = kzalloc(sizeof(*request), GFP_KERNEL);
	int ret;

	if (!request)
		return -ENOMEM;
	request->magic = LAB_REQUEST_MAGIC;
	request->tag = 42;
	strscpy(request->owner, "lab-owner", sizeof(request->owner));
	if (sysfs_streq(mode, "stack"))
		ret = lab_fault_recurse(1000000);
	else
		ret = lab_fault_queue_request(request, mode);
	kfree(request);
	return ret;
}

static int lab_fault_trigger_set(const char *val, const struct kernel_param *kp)
{
	int ret;

	pr_info("lab_fault: trigger %s", val);
	ret = lab_fault_submit(val);
	return ret < 0 ? ret : 0;
}

static const struct kernel_param_ops lab_fault_trigger_ops = { .set = lab_fault_trigger_set };
module_param_cb(trigger, &lab_fault_trigger_ops, NULL, 0200);

static int __init lab_fault_init(void)
{
	pr_info("lab_fault: loaded\n");
	return 0;
}

static void __exit lab_fault_exit(void)
{
}

module_init(lab_fault_init);
module_exit(lab_fault_exit);
MODULE_DESCRIPTION("Inquest lab: faults in process context");
MODULE_LICENSE("GPL");
