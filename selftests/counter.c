// SPDX-License-Identifier: GPL-2.0-only
/*
 * A counter in a shared object, that threads of several processes raise, while
 * they allocate and cycles run: no increment is lost.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

#define NR_PROCESSES	3
#define NR_THREADS	4
#define INCREMENTS	10000

struct counter {
	__u64 value;
};

static struct counter *counter;
static struct marena *arena;

static void *add(void *arg)
{
	const bool in_section = *(bool *)arg;
	unsigned int i;

	for (i = 0; i < INCREMENTS; i++) {
		if (in_section)
			mt_assert_eq(marena_enter(arena), 0);
		__atomic_fetch_add(&counter->value, 1, __ATOMIC_RELAXED);
		if (in_section)
			mt_assert_eq(marena_leave(arena), 0);
		if (i % 16 == 0) {
			void *garbage = marena_alloc(arena, 16 + i % 500);

			mt_assert(garbage);
			mt_assert_eq(marena_put(arena, garbage), 0);
		}
	}
	return NULL;
}

static void add_in_threads(void *arg)
{
	bool in_section[NR_THREADS];
	pthread_t thread[NR_THREADS];
	unsigned int i;

	arena = marena_from_fd(*(int *)arg);
	mt_assert(arena);
	counter = marena_root(arena, "counter");
	mt_assert(counter);
	for (i = 0; i < NR_THREADS; i++) {
		in_section[i] = i % 2;
		mt_assert_eq(pthread_create(&thread[i], NULL, add,
					    &in_section[i]), 0);
	}
	for (i = 0; i < NR_THREADS; i++)
		mt_assert_eq(pthread_join(thread[i], NULL), 0);
	mt_assert_eq(marena_put(arena, counter), 0);
	mt_assert_eq(marena_close(arena), 0);
}

TEST(no_increment_is_lost)
{
	struct marena *a = marena_create(NULL, 64 * MIB, NULL);
	struct marena_stats stats;
	pid_t pid[NR_PROCESSES];
	struct counter *c;
	unsigned int i;
	int fd, ret;

	ASSERT_NE(NULL, a);
	c = marena_alloc(a, sizeof(*c));
	ASSERT_NE(NULL, c);
	ASSERT_EQ(0, marena_set_root(a, "counter", c));
	fd = marena_fd(a);
	for (i = 0; i < NR_PROCESSES; i++)
		pid[i] = mt_fork(add_in_threads, &fd);
	for (i = 0; i < NR_PROCESSES; i++) {
		/* Cycles as long as this one has not ended. */
		while (!mt_has_ended(pid[i])) {
			ret = marena_collect(a, 0);
			ASSERT_TRUE(!ret || ret == -EBUSY);
		}
		mt_wait_ok(pid[i]);
	}
	EXPECT_EQ(NR_PROCESSES * NR_THREADS * INCREMENTS, c->value);

	ASSERT_EQ(0, marena_collect(a, 0));
	ASSERT_EQ(0, marena_stats(a, &stats));
	EXPECT_EQ(1, stats.objects_live);
	EXPECT_EQ(1, stats.clients);
	EXPECT_LT(0, stats.cycles);
	ASSERT_EQ(0, marena_close(a));
}

TEST_HARNESS_MAIN
