#include "queue.h"

typedef long (*handler_t)(unsigned long a, unsigned long b);

static struct task tasks[8];
static const char *const names[] = { "swapper", "kthreadd", "init" };
long jiffies;

static int woken(struct task *task, long reason)
{
	double load = task->cookie;

	jiffies += (long)(load * 2) + reason;
	task->state = RUNNING;
	return task->flags;
}

static long sum(unsigned long a, unsigned long b)
{
	return a + b;
}

static __attribute__((noinline)) long apply(handler_t handler, unsigned long a, unsigned long b, unsigned long times)
{
	long total = 0;

	while (times--)
		total += handler(a, total);
	return total ^ b;
}

void fatal(const char *what, long value)
{
	static int entered;

	entered++;
	for (;;)
		jiffies += value + what[0];
}

long start(int argc)
{
	long total = 0;

	for (int i = 0; i < 8; i++) {
		struct task *task = &tasks[i];

		task->pid = i + 1;
		task->wake = woken;
		for (int j = 0; names[i % 3][j] && j < 15; j++)
			task->comm[j] = names[i % 3][j];
		total += enqueue(&ready, task);
	}
	while (first_of(&ready)) {
		struct task *task = dequeue(&ready, argc);

		if (!task)
			break;
		total += apply(sum, task->cookie, argc, task->nice);
	}
	return total;
}
