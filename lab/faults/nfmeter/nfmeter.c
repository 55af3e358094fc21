// SPDX-License-Identifier: GPL-2.0
/* A packet meter: lets through so many bytes, and drops what comes after. */
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>

struct meter {
	u64 allowed;
	u64 passed;
	u64 dropped;
};

static struct meter meter = { .allowed = 200 };

static noinline unsigned int meter_charge(struct meter *meter, struct sk_buff *skb)
{
	if (meter->passed + skb->len <= meter->allowed) {
		meter->passed += skb->len;
		return NF_ACCEPT;
	}
	meter->dropped += skb->len;
	kfree_skb(skb);
	return NF_ACCEPT;
}

static unsigned int meter_hook(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return meter_charge(&meter, skb);
}

static const struct nf_hook_ops meter_ops = {
	.hook = meter_hook,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP_PRI_FILTER,
};

static int __init meter_init(void)
{
	return nf_register_net_hook(&init_net, &meter_ops);
}

static void __exit meter_exit(void)
{
	nf_unregister_net_hook(&init_net, &meter_ops);
}

module_init(meter_init);
module_exit(meter_exit);
MODULE_DESCRIPTION("Packet meter");
MODULE_LICENSE("GPL");
