// SPDX-License-Identifier: GPL-2.0
/* Accounts the packets that leave by the owner of their socket: a netfilter hook on the way out. */
#include <linux/module.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/net.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>
#include <net/sock.h>

struct owner_account {
	kuid_t uid;
	u64 packets;
	u64 bytes;
};

static struct owner_account owner_accounts[16];

static noinline struct owner_account *owner_account(kuid_t uid)
{
	return &owner_accounts[__kuid_val(uid) % ARRAY_SIZE(owner_accounts)];
}

static inline kuid_t owner_of_file(const struct file *file)
{
	return file->f_cred->fsuid;
}

static noinline kuid_t owner_of_sock(struct sock *sk)
{
	struct socket *socket = sk->sk_socket;

	return owner_of_file(socket->file);
}

static noinline void owner_charge(struct sock *sk, unsigned int length)
{
	struct owner_account *account = owner_account(owner_of_sock(sk));

	account->packets++;
	account->bytes += length;
}

static unsigned int owner_hook(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (skb->sk && skb->sk->sk_protocol != IPPROTO_ICMP)
		owner_charge(skb->sk, skb->len);
	return NF_ACCEPT;
}

static const struct nf_hook_ops owner_ops = {
	.hook = owner_hook,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_POST_ROUTING,
	.priority = NF_IP_PRI_LAST,
};

static int __init owner_init(void)
{
	return nf_register_net_hook(&init_net, &owner_ops);
}

static void __exit owner_exit(void)
{
	nf_unregister_net_hook(&init_net, &owner_ops);
}

module_init(owner_init);
module_exit(owner_exit);
MODULE_DESCRIPTION("Packets by owner");
MODULE_LICENSE("GPL");
