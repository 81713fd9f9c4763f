// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of pressure.c: what the kernel's reclaim is told of, and what it gets.
 */
#include "test.h"

static struct shrink_control marena_test_shrink(struct marena_arena *arena)
{
	return (struct shrink_control) {
		.nid = page_to_nid(virt_to_page(arena)),
		.nr_to_scan = 1,
	};
}

/* What was got in advance for copies is counted, and goes at once. */
static void marena_test_pressure_spares(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct shrink_control sc = marena_test_shrink(arena);
	unsigned long others = marena_pressure_count(NULL, &sc);

	marena_copies_prepare(arena, 5);
	KUNIT_ASSERT_EQ(test, arena->barrier.copies.nr_spares, 5);
	KUNIT_EXPECT_EQ(test, marena_pressure_count(NULL, &sc), others + 5);
	KUNIT_EXPECT_EQ(test, arena->barrier.copies.nr_spares, 5);
	KUNIT_EXPECT_EQ(test, marena_pressure_scan(NULL, &sc), 5);
	KUNIT_EXPECT_EQ(test, arena->barrier.copies.nr_spares, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&arena->barrier.copies.spares));
	/* Another call would bring nothing. */
	KUNIT_EXPECT_EQ(test, marena_pressure_scan(NULL, &sc), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, marena_pressure_count(NULL, &sc), others);
	/* That was no reason for a cycle. */
	KUNIT_EXPECT_EQ(test, arena->col.kicked, MARENA_REASON_NONE);
	KUNIT_EXPECT_EQ(test, arena->col.begun, 0);
}

static struct kunit_case marena_pressure_cases[] = {
	KUNIT_CASE(marena_test_pressure_spares),
	{}
};

static struct kunit_suite marena_pressure_suite = {
	.name = "marena-pressure",
	.test_cases = marena_pressure_cases,
};

kunit_test_suite(marena_pressure_suite);
