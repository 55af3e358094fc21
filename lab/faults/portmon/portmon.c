// SPDX-License-Identifier: GPL-2.0
/* Watches the links of its own virtual ports by a notifier. */
#include <linux/module.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/slab.h>

struct prt_stats {
	u64 ups;
	u64 downs;
	u32 last_event;
};

struct prt_priv {
	u32 number;
	u32 flags;
	struct prt_stats *stats;
};

static struct net_device *prt_device;

static netdev_tx_t prt_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops prt_ops = { .ndo_start_xmit = prt_xmit };

static noinline void prt_count(struct prt_priv *port, unsigned long event)
{
	struct prt_stats *stats = port->stats;

	if (event == NETDEV_UP)
		stats->ups++;
	else
		stats->downs++;
	stats->last_event = event;
}

static noinline void prt_link_changed(struct net_device *dev, unsigned long event)
{
	prt_count(netdev_priv(dev), event);
}

static int prt_netdev_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct net_device *dev = netdev_notifier_info_to_dev(data);

	if (event == NETDEV_UP || event == NETDEV_DOWN)
		prt_link_changed(dev, event);
	return NOTIFY_DONE;
}

static struct notifier_block prt_notifier = { .notifier_call = prt_netdev_event };

static int __init prt_init(void)
{
	struct prt_priv *port;
	int err;

	prt_device = alloc_netdev(sizeof(*port), "prt%d", NET_NAME_UNKNOWN, ether_setup);
	if (!prt_device)
		return -ENOMEM;
	prt_device->netdev_ops = &prt_ops;
	eth_hw_addr_random(prt_device);
	port = netdev_priv(prt_device);
	port->number = 1;
	port->stats = kzalloc(sizeof(*port->stats), GFP_KERNEL);
	if (!port->stats)
		return -ENOMEM;
	err = register_netdev(prt_device);
	if (err)
		return err;
	return register_netdevice_notifier(&prt_notifier);
}

module_init(prt_init);
MODULE_DESCRIPTION("Inquest lab: virtual ports");
MODULE_LICENSE("GPL");
