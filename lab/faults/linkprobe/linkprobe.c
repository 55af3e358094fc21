// SPDX-License-Identifier: GPL-2.0
/*
 * A network device that answers probes of its link itself. What the device is asked to send while its queue is stopped is counted and
 * forgotten.
 */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/uaccess.h>

#define PROBE_BYTES 900

struct probe_link {
	struct net_device *device;
	u64 sent;
	u64 refused;
	u32 window;
};

static struct net_device *probe_device;

static netdev_tx_t probe_xmit(struct sk_buff *skb, struct net_device *device)
{
	struct probe_link *link = netdev_priv(device);

	link->sent++;
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops probe_ops = {
	.ndo_start_xmit = probe_xmit,
};

static struct sk_buff *probe_build(struct probe_link *link)
{
	struct sk_buff *skb = alloc_skb(PROBE_BYTES + ETH_HLEN, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, ETH_HLEN);
	skb_put_zero(skb, PROBE_BYTES);
	skb->dev = link->device;
	skb->protocol = htons(ETH_P_802_3);
	return skb;
}

static int probe_send(struct probe_link *link, struct sk_buff *skb)
{
	if (link->window == 0) {
		link->refused++;
		return -EBUSY;
	}
	link->window--;
	return probe_xmit(skb, link->device);
}

static int probe_burst(struct probe_link *link, u32 count)
{
	struct sk_buff *skb;

	while (count--) {
		skb = probe_build(link);
		if (!skb)
			return -ENOMEM;
		probe_send(link, skb);
	}
	return 0;
}

static ssize_t probe_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u32 probes;
	int error = kstrtou32_from_user(ubuf, count, 0, &probes);

	if (!error)
		error = probe_burst(netdev_priv(probe_device), probes);
	return error ? error : count;
}

static const struct file_operations probe_fops = { .owner = THIS_MODULE, .write = probe_write };

static struct miscdevice probe_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "linkprobe",
	.fops = &probe_fops,
};

static void probe_setup(struct net_device *device)
{
	ether_setup(device);
	device->netdev_ops = &probe_ops;
}

static int __init probe_init(void)
{
	struct probe_link *link;
	int error;

	probe_device = alloc_netdev(sizeof(struct probe_link), "probe%d", NET_NAME_UNKNOWN, probe_setup);
	if (!probe_device)
		return -ENOMEM;
	link = netdev_priv(probe_device);
	link->device = probe_device;
	link->window = 64;
	error = register_netdev(probe_device);
	if (error) {
		free_netdev(probe_device);
		return error;
	}
	return misc_register(&probe_misc);
}

module_init(probe_init);
MODULE_DESCRIPTION("Inquest lab: probes of a link");
MODULE_LICENSE("GPL");
