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
	marena_copies_end(arena, 0);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 0);
	marena_copies_set_limit(arena, 0);
	marena_copies_prepare(arena, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), MARENA_SPARES_MAX);
	marena_copies_end(arena, 0);
}

/* What was needed once is expected again, and forgotten in time. */
static void marena_test_spares_expected(struct kunit *test)
{
	struct marena_arena *arena = marena_test_copies(test, 0);
	unsigned int cycles;

	marena_copies_end(arena, 8);
	marena_copies_prepare(arena, 0);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 8);
	marena_copies_end(arena, 0);
	marena_copies_prepare(arena, 0);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 6);
	for (cycles = 0; cycles < 6; cycles++)
		marena_copies_end(arena, 0);
	marena_copies_prepare(arena, 0);
	KUNIT_EXPECT_EQ(test, marena_test_spares(arena), 0);
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
