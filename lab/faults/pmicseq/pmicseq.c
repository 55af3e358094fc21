// SPDX-License-Identifier: GPL-2.0
/* Power sequencing: consumers take their rails when they come, and are switched on one after the other, later. */
#include <linux/module.h>
#include <linux/err.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct pmic_rail {
	u32 id;
	u32 microvolts;
	u32 steps[4];
	struct list_head node;
	u32 users;
	u32 ramp_delay;
};

struct pmic_consumer {
	const char *name;
	struct pmic_rail *core;
	struct pmic_rail *io;
	u32 delay_ms;
};

struct pmic_sequence {
	struct delayed_work work;
	u32 next;
	struct pmic_consumer consumers[4];
};

static LIST_HEAD(pmic_rails);
static struct pmic_sequence *pmic_sequence;

static noinline struct pmic_rail *pmic_rail_get(u32 id)
{
	struct pmic_rail *rail;

	list_for_each_entry(rail, &pmic_rails, node)
		if (rail->id == id)
			return rail;
	return ERR_PTR(-ENODEV);
}

static noinline void pmic_consumer_init(struct pmic_consumer *consumer, const char *name, u32 core, u32 io)
{
	consumer->name = name;
	consumer->core = pmic_rail_get(core);
	consumer->io = pmic_rail_get(io);
	consumer->delay_ms = 20;
}

static inline u32 pmic_ramp(struct pmic_rail *rail)
{
	return rail->users++ ? 0 : rail->ramp_delay;
}

static noinline u32 pmic_consumer_on(struct pmic_consumer *consumer)
{
	u32 delay = pmic_ramp(consumer->core);

	return max(delay, pmic_ramp(consumer->io)) + consumer->delay_ms;
}

static void pmic_step(struct work_struct *work)
{
	struct pmic_sequence *sequence = container_of(to_delayed_work(work), struct pmic_sequence, work);
	u32 delay = pmic_consumer_on(&sequence->consumers[sequence->next++]);

	if (sequence->next < ARRAY_SIZE(sequence->consumers))
		schedule_delayed_work(&sequence->work, msecs_to_jiffies(delay));
}

static ssize_t pmic_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	schedule_delayed_work(&pmic_sequence->work, HZ / 20);
	return length;
}

static const struct proc_ops pmic_proc_ops = { .proc_write = pmic_write };

static int __init pmic_init(void)
{
	u32 i;

	pmic_sequence = kzalloc(sizeof(*pmic_sequence), GFP_KERNEL);
	if (!pmic_sequence)
		return -ENOMEM;
	for (i = 0; i < 3; i++) {
		struct pmic_rail *rail = kzalloc(sizeof(*rail), GFP_KERNEL);

		if (!rail)
			return -ENOMEM;
		rail->id = i;
		rail->microvolts = 900000 + i * 450000;
		rail->ramp_delay = 5;
		list_add_tail(&rail->node, &pmic_rails);
	}
	pmic_consumer_init(&pmic_sequence->consumers[0], "cpu", 0, 1);
	pmic_consumer_init(&pmic_sequence->consumers[1], "gpu", 0, 2);
	pmic_consumer_init(&pmic_sequence->consumers[2], "modem", 1, 3);
	pmic_consumer_init(&pmic_sequence->consumers[3], "camera", 1, 2);
	INIT_DELAYED_WORK(&pmic_sequence->work, pmic_step);
	return proc_create("pmicseq", 0200, NULL, &pmic_proc_ops) ? 0 : -ENOMEM;
}

static void __exit pmic_exit(void)
{
}

module_init(pmic_init);
module_exit(pmic_exit);
MODULE_DESCRIPTION("Power sequencing");
MODULE_LICENSE("GPL");
