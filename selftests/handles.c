// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several handles of one arena in a process: a thread that goes from a section of
 * one into one of another is in a section all the time. A cycle looks at one handle
 * after the other, so it must not do that while the gate is closed.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

/* Where the process has mapped its clients: the gates are there. */
static unsigned int gates(struct marena_control **found)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int nr = 0;
	char line[256];

	mt_assert(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "marena-client"))
			continue;
		mt_assert(nr < 2);
		found[nr++] = (void *)strtoul(line, NULL, 16);
	}
	mt_assert_eq(fclose(maps), 0);
	return nr;
}

struct visitor {
	struct marena *a[2];
	int trying;
	int inside;
};

/* In a section of one handle, it enters one of the other. */
static void *visit(void *arg)
{
	struct visitor *v = arg;

	/* It has its slots. */
	mt_assert_eq(marena_enter(v->a[1]), 0);
	mt_assert_eq(marena_leave(v->a[1]), 0);
	mt_assert_eq(marena_enter(v->a[0]), 0);
	__atomic_store_n(&v->trying, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&v->trying, __ATOMIC_ACQUIRE))
		sched_yield();
	mt_assert_eq(marena_enter(v->a[1]), 0);
	__atomic_store_n(&v->inside, 1, __ATOMIC_RELEASE);
	mt_assert_eq(marena_leave(v->a[1]), 0);
	mt_assert_eq(marena_leave(v->a[0]), 0);
	return NULL;
}

/*
 * Nobody enters a section while the gate is closed, also from another section. It
 * is closed by hand here, as a cycle does not leave it so for long.
 */
TEST(closed_for_all)
{
	struct marena_control *one, *both[2];
	struct visitor v = { 0 };
	pthread_t thread;
	unsigned int i;
	__u32 gate;

	v.a[0] = marena_create(NULL, 4 * MIB, NULL);
	ASSERT_NE(NULL, v.a[0]);
	ASSERT_EQ(1, gates(&one));
	v.a[1] = marena_from_fd(marena_fd(v.a[0]));
	ASSERT_NE(NULL, v.a[1]);
	ASSERT_EQ(2, gates(both));
	ASSERT_EQ(0, pthread_create(&thread, NULL, visit, &v));
	while (!__atomic_load_n(&v.trying, __ATOMIC_ACQUIRE))
		sched_yield();

	i = both[0] == one;
	gate = __atomic_fetch_or(&both[i]->gate, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v.trying, 0, __ATOMIC_RELEASE);
	/* Time to do it, if it can. */
	usleep(50000);
	EXPECT_EQ(0, __atomic_load_n(&v.inside, __ATOMIC_ACQUIRE));
	__atomic_store_n(&both[i]->gate, gate, __ATOMIC_SEQ_CST);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, v.inside);
	ASSERT_EQ(0, marena_collect(v.a[0], 0));
	marena_close(v.a[1]);
	marena_close(v.a[0]);
}

TEST_HARNESS_MAIN
