/* Shared by the units of the little kernel, so that its types are described more than once. */
struct list_head {
	struct list_head *next, *prev;
};

enum state { IDLE, RUNNING = 2, DEAD = -1 };

struct task {
	struct list_head links;
	int pid;
	unsigned int flags : 5, nice : 3;
	enum state state;
	union {
		unsigned long cookie;
		struct {
			unsigned short low, high;
		};
	};
	char comm[16];
	int (*wake)(struct task *task, long reason);
};

struct queue {
	struct list_head head;
	unsigned long count;
	struct task *last[4];
};

extern struct queue ready;
int enqueue(struct queue *queue, struct task *task);
struct task *dequeue(struct queue *queue, long reason);
void fatal(const char *what, long value) __attribute__((noreturn, cold));

static inline __attribute__((always_inline)) void list_add(struct list_head *entry, struct list_head *head)
{
	struct list_head *next = head->next;

	next->prev = entry;
	entry->next = next;
	entry->prev = head;
	head->next = entry;
}

static inline __attribute__((always_inline)) struct task *first_of(struct queue *queue)
{
	struct list_head *first = queue->head.next;

	return first == &queue->head ? 0 : (struct task *)first;
}
