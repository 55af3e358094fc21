// SPDX-License-Identifier: GPL-2.0
/*
 * A transmit scheduler: one thread writes a doorbell and waits for the card's answer with the queue's lock held and interrupts off; another
 * wants the lock to enqueue, interrupts off as well. The card does not answer.
 */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

struct tx_doorbell {
	u32 tail;
	u32 ack;
};

struct tx_queue {
	unsigned int id;
	u32 tail;
	struct tx_doorbell *bell;
	spinlock_t lock;
	u64 rung;
};

static struct tx_queue *txq;

static void tx_wait_ack(struct tx_queue *queue)
{
	while (READ_ONCE(queue->bell->ack) != queue->tail)
		cpu_relax();
}

static void tx_ring_doorbell(struct tx_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	WRITE_ONCE(queue->bell->tail, ++queue->tail);
	queue->rung++;
	tx_wait_ack(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
}

static void tx_enqueue(struct tx_queue *queue, unsigned int descriptors)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->tail += descriptors;
	spin_unlock_irqrestore(&queue->lock, flags);
}

static int tx_kick_thread(void *data)
{
	tx_ring_doorbell(data);
	return 0;
}

static int tx_feed_thread(void *data)
{
	mdelay(300);
	tx_enqueue(data, 4);
	return 0;
}

static int tx_start(struct tx_queue *queue)
{
	struct task_struct *kick = kthread_create(tx_kick_thread, queue, "txsched_kick/%u", queue->id);
	struct task_struct *feed = kthread_create(tx_feed_thread, queue, "txsched_feed/%u", queue->id);

	if (IS_ERR(kick) || IS_ERR(feed))
		return -ENOMEM;
	kthread_bind(kick, 1);
	kthread_bind(feed, 0);
	wake_up_process(feed);
	wake_up_process(kick);
	return 0;
}

static int txsched_set_trigger(const char *value, const struct kernel_param *param)
{
	return tx_start(txq);
}

static const struct kernel_param_ops txsched_trigger_ops = { .set = txsched_set_trigger };
module_param_cb(trigger, &txsched_trigger_ops, NULL, 0200);

static int __init txsched_init(void)
{
	txq = kzalloc(sizeof(*txq), GFP_KERNEL);
	if (!txq)
		return -ENOMEM;
	txq->bell = kzalloc(sizeof(*txq->bell), GFP_KERNEL);
	if (!txq->bell)
		return -ENOMEM;
	txq->id = 2;
	spin_lock_init(&txq->lock);
	return 0;
}

module_init(txsched_init);
MODULE_DESCRIPTION("Inquest lab: transmit scheduler");
MODULE_LICENSE("GPL");
