// SPDX-License-Identifier: GPL-2.0
/*
 * Leases that a tasklet ages. One whose state machine is in a state that ageing does not know is warned of.
 */
#include <linux/module.h>
#include <linux/bug.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/timer.h>

enum lease_state { LEASE_FREE, LEASE_HELD, LEASE_EXPIRED, LEASE_STATES };

struct lease {
	u32 address;
	u16 state;
	u16 age;
};

struct lease_pool {
	struct timer_list tick;
	struct tasklet_struct ager;
	struct lease leases[16];
};

static struct lease_pool *pool;

static void lease_age_one(struct lease *lease)
{
	if (WARN_ON(lease->state >= LEASE_STATES))
		return;
	if (lease->state == LEASE_HELD && ++lease->age > 1000)
		lease->state = LEASE_EXPIRED;
}

static void lease_age_all(struct tasklet_struct *tasklet)
{
	struct lease_pool *p = container_of(tasklet, struct lease_pool, ager);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p->leases); i++)
		lease_age_one(&p->leases[i]);
}

static void lease_tick(struct timer_list *timer)
{
	struct lease_pool *p = container_of(timer, struct lease_pool, tick);

	tasklet_schedule(&p->ager);
	mod_timer(&p->tick, jiffies + HZ / 20);
}

static int lease_set_trigger(const char *value, const struct kernel_param *param)
{
	WRITE_ONCE(pool->leases[7].state, 0x4a);
	return 0;
}

static const struct kernel_param_ops lease_trigger_ops = { .set = lease_set_trigger };
module_param_cb(trigger, &lease_trigger_ops, NULL, 0200);

static int __init lease_init(void)
{
	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return -ENOMEM;
	tasklet_setup(&pool->ager, lease_age_all);
	timer_setup(&pool->tick, lease_tick, 0);
	mod_timer(&pool->tick, jiffies + HZ / 20);
	return 0;
}

module_init(lease_init);
MODULE_DESCRIPTION("Inquest lab: leases");
MODULE_LICENSE("GPL");
