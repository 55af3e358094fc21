// SPDX-License-Identifier: GPL-2.0
/* A virtual network tap with many queues. Its link settings are asked for through /sys/class/net/vtap0/speed. */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/spinlock.h>

#define VTAP_QUEUES	256

#define VTAP_TYPE_MASK	0x000f
#define VTAP_TYPE_TUN	0x0001
#define VTAP_TYPE_TAP	0x0002
#define VTAP_STACKED	0x0100

struct vtap_queue {
	struct vtap_port *port;
	u16 index;
	u16 flags;
	u32 pending;
};

struct vtap_port {
	struct vtap_queue *queues[VTAP_QUEUES];
	unsigned int numqueues;
	unsigned int flags;
	kuid_t owner;
	kgid_t group;
	struct net_device *dev;
	netdev_features_t offered;
	int vnet_hdr_size;
	int sndbuf;
	spinlock_t lock;
	struct list_head disabled;
	u32 flow_count;
	u32 rx_batched;
	u64 dropped;
};

#ifdef CONFIG_VTAP_STACKING
struct vtap_port *vtap_lower(struct vtap_port *port);
#else
static inline struct vtap_port *vtap_lower(struct vtap_port *port)
{
	return NULL;
}
#endif

static struct net_device *vtap_dev;

static inline u32 vtap_port_speed(const struct vtap_port *port)
{
	switch (port->flags & VTAP_TYPE_MASK) {
	case VTAP_TYPE_TUN:
		return SPEED_10;
	case VTAP_TYPE_TAP:
		return SPEED_10000;
	}
	return SPEED_UNKNOWN;
}

static int vtap_get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *settings)
{
	struct vtap_port *port = netdev_priv(dev);

	ethtool_link_ksettings_zero_link_mode(settings, supported);
	ethtool_link_ksettings_zero_link_mode(settings, advertising);
	settings->base.duplex = DUPLEX_FULL;
	settings->base.port = PORT_TP;
	settings->base.phy_address = 0;
	settings->base.autoneg = AUTONEG_DISABLE;
	if (port->flags & VTAP_STACKED)
		port = vtap_lower(port);
	settings->base.speed = vtap_port_speed(port);
	return 0;
}

static const struct ethtool_ops vtap_ethtool_ops = {
	.get_link_ksettings = vtap_get_link_ksettings,
};

static netdev_tx_t vtap_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct vtap_port *port = netdev_priv(dev);

	port->dropped++;
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int vtap_open(struct net_device *dev)
{
	netif_start_queue(dev);
	return 0;
}

static const struct net_device_ops vtap_netdev_ops = {
	.ndo_open = vtap_open,
	.ndo_start_xmit = vtap_start_xmit,
};

static void vtap_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &vtap_netdev_ops;
	dev->ethtool_ops = &vtap_ethtool_ops;
	dev->flags |= IFF_NOARP;
	eth_hw_addr_random(dev);
}

static int __init vtap_init(void)
{
	struct vtap_port *port;
	int ret;

	vtap_dev = alloc_netdev(sizeof(struct vtap_port), "vtap%d", NET_NAME_ENUM, vtap_setup);
	if (!vtap_dev)
		return -ENOMEM;
	port = netdev_priv(vtap_dev);
	port->dev = vtap_dev;
	port->flags = VTAP_TYPE_TAP | VTAP_STACKED;
	port->numqueues = 1;
	port->sndbuf = INT_MAX;
	spin_lock_init(&port->lock);
	INIT_LIST_HEAD(&port->disabled);
	ret = register_netdev(vtap_dev);
	if (ret)
		free_netdev(vtap_dev);
	return ret;
}

static void __exit vtap_exit(void)
{
	unregister_netdev(vtap_dev);
	free_netdev(vtap_dev);
}

module_init(vtap_init);
module_exit(vtap_exit);
MODULE_DESCRIPTION("Virtual network tap");
MODULE_LICENSE("GPL");
