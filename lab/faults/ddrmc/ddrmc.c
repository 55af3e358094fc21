// SPDX-License-Identifier: GPL-2.0
/*
 * A memory controller's error counters, polled. An error that could not be corrected ends the machine, as the EDAC core does.
 */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define DDR_RANKS 4

struct ddr_error {
	u32 rank;
	u64 page;
	u32 offset;
	u32 syndrome;
};

struct ddr_rank {
	u32 corrected;
	u32 uncorrected;
};

struct ddr_controller {
	struct delayed_work poll;
	unsigned int index;
	bool panic_on_ue;
	struct ddr_rank ranks[DDR_RANKS];
	struct ddr_error latched;
};

static struct ddr_controller *mc;

static noinline void ddr_handle_ue(struct ddr_controller *ctl, const struct ddr_error *error)
{
	ctl->ranks[error->rank].uncorrected++;
	pr_emerg("EDAC MC%u: 1 UE ddrmc on mc#%urank#%u (rank:%u page:0x%llx offset:0x%x grain:8 syndrome:0x%x)\n", ctl->index, ctl->index,
		 error->rank, error->rank, error->page, error->offset, error->syndrome);
	if (ctl->panic_on_ue)
		panic("UE ddrmc on mc#%urank#%u (page:0x%llx offset:0x%x)\n", ctl->index, error->rank, error->page, error->offset);
}

static void ddr_handle_ce(struct ddr_controller *ctl, const struct ddr_error *error)
{
	ctl->ranks[error->rank].corrected++;
	pr_warn("EDAC MC%u: 1 CE ddrmc on mc#%urank#%u (page:0x%llx offset:0x%x)\n", ctl->index, ctl->index, error->rank, error->page,
		error->offset);
}

static void ddr_decode(struct ddr_controller *ctl, u64 status)
{
	struct ddr_error *error = &ctl->latched;

	error->rank = (status >> 4) % DDR_RANKS;
	error->page = status >> 12;
	error->offset = status & 0xff0;
	error->syndrome = status & 0xff;
	if (status & 1)
		ddr_handle_ue(ctl, error);
	else
		ddr_handle_ce(ctl, error);
}

static void ddr_poll(struct work_struct *work)
{
	struct ddr_controller *ctl = container_of(to_delayed_work(work), struct ddr_controller, poll);
	static const u64 statuses[] = { 0x1a2b3010, 0x1a2b3010, 0x1a2b3031 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		ddr_decode(ctl, statuses[i]);
		msleep(200);
	}
	schedule_delayed_work(&ctl->poll, HZ);
}

static int ddr_set_trigger(const char *value, const struct kernel_param *param)
{
	schedule_delayed_work(&mc->poll, HZ / 10);
	return 0;
}

static const struct kernel_param_ops ddr_trigger_ops = { .set = ddr_set_trigger };
module_param_cb(trigger, &ddr_trigger_ops, NULL, 0200);

static int __init ddr_init(void)
{
	mc = kzalloc(sizeof(*mc), GFP_KERNEL);
	if (!mc)
		return -ENOMEM;
	mc->panic_on_ue = true;
	INIT_DELAYED_WORK(&mc->poll, ddr_poll);
	return 0;
}

module_init(ddr_init);
MODULE_DESCRIPTION("Inquest lab: memory controller");
MODULE_LICENSE("GPL");
