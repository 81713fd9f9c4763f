// SPDX-License-Identifier: GPL-2.0-only
/* Tests of copy.c: what is got in advance is used, is limited, and goes. */
#include "test.h"

static unsigned long marena_test_spares(struct marena_arena *arena)
{
	return list_count_nodes(&arena->barrier.copies.spares);
}

static struct marena_arena *marena_test_copies(struct kunit *test, u64 limit)
{
	struct marena_arena *arena = marena_test_arena(test, 1UL << 21, 0);

	marena_copies_set_limit(arena, limit * MARENA_PAGE_SIZE);
	return arena;
}

static void marena_test_spares_are_used(struct kunit *test)
{
	struct marena_arena *arena = marena_test_copies(test, 3);
	struct page *page, *last;

	marena_copies_prepare(arena, 2);
	KUNIT_ASSERT_EQ(test, marena_test_spares(arena), 2);
	last = list_last_entry(&arena->barrier.copies.spares, struct page, lru);
	marena_copies_begin(arena);
	page = marena_copy_alloc(arena, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	marena_copy_free(arena, page);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 1);
	page = marena_copy_alloc(arena, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, page, last);
	marena_copy_free(arena, page);
	/* The next is none that was got before. */
	page = marena_copy_alloc(arena, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	marena_copy_free(arena, page);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&arena->barrier.copies.taken), 0);
}

static void marena_test_spares_are_limited(struct kunit *test)
{
	struct marena_arena *arena = marena_test_copies(test, 3);

	marena_copies_prepare(arena, 5);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 3);
	marena_copies_end(arena);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 0);
	marena_copies_set_limit(arena, 0);
	marena_copies_prepare(arena, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), MARENA_SPARES_MAX);
	marena_spares_drop(arena);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 0);
	/* Memory is what the cycle is to bring. */
	arena->col.reason = MARENA_REASON_PRESSURE;
	marena_copies_prepare(arena, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 0);
}

/* A cycle in which so many copies are made. */
static void marena_test_copies_cycle(struct kunit *test,
				     struct marena_arena *arena, unsigned int nr)
{
	struct page *page;

	marena_copies_begin(arena);
	while (nr--) {
		page = marena_copy_alloc(arena, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, page);
		marena_copy_free(arena, page);
	}
	marena_copies_end(arena);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 0);
}

/* What was needed once is expected again, and forgotten in time. */
static void marena_test_spares_expected(struct kunit *test)
{
	struct marena_arena *arena = marena_test_copies(test, 0);
	unsigned int cycles;

	marena_test_copies_cycle(test, arena, 8);
	marena_copies_prepare(arena, 0);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 8);
	marena_test_copies_cycle(test, arena, 0);
	marena_copies_prepare(arena, 0);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 6);
	for (cycles = 0; cycles < 6; cycles++)
		marena_test_copies_cycle(test, arena, 0);
	marena_copies_prepare(arena, 0);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 0);
}

/* Reclaim has all that is not used yet. */
static void marena_test_spares_are_reclaimed(struct kunit *test)
{
	struct marena_arena *arena = marena_test_copies(test, 0);
	LIST_HEAD(pages);

	marena_copies_prepare(arena, 5);
	KUNIT_EXPECT_EQ(test, arena->barrier.copies.nr_spares, 5);
	marena_spares_take(arena, &pages);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 0);
	KUNIT_EXPECT_EQ(test, arena->barrier.copies.nr_spares, 0);
	KUNIT_EXPECT_EQ(test, marena_spares_free(&pages), 5);
}

/* With spares or without, there are no more copies than may be. */
static void marena_test_copies_are_limited(struct kunit *test)
{
	struct marena_arena *arena = marena_test_copies(test, 2);
	struct page *first, *second;

	marena_copies_prepare(arena, 1);
	marena_copies_begin(arena);
	first = marena_copy_alloc(arena, GFP_KERNEL);
	second = marena_copy_alloc(arena, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_NOT_NULL(test, second);
	KUNIT_EXPECT_NULL(test, marena_copy_alloc(arena, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&arena->barrier.copies.taken), 2);
	marena_copy_free(arena, second);
	marena_copy_free(arena, first);
}

static struct kunit_case marena_copy_cases[] = {
	KUNIT_CASE(marena_test_spares_are_used),
	KUNIT_CASE(marena_test_spares_are_limited),
	KUNIT_CASE(marena_test_spares_expected),
	KUNIT_CASE(marena_test_spares_are_reclaimed),
	KUNIT_CASE(marena_test_copies_are_limited),
	{}
};

static struct kunit_suite marena_copy_suite = {
	.name = "marena-copy",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_copy_cases,
};

kunit_test_suite(marena_copy_suite);
