// SPDX-License-Identifier: GPL-2.0
/*
 * Flow control with credits: a timer gives back what the other side has consumed, and checks that nobody ever has more than was handed out.
 */
#include <linux/module.h>
#include <linux/bug.h>
#include <linux/slab.h>
#include <linux/timer.h>

#define CREDIT_LANES 4

struct credit_lane {
	u32 used;
	u32 granted;
	u32 returned;
};

struct credit_link {
	struct timer_list refill;
	unsigned int next;
	struct credit_lane lanes[CREDIT_LANES];
};

static struct credit_link *credit_link;

static void credit_give_back(struct credit_lane *lane, u32 count)
{
	BUG_ON(lane->used + count > lane->granted);
	lane->used += count;
	lane->returned = 0;
}

static void credit_refill_lane(struct credit_link *link, unsigned int index)
{
	struct credit_lane *lane = &link->lanes[index];

	if (lane->returned)
		credit_give_back(lane, lane->returned);
}

static void credit_refill(struct timer_list *timer)
{
	struct credit_link *link = container_of(timer, struct credit_link, refill);

	credit_refill_lane(link, link->next++ % CREDIT_LANES);
	mod_timer(&link->refill, jiffies + HZ / 50);
}

static int credit_set_trigger(const char *value, const struct kernel_param *param)
{
	/* The other side returns a credit that it was never given. */
	WRITE_ONCE(credit_link->lanes[2].returned, 9);
	return 0;
}

static const struct kernel_param_ops credit_trigger_ops = { .set = credit_set_trigger };
module_param_cb(trigger, &credit_trigger_ops, NULL, 0200);

static int __init credit_init(void)
{
	unsigned int i;

	credit_link = kzalloc(sizeof(*credit_link), GFP_KERNEL);
	if (!credit_link)
		return -ENOMEM;
	for (i = 0; i < CREDIT_LANES; i++)
		credit_link->lanes[i] = (struct credit_lane){ .used = 28, .granted = 32 };
	timer_setup(&credit_link->refill, credit_refill, 0);
	mod_timer(&credit_link->refill, jiffies + HZ / 50);
	return 0;
}

module_init(credit_init);
MODULE_DESCRIPTION("Inquest lab: credits of a link");
MODULE_LICENSE("GPL");
