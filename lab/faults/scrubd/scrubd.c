// SPDX-License-Identifier: GPL-2.0
/* Background scrubbing of a set of disks, one member after the other. A slot of the set may be empty while it is degraded. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#define SCRUB_MEMBERS	4
#define SCRUB_STRIPE	128

struct scrub_member {
	u32 slot;
	u32 state;
	char serial[20];
	u64 capacity;
	struct {
		u64 sectors;
		u64 mismatches;
		u64 last_sector;
	} scrubbed;
	unsigned long next_report;
};

struct scrub_set {
	struct work_struct work;
	struct scrub_member *members[SCRUB_MEMBERS];
	u32 width;
	u32 chunk;
	u64 position;
	u64 end;
	u8 *page;
};

static struct scrub_set *scrub_set;

static noinline u32 scrub_checksum(const u8 *page, u64 sector)
{
	u32 sum = (u32)sector;
	unsigned int i;

	for (i = 0; i < PAGE_SIZE; i++)
		sum = (sum << 1 | sum >> 31) ^ page[i];
	return sum;
}

static inline bool scrub_due(struct scrub_member *member)
{
	return time_after(jiffies, member->next_report);
}

static noinline void scrub_account(struct scrub_set *set, struct scrub_member *member, u64 sector, u32 sum)
{
	if (sum == 0xffffffff)
		set->chunk = 0;
	member->scrubbed.last_sector = sector;
	member->scrubbed.sectors += 8;
	if (scrub_due(member)) {
		pr_debug("scrubd: %s at %llu\n", member->serial, sector);
		member->next_report = jiffies + 10 * HZ;
	}
}

static noinline int scrub_page(struct scrub_set *set, struct scrub_member *member, u64 sector)
{
	u32 sum;

	memset(set->page, (int)sector, PAGE_SIZE);
	sum = scrub_checksum(set->page, sector);
	scrub_account(set, member, sector, sum);
	return sum == 0 ? -EIO : 0;
}

static noinline int scrub_stripe(struct scrub_set *set, u64 stripe)
{
	struct scrub_member *member = set->members[stripe % set->width];
	u64 sector = stripe * SCRUB_STRIPE;
	int ret = 0;

	for (; ret == 0 && sector < (stripe + 1) * SCRUB_STRIPE; sector += 8)
		ret = scrub_page(set, member, sector);
	return ret;
}

static void scrub_work(struct work_struct *work)
{
	struct scrub_set *set = container_of(work, struct scrub_set, work);

	while (set->position < set->end) {
		if (scrub_stripe(set, set->position))
			pr_warn("scrubd: stripe %llu differs\n", set->position);
		set->position++;
		cond_resched();
	}
}

static ssize_t scrub_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	scrub_set->position = 0;
	scrub_set->end = 64;
	queue_work(system_unbound_wq, &scrub_set->work);
	return length;
}

static const struct proc_ops scrub_proc_ops = { .proc_write = scrub_write };

static struct scrub_member *scrub_member_new(u32 slot)
{
	struct scrub_member *member = kzalloc(sizeof(*member), GFP_KERNEL);

	if (member) {
		member->slot = slot;
		member->capacity = 1 << 21;
		snprintf(member->serial, sizeof(member->serial), "S2H7NX0H%05u", slot);
	}
	return member;
}

static int __init scrub_init(void)
{
	u32 slot;

	scrub_set = kzalloc(sizeof(*scrub_set), GFP_KERNEL);
	if (!scrub_set)
		return -ENOMEM;
	scrub_set->page = (u8 *)__get_free_page(GFP_KERNEL);
	scrub_set->width = SCRUB_MEMBERS;
	scrub_set->chunk = SCRUB_STRIPE;
	for (slot = 0; slot < SCRUB_MEMBERS; slot++)
		scrub_set->members[slot] = slot == 2 ? NULL : scrub_member_new(slot);
	INIT_WORK(&scrub_set->work, scrub_work);
	return proc_create("scrubd", 0200, NULL, &scrub_proc_ops) ? 0 : -ENOMEM;
}

static void __exit scrub_exit(void)
{
}

module_init(scrub_init);
module_exit(scrub_exit);
MODULE_DESCRIPTION("Disk scrubbing");
MODULE_LICENSE("GPL");
