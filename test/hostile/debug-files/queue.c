#include "queue.h"

struct queue ready = { { &ready.head, &ready.head }, 0, { 0 } };
static unsigned long drops;

static __attribute__((noinline)) int check(struct task *task, int depth)
{
	for (int i = 0; i < depth; i++) {
		struct list_head *at = task->links.next;

		if (at == &task->links)
			return i;
		task = (struct task *)at;
	}
	return -1;
}

int enqueue(struct queue *queue, struct task *task)
{
	int place;

	if (!task->pid) {
		drops++;
		fatal("no pid", (long)task->cookie);
	}
	place = check(task, task->nice);
	list_add(&task->links, &queue->head);
	queue->last[queue->count++ & 3] = task;
	return place + task->wake(task, task->low);
}

struct task *dequeue(struct queue *queue, long reason)
{
	struct task *task = first_of(queue);

	if (task && task->state != DEAD) {
		struct list_head *next = task->links.next;

		next->prev = &queue->head;
		queue->head.next = next;
		queue->count--;
		return task->wake(task, reason + 1) ? task : 0;
	}
	return 0;
}
