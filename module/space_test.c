// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of space.c: no two arenas at one address, all in the window, and an
 * address used again only when the others have been.
 */
#include "test.h"

/* Only what space.c looks at. */
static struct marena_arena *marena_test_space(struct kunit *test, u64 size)
{
	struct marena_arena *arena = kunit_kzalloc(test, sizeof(*arena),
						   GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, arena);
	arena->size = size;
	return arena;
}

static void marena_test_space_distinct(struct kunit *test)
{
	struct marena_arena *a[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(a); i++) {
		a[i] = marena_test_space(test, SZ_2M << i);
		KUNIT_ASSERT_EQ(test, marena_space_reserve(a[i]), 0);
		KUNIT_EXPECT_EQ(test, a[i]->base % MARENA_REGION_SIZE, 0);
		KUNIT_EXPECT_GE(test, a[i]->base, MARENA_SPACE_FIRST);
		KUNIT_EXPECT_LE(test, marena_space_end(a[i]),
				MARENA_SPACE_END);
		if (i)
			KUNIT_EXPECT_GE(test, a[i]->base,
					marena_space_end(a[i - 1]));
	}
	for (i = 0; i < ARRAY_SIZE(a); i++)
		marena_space_release(a[i]);
	KUNIT_EXPECT_TRUE(test, list_empty(&marena_space));
}

/* What was let go of is not handed out at once. */
static void marena_test_space_late(struct kunit *test)
{
	struct marena_arena *a = marena_test_space(test, SZ_2M);
	u64 base;

	KUNIT_ASSERT_EQ(test, marena_space_reserve(a), 0);
	base = a->base;
	marena_space_release(a);
	KUNIT_ASSERT_EQ(test, marena_space_reserve(a), 0);
	KUNIT_EXPECT_GT(test, a->base, base);
	marena_space_release(a);
}

/* At the end of the window it goes on where it began, around what is there. */
static void marena_test_space_wraps(struct kunit *test)
{
	struct marena_arena *a = marena_test_space(test, SZ_2M);
	struct marena_arena *b = marena_test_space(test, SZ_2M);
	struct marena_arena *c = marena_test_space(test, SZ_2M);
	u64 cursor = marena_space_cursor;

	marena_space_cursor = MARENA_SPACE_FIRST;
	KUNIT_ASSERT_EQ(test, marena_space_reserve(a), 0);
	KUNIT_EXPECT_EQ(test, a->base, MARENA_SPACE_FIRST);
	marena_space_cursor = MARENA_SPACE_END - MARENA_REGION_SIZE;
	KUNIT_ASSERT_EQ(test, marena_space_reserve(b), 0);
	KUNIT_EXPECT_EQ(test, b->base, marena_space_end(a));
	/* Into the gap, in order. */
	marena_space_release(a);
	marena_space_cursor = MARENA_SPACE_FIRST;
	KUNIT_ASSERT_EQ(test, marena_space_reserve(c), 0);
	KUNIT_EXPECT_EQ(test, c->base, MARENA_SPACE_FIRST);
	KUNIT_EXPECT_PTR_EQ(test, c->space_link.next, &b->space_link);
	marena_space_release(b);
	marena_space_release(c);
	marena_space_cursor = cursor;
}

static void marena_test_space_full(struct kunit *test)
{
	const u64 quarter = (MARENA_SPACE_END - MARENA_SPACE_FIRST) / 4;
	struct marena_arena *a[4], *small = marena_test_space(test, SZ_2M);
	struct marena_arena *large;
	u64 cursor = marena_space_cursor;
	unsigned int i;

	/* With its map, each is as large as a quarter of the window. */
	marena_space_cursor = MARENA_SPACE_FIRST;
	for (i = 0; i < 4; i++) {
		a[i] = marena_test_space(test,
					 round_down(quarter / 129 * 128,
						    SZ_256M));
		KUNIT_ASSERT_EQ(test, marena_space_reserve(a[i]), 0);
	}
	/* What is left behind them is too little for one more. */
	large = marena_test_space(test, a[0]->size);
	KUNIT_EXPECT_EQ(test, marena_space_reserve(large), -ENOSPC);
	marena_space_release(a[2]);
	KUNIT_EXPECT_EQ(test, marena_space_reserve(a[2]), 0);
	KUNIT_EXPECT_EQ(test, a[2]->base, marena_space_end(a[1]));
	marena_space_release(a[1]);
	marena_space_cursor = MARENA_SPACE_FIRST;
	KUNIT_EXPECT_EQ(test, marena_space_reserve(small), 0);
	KUNIT_EXPECT_EQ(test, small->base, marena_space_end(a[0]));
	marena_space_release(small);
	marena_space_release(a[0]);
	marena_space_release(a[2]);
	marena_space_release(a[3]);
	marena_space_cursor = cursor;
}

static struct kunit_case marena_space_cases[] = {
	KUNIT_CASE(marena_test_space_distinct),
	KUNIT_CASE(marena_test_space_late),
	KUNIT_CASE(marena_test_space_wraps),
	KUNIT_CASE(marena_test_space_full),
	{}
};

static struct kunit_suite marena_space_suite = {
	.name = "marena-space",
	.test_cases = marena_space_cases,
};

kunit_test_suite(marena_space_suite);
