// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of collector.c: who waits for a cycle.
 */
#include "test.h"

static int marena_test_run(void *data)
{
	u64 cycle;

	return marena_collector_run(data, MARENA_REASON_REQUEST, true, &cycle);
}

/* Who is killed does not wait for the cycle's end, whatever holds that up. */
static void marena_test_run_killed(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct task_struct *task;

	/* A cycle begins with this lock. */
	mutex_lock(&arena->lock);
	task = marena_test_kill(test, &arena->col.done, marena_test_run, arena);
	mutex_unlock(&arena->lock);
	KUNIT_EXPECT_EQ(test, marena_test_killed(task), -EINTR);
	/* It has asked, and what it asked for comes. */
	KUNIT_EXPECT_EQ(test, marena_test_run(arena), 0);
	KUNIT_EXPECT_EQ(test, arena->col.cycles, 2);
}

static struct kunit_case marena_collector_cases[] = {
	KUNIT_CASE(marena_test_run_killed),
	{}
};

static struct kunit_suite marena_collector_suite = {
	.name = "marena-collector",
	.test_cases = marena_collector_cases,
};

kunit_test_suite(marena_collector_suite);
