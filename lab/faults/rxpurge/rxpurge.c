// SPDX-License-Identifier: GPL-2.0
/*
 * A datagram sink in the kernel: packets are queued to a socket-like receiver and dropped again in bulk by two workers, each bound to a CPU.
 * The queue is a struct sk_buff_head.
 */
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/delay.h>

struct sink_stats {
	u64 queued;
	u64 dropped;
	u64 purges;
};

struct sink_sock {
	u16 port;
	u16 family;
	u32 flags;
	struct sk_buff_head receive_queue;
	struct sink_stats stats;
	struct task_struct *workers[2];
	atomic_t round;
};

static struct sink_sock *sink;

static noinline unsigned int sink_fill(struct sink_sock *sk, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct sk_buff *skb = alloc_skb(64, GFP_KERNEL);

		if (!skb)
			break;
		skb_put_data(skb, "datagram", 8);
		skb_queue_tail(&sk->receive_queue, skb);
	}
	sk->stats.queued += i;
	return i;
}

static noinline void sink_queue_purge(struct sink_sock *sk)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&sk->receive_queue)) != NULL) {
		kfree_skb(skb);
		sk->stats.dropped++;
	}
}

static noinline void sink_reset(struct sink_sock *sk)
{
	sk->stats.purges++;
	sink_queue_purge(sk);
}

static int sink_worker(void *data)
{
	struct sink_sock *sk = data;
	bool first = current == sk->workers[0];
	int round = 0;

	while (!kthread_should_stop()) {
		if (first) {
			sink_fill(sk, 4000);
			atomic_inc(&sk->round);
		} else {
			while (atomic_read(&sk->round) == round && !kthread_should_stop())
				cond_resched();
		}
		round++;
		sink_reset(sk);
		if (first)
			msleep(10);
	}
	return 0;
}

static int ports_set(const char *value, const struct kernel_param *kp)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		sink->workers[i] = kthread_create(sink_worker, sink, "sink/%u", i);
		if (IS_ERR(sink->workers[i]))
			return PTR_ERR(sink->workers[i]);
		kthread_bind(sink->workers[i], i);
	}
	wake_up_process(sink->workers[1]);
	wake_up_process(sink->workers[0]);
	return 0;
}

static const struct kernel_param_ops ports_ops = { .set = ports_set };
module_param_cb(ports, &ports_ops, NULL, 0200);

static int __init sink_init(void)
{
	sink = kzalloc(sizeof(*sink), GFP_KERNEL);
	if (!sink)
		return -ENOMEM;
	sink->port = 9;
	skb_queue_head_init(&sink->receive_queue);
	return 0;
}

static void __exit sink_exit(void)
{
}

module_init(sink_init);
module_exit(sink_exit);
MODULE_DESCRIPTION("Datagram sink");
MODULE_LICENSE("GPL");
