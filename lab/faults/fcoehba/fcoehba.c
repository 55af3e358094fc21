// SPDX-License-Identifier: GPL-2.0
/*
 * A host adapter the machine boots from. When its link watch has counted enough losses, and no path is left, it gives the machine up.
 */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define HBA_MAX_LOSSES 3

struct hba_path {
	u32 fcid;
	bool online;
};

struct hba_host {
	unsigned int number;
	u32 losses;
	struct hba_path paths[2];
	struct delayed_work link_watch;
};

static struct hba_host *hba;

static unsigned int hba_online_paths(const struct hba_host *host)
{
	return host->paths[0].online + host->paths[1].online;
}

static void hba_no_path_left(struct hba_host *host)
{
	panic("fcoehba: host%u: all paths to the boot device are lost (%u losses), giving up", host->number, host->losses);
}

static void hba_link_lost(struct hba_host *host, struct hba_path *path)
{
	path->online = false;
	host->losses++;
	pr_err("fcoehba: host%u: path %06x lost\n", host->number, path->fcid);
	if (hba_online_paths(host) == 0 && host->losses >= HBA_MAX_LOSSES - 1)
		hba_no_path_left(host);
}

static void hba_link_watch(struct work_struct *work)
{
	struct hba_host *host = container_of(to_delayed_work(work), struct hba_host, link_watch);

	hba_link_lost(host, &host->paths[host->losses % 2]);
	schedule_delayed_work(&host->link_watch, HZ / 5);
}

static int hba_set_trigger(const char *value, const struct kernel_param *param)
{
	schedule_delayed_work(&hba->link_watch, HZ / 10);
	return 0;
}

static const struct kernel_param_ops hba_trigger_ops = { .set = hba_set_trigger };
module_param_cb(trigger, &hba_trigger_ops, NULL, 0200);

static int __init hba_init(void)
{
	hba = kzalloc(sizeof(*hba), GFP_KERNEL);
	if (!hba)
		return -ENOMEM;
	hba->number = 4;
	hba->paths[0] = (struct hba_path){ .fcid = 0x010200, .online = true };
	hba->paths[1] = (struct hba_path){ .fcid = 0x010300, .online = true };
	INIT_DELAYED_WORK(&hba->link_watch, hba_link_watch);
	return 0;
}

module_init(hba_init);
MODULE_DESCRIPTION("Inquest lab: host adapter");
MODULE_LICENSE("GPL");
