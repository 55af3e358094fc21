// SPDX-License-Identifier: GPL-2.0
/*
 * Slab objects in every state. Allocation happens on CPU 0; frees on CPU 0 ("local") and CPU 1 ("remote").
 *   LABVIEW cache NAME ADDRESS size=N
 *   LABVIEW slab NAME OBJECT cache=NAME index=N state=allocated|free|free-last how=...
 * `index` is the order of allocation. "free-last" ones are freed immediately before the end.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "views.h"

#define OBJECTS 1200
#define TRACKED 24
#define SIZES 11

struct views_object {
	u64 serial;
	char text[192];
};

static struct kmem_cache *views_cache;
static struct kmem_cache *views_rcu_cache;
static struct kmem_cache *views_tracked_cache;
static struct kmem_cache *views_many_cache;
static struct views_object *views_objects[OBJECTS];
static struct views_object *views_rcu_objects[TRACKED];
static struct views_object *views_tracked[TRACKED];
static void *views_kmalloced[SIZES][3];

static const size_t views_sizes[SIZES] = { 8, 32, 64, 96, 192, 256, 512, 1024, 2048, 4096, 8192 };

static noinline struct views_object *views_new(struct kmem_cache *cache, u64 serial)
{
	struct views_object *object = kmem_cache_alloc(cache, GFP_KERNEL);

	if (object) {
		object->serial = serial;
		snprintf(object->text, sizeof(object->text), "views object %llu", serial);
	}
	return object;
}

static noinline void views_drop(struct kmem_cache *cache, struct views_object *object)
{
	kmem_cache_free(cache, object);
}

static void views_constructor(void *object)
{
	memset(object, 0, sizeof(struct views_object));
}

static long views_allocate(void *unused)
{
	int i, which;

	for (i = 0; i < OBJECTS; i++) {
		views_objects[i] = views_new(views_cache, i);
		if (!views_objects[i])
			return -ENOMEM;
	}
	for (i = 0; i < TRACKED; i++) {
		views_rcu_objects[i] = views_new(views_rcu_cache, i);
		views_tracked[i] = views_new(views_tracked_cache, i);
		if (!views_tracked[i] || !views_rcu_objects[i])
			return -ENOMEM;
	}
	for (i = 0; i < SIZES; i++) {
		for (which = 0; which < 3; which++) {
			views_kmalloced[i][which] = kmalloc(views_sizes[i], GFP_KERNEL);
			if (!views_kmalloced[i][which])
				return -ENOMEM;
		}
	}
	return 0;
}

/* What becomes of object `i`: most stay; the slabs of the first quarter lose every 20th, so that they become partial. */
static const char *views_fate(int i)
{
	if (i >= OBJECTS - 4)
		return "free-last";
	if (i >= OBJECTS - 10)
		return "local";
	if (i >= OBJECTS - 14)
		return "remote";
	if (i < OBJECTS / 4 && i % 20 == 7)
		return "partial";
	if (i >= OBJECTS / 4 && i < OBJECTS / 4 + 100)
		return "emptied";
	return "allocated";
}

static void views_free_all(const char *fate)
{
	int i;

	for (i = 0; i < OBJECTS; i++)
		if (!strcmp(views_fate(i), fate))
			views_drop(views_cache, views_objects[i]);
}

static long views_free_local(void *unused)
{
	int i;

	views_free_all("partial");
	views_free_all("emptied");
	views_free_all("local");
	for (i = 0; i < TRACKED; i += 4) {
		views_drop(views_tracked_cache, views_tracked[i]);
		views_drop(views_rcu_cache, views_rcu_objects[i]);
	}
	return 0;
}

static long views_free_remote(void *unused)
{
	int i;

	views_free_all("remote");
	for (i = 0; i < SIZES; i++)
		kfree(views_kmalloced[i][1]);
	return 0;
}

static void views_say_state(struct views_object *object, const char *cache, int i, const char *how)
{
	const char *state = "free";

	if (how[0] == 'a')
		state = "allocated";
	else if (how[0] == 'f')
		state = "free-last";
	views_say("slab object-%d %px cache=%s index=%d state=%s how=%s", i, object, cache, i, state, how);
}

static void views_say_all(void)
{
	int i;

	views_say("cache lab_views_object %px size=%zu", views_cache, sizeof(struct views_object));
	views_say("cache lab_views_rcu %px size=%zu", views_rcu_cache, sizeof(struct views_object));
	views_say("cache lab_views_tracked %px size=%zu", views_tracked_cache, sizeof(struct views_object));
	for (i = 0; i < OBJECTS; i++)
		views_say_state(views_objects[i], "lab_views_object", i, views_fate(i));
	for (i = 0; i < TRACKED; i++) {
		views_say_state(views_rcu_objects[i], "lab_views_rcu", i, i % 4 ? "allocated" : "local");
		views_say_state(views_tracked[i], "lab_views_tracked", i, i % 4 ? "allocated" : "local");
	}
	for (i = 0; i < SIZES; i++) {
		views_say("kmalloc size-%zu-0 %px size=%zu state=allocated", views_sizes[i], views_kmalloced[i][0], views_sizes[i]);
		views_say("kmalloc size-%zu-2 %px size=%zu state=free-last", views_sizes[i], views_kmalloced[i][2], views_sizes[i]);
	}
}

static int views_large(void)
{
	static const size_t sizes[] = { 16384, 40000, 65536 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *large = kmalloc(sizes[i], GFP_KERNEL);

		if (!large)
			return -ENOMEM;
		views_say("kmalloc large-%zu %px size=%zu state=allocated large=1", sizes[i], large, sizes[i]);
	}
	return 0;
}

static int views_many(unsigned long many)
{
	unsigned long i;
	void **objects;

	if (!many)
		return 0;
	views_many_cache = kmem_cache_create_usercopy("lab_views_many", 64, 0, 0, 0, 8, NULL);
	objects = vmalloc(many * sizeof(*objects));
	if (!views_many_cache || !objects)
		return -ENOMEM;
	for (i = 0; i < many; i++) {
		objects[i] = kmem_cache_alloc(views_many_cache, GFP_KERNEL);
		if (!objects[i])
			return -ENOMEM;
		if (i % 10000 == 0)
			cond_resched();
	}
	/* One in ten is free again, so that no slab is full. */
	for (i = 3; i < many; i += 10)
		kmem_cache_free(views_many_cache, objects[i]);
	vfree(objects);
	views_say("cache lab_views_many %px size=64 objects=%lu", views_many_cache, many);
	return 0;
}

int views_slab_init(unsigned long many)
{
	int error;

	/* A cache that user copies may read is never merged with another, on any kernel; nor is one whose memory lives for a grace period. */
	views_cache = kmem_cache_create_usercopy("lab_views_object", sizeof(struct views_object), 0, 0, 0, 8, NULL);
	views_rcu_cache = kmem_cache_create("lab_views_rcu", sizeof(struct views_object), 0, SLAB_TYPESAFE_BY_RCU, views_constructor);
	/* Its tracks and red zones come from the command line: slub_debug=FZPU,lab_views_tracked. */
	views_tracked_cache = kmem_cache_create_usercopy("lab_views_tracked", sizeof(struct views_object), 0, 0, 0, 8, NULL);
	if (!views_cache || !views_rcu_cache || !views_tracked_cache)
		return -ENOMEM;
	error = work_on_cpu(0, views_allocate, NULL);
	if (!error)
		error = work_on_cpu(0, views_free_local, NULL);
	if (!error)
		error = work_on_cpu(num_online_cpus() > 1 ? 1 : 0, views_free_remote, NULL);
	if (error)
		return error;
	views_say_all();
	error = views_large();
	return error ? error : views_many(many);
}

void views_slab_last(void)
{
	int i;

	views_free_all("free-last");
	for (i = 0; i < SIZES; i++)
		kfree(views_kmalloced[i][2]);
}
